"""The sandbox page: both sides' beliefs key by key, over the sandbox's real HTTP; differences are marked."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from ledger.controls import bell, clock
from ledger.controls.clock import DatabaseClock, FixedClock
from orders import sandbox_pools
from reconciliation import sandbox_beliefs
from reconciliation.sandbox_beliefs import SandboxSilent, beliefs
from tests.orders.desk import Desk, open_desk, reloaded
from tests.orders.wallet import ScriptedWallet
from tests.sandbox import RunningSandbox
from tests.sandbox_in_process import SandboxTransport
from wallets.models import Gateway, RemoteOperation
from webhooks import outbound

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def outside(desk: Desk) -> Iterator[SandboxTransport]:
    """The sandbox in the desk's own time: its operator's wallet, and what the page asks."""
    Gateway.objects.update(
        adapter="operator_wallet",
        base_url=str(settings.SANDBOX_URL),
        secret="whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        time_limit_ms=2_000,
        requery_backoff_ms=500,
    )
    transport = SandboxTransport(desk.clock)
    with outbound.use(transport):
        yield transport


@pytest.fixture
def desk(database: None, settings: Settings) -> Iterator[Desk]:
    """A desk whose wallet is asked through the production adapter."""
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        yield open_desk(ScriptedWallet(), fixed)


def _believed(about: str = "") -> dict[str, tuple[str, str]]:
    return {one.key: (one.verdict, one.why) for one in beliefs(about=about)}


def _their_own(outside: SandboxTransport, key: str) -> None:
    """Have the wallet move money that we never asked for."""
    reference, operation, _ = key.split(":")
    body = {
        "operation": operation,
        "asset": "EUR",
        "amount": "5.00",
        "user_reference": "mallory",
        "reference": reference,
        "metadata": {},
    }
    headers = {"idempotency-key": key, "not-after": FAR.isoformat()}
    url = f"{settings.SANDBOX_URL}/{operation}"
    sent = outbound.OutboundRequest("POST", url, "test", headers=headers, body=json.dumps(body).encode())
    assert outbound.send(sent).status == 200


def test_both_sides_agree_when_all_went_well_or_was_declined(desk: Desk, outside: SandboxTransport) -> None:
    good, refused = desk.order("20.00"), desk.order("30.00", user="magic-declined")
    desk.drive(passes=3, pause=timedelta(seconds=2))
    assert (reloaded(good).state, reloaded(refused).state) == ("processed", "failed")
    assert _believed() == {
        f"{good.reference}:debit:v1": ("agrees", ""),
        f"{refused.reference}:debit:v1": ("agrees", ""),
    }


def test_what_differs_or_is_open_is_said_in_words(desk: Desk, outside: SandboxTransport) -> None:
    open_one = desk.order("20.00", user="magic-timeout-after.alice")
    desk.drive(passes=1)
    key = f"{open_one.reference}:debit:v1"
    assert RemoteOperation.objects.get(key=key).state == "unknown"
    assert _believed()[key] == ("not known yet", "They believe that it is confirmed; a lookup will tell us.")

    _their_own(outside, "ord_nobodys:debit:v1")
    assert _believed()["ord_nobodys:debit:v1"][0] == "differs"
    assert next(one.key for one in beliefs()) == "ord_nobodys:debit:v1", "what differs comes first"
    assert set(_believed(open_one.reference)) == {key}


def test_terms_and_ends_that_contradict_are_marked(desk: Desk, outside: SandboxTransport) -> None:
    """Our side of the comparison is planted: no flow of ours can make these."""
    good = desk.order("20.00")
    desk.drive(passes=2, pause=timedelta(seconds=2))
    ours = RemoteOperation.objects.get(key=f"{good.reference}:debit:v1")
    ours.amount_minor = 1_999
    ours.save(update_fields=["amount_minor"])
    assert _believed()[ours.key] == ("differs", "They have 20.00 EUR.")


VERDICTS = [
    # ours, theirs, verdict, says
    ("confirmed", "confirmed", "agrees", ""),
    ("rejected", "rejected", "agrees", ""),
    ("confirmed", "rejected", "differs", "We believe that it is confirmed"),
    ("confirmed", "pending", "differs", "they believe that it is pending"),
    ("confirmed", None, "differs", "they know nothing of it"),
    ("rejected", "confirmed", "differs", "they believe that it is confirmed"),
    ("rejected", None, "agrees", ""),
    ("absent", None, "agrees", ""),
    ("absent", "confirmed", "differs", "a late effect"),
    ("unknown", "confirmed", "not known yet", "a lookup will tell us"),
    ("unknown", "pending", "not known yet", "a lookup will tell us"),
    ("asked", None, "not known yet", "it may still arrive"),
    ("prepared", None, "agrees", ""),
    ("withdrawn", None, "agrees", ""),
    ("withdrawn", "confirmed", "differs", "We believe that it is withdrawn"),
]


@pytest.mark.parametrize(("ours", "theirs", "verdict", "says"), VERDICTS)
def test_each_pair_of_beliefs_has_its_verdict(ours: str, theirs: str | None, verdict: str, says: str) -> None:
    row = RemoteOperation(state=ours, key="ord_1:debit:v1", leg="debit", owner="ord_1", asset="EUR", amount_minor=500)
    told = {"operation": "debit", "reference": "ord_1", "asset": "EUR", "amount": "5.00", "status": theirs}
    found = sandbox_beliefs._belief(row.key, row, told if theirs else None)
    assert found.verdict == verdict
    assert says in found.why


@pytest.mark.parametrize(
    "other",
    [
        {"amount": "5.01"},
        {"amount": "5"},
        {"amount": "5.000"},
        {"amount": "five"},
        {"amount": None},
        {"asset": "USD"},
        {"asset": "XXX"},
        {"operation": "credit"},
        {"reference": "ord_2"},
    ],
)
def test_other_terms_differ_whatever_both_say_became_of_it(other: dict[str, object]) -> None:
    row = RemoteOperation(
        state="confirmed", key="ord_1:debit:v1", leg="debit", owner="ord_1", asset="EUR", amount_minor=500
    )
    told = {"operation": "debit", "reference": "ord_1", "asset": "EUR", "amount": "5.00", "status": "confirmed"}
    verdict = sandbox_beliefs._belief(row.key, row, {**told, **other}).verdict
    assert verdict == ("agrees" if other == {"amount": "5"} else "differs"), "5 EUR is 5.00 EUR, and nothing else is"


def test_the_page_marks_differences_for_who_may_see_it(
    desk: Desk, outside: SandboxTransport, signed_in: SignIn
) -> None:
    good = desk.order("20.00")
    desk.drive(passes=2, pause=timedelta(seconds=2))
    _their_own(outside, "ord_nobodys:credit:v1")
    body = signed_in("olga", "ops").get(reverse("admin:sandbox-wallet")).content.decode()
    rows = {key: mark for mark, key in re.findall(r'<tr (class="differs"|) ?data-key="([^"]+)"', body)}
    assert rows == {"ord_nobodys:credit:v1": 'class="differs"', f"{good.reference}:debit:v1": ""}
    assert "We never wrote this down" in body
    for role, status in (("support", 403), ("finance", 403), ("auditor", 200), ("admin", 200)):
        assert signed_in(f"x-{role}", role).get(reverse("admin:sandbox-wallet")).status_code == status, role


def test_the_page_says_so_when_the_sandbox_is_silent(
    settings: Settings, signed_in: SignIn, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_beliefs, "_PATIENCE_SECONDS", 0.5)
    sandbox_pools.load(now=DatabaseClock().now())
    client = signed_in("olga", "ops")
    assert b"Neither side has a movement" in client.get(reverse("admin:sandbox-wallet")).content
    assert b"whose key begins so" in client.get(reverse("admin:sandbox-wallet"), {"about": "ord_x\0'%"}).content
    sandbox.stop()
    with pytest.raises(SandboxSilent):
        beliefs()
    answer = client.get(reverse("admin:sandbox-wallet"))
    assert answer.status_code == 200
    assert b"The sandbox does not answer at" in answer.content
    settings.OUTBOUND_ALLOW = []
    assert b"The sandbox does not answer at" in client.get(reverse("admin:sandbox-wallet")).content
