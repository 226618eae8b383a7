"""The short day, played against the application in the test's own time: every sell of it ends as its magic word says."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from django.db import transaction as db_transaction
from django.test import Client
from pytest_django.fixtures import Settings

from ledger.controls import clock, drains
from ledger.models import Hold
from orders import sandbox_venue
from orders.models import Order, Pool
from orders.operations.halt_pool import NotHalted, lift_halt
from reconciliation import short_day
from reconciliation.management.commands import short_day as short_day_command
from reconciliation.models import ExceptionCase
from tests.reconciliation.day import Day
from tests.sandbox_in_process import SandboxTransport, point_wallets_at_it
from tests.venue_in_process import VenueTransport
from wallets import operators
from wallets.models import Gateway, Operator
from webhooks import outbound

pytestmark = pytest.mark.usefixtures("database")


class InProcess(short_day.Api):
    """The operator's side without a wire; each question lets the world go on for half a second."""

    def __init__(self, day: Day, secret: str) -> None:
        self._day = day
        self._secret = secret

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        idempotency_key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._secret}", **(headers or {})}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        answer = Client().generic(method, path, body, content_type="application/json", headers=headers)
        if method == "GET":
            drains.drain("sagas")
            self._day.desk.later(milliseconds=500)
        return answer.status_code, answer.content


@pytest.fixture
def outside(day: Day) -> Iterator[SandboxTransport]:
    point_wallets_at_it()
    wallet, venue = SandboxTransport(day.desk.clock), VenueTransport(day.desk.clock)
    sandbox_venue.load(now=clock.now())
    Gateway.objects.filter(channel__startswith="venue:").update(
        base_url="http://127.0.0.1:8101", time_limit_ms=2_000, requery_backoff_ms=500, pending_backoff_ms=2_000
    )
    with outbound.use(ByPort({8100: wallet, 8101: venue})):
        yield wallet


@dataclass
class ByPort:
    """One transport for all counterparties, told apart by their ports."""

    transports: dict[int, SandboxTransport | VenueTransport]

    def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
        return self.transports[urlsplit(request.url).port or 0].send(request)


def test_short_day_sells_with_every_fault_and_the_close_finds_no_break(
    day: Day, outside: SandboxTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciliation.short_day.time.sleep", lambda seconds: None)
    issued = operators.issue_key(
        operator=Operator.objects.get(slug="acme"),
        environment="test",
        label="t",
        scopes=["quotes", "orders", "read"],
        created_by="t",
        now=clock.now(),
    )
    plan = short_day.plan()
    assert len({planned.partner_order_id for planned in plan}) == len(plan)
    sells = [planned for planned in plan if planned.side == "sell"]
    assert {planned.user_reference.split(".")[0] for planned in sells if "magic" in planned.user_reference} == {
        f"magic-credit-{word}" for word in short_day.CREDIT_FAULTS
    }
    told: list[str] = []
    accepted = short_day.play(InProcess(day, issued.secret), plan, run="r", after_alone=_lift_halts, say=told.append)
    assert (accepted, told) == (len(plan), [])
    states = Counter(Order.objects.filter(side="sell").values_list("state", "status_reason"))
    assert states == {
        ("processed", ""): 11,
        ("manual_review", "credit_rejected"): 1,
        ("manual_review", "credit_unknown"): 2,
    }
    at_the_venue = Order.objects.filter(pool_code__in=[lane.pool for lane in sandbox_venue.LANES])
    assert Counter(at_the_venue.values_list("state", "status_reason")) == {
        ("processed", ""): 13,
        ("failed", "price_moved"): 1,
        ("failed", "trade_not_reserved"): 1,
        ("compensated", "trade_refused"): 1,
        ("manual_review", "trade_unknown"): 1,
    }
    assert not Order.objects.filter(state__in=["queued", "processing", "operator_credit_pending"]).exists()
    unknown = Order.objects.filter(
        side="buy", state="manual_review", status_reason__in=["debit_unknown", "trade_unknown"]
    )
    assert Hold.objects.filter(state="open").count() == unknown.count()
    undecided = Order.objects.filter(state="manual_review")  # its trade or its money: nobody has said what became of it
    breaks = day.close().breaks
    assert breaks["ledger_row_without_terminal_trade"] == undecided.count() > unknown.count()
    assert sum(breaks.values()) == undecided.count()
    assert set(ExceptionCase.objects.values_list("order_reference", flat=True)) == set(
        undecided.values_list("reference", flat=True)
    )


def _lift_halts() -> None:
    for pool in Pool.objects.all():
        try:
            with db_transaction.atomic():
                lift_halt(pool=pool, actor="short day", now=clock.now())
        except NotHalted:
            continue


def test_the_sandbox_is_told_what_signs_each_gateway_that_leads_to_it_and_no_other(
    day: Day, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SANDBOX_URL, settings.SANDBOX_VENUE_URL = "http://127.0.0.1:8100", "http://127.0.0.1:8101"
    house = Operator.objects.filter(kind=Operator.Kind.HOUSE).first() or Operator.objects.create(
        name="The house", slug="house", kind=Operator.Kind.HOUSE, reference="op_house", created_at=clock.now()
    )
    rows = (("bank_transfer", "8100/bank"), ("venue:north", "8101"), ("promptpay", "8102/bank"))
    Gateway.objects.update(base_url="http://127.0.0.1:8100/", secret="whsec_wallet")
    for channel, place in rows:
        Gateway.objects.create(
            operator=house, environment="test", channel=channel, wallet_asset="EUR", secret=f"whsec_{channel}",
            base_url=f"http://127.0.0.1:{place}",
        )  # fmt: skip
    told: list[tuple[str, str, str]] = []
    monkeypatch.setattr(short_day, "tell_secret", lambda url, *, place, secret: told.append((url[-4:], place, secret)))
    short_day_command._tell_secrets()
    assert told == [
        ("8100", "wallet-secret", "whsec_wallet"),
        ("8100", "bank-secret", "whsec_bank_transfer"),
        ("8101", "secret", "whsec_venue:north"),
    ]
