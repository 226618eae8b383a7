"""Markers planted in everything that no partner may see are searched for in every route's output (DESIGN section 11)."""

import base64
import io
import re
import zipfile
from datetime import timedelta

from django.conf import settings
from django.db import transaction as db_transaction

from ledger import accounts, balances
from ledger.assets import text
from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from orders.models import Order, Pool, ReviewCase, SagaRun
from orders.operations.freeze_order import freeze_order, lift_freeze
from orders.operations.halt_pool import halt_pool
from orders.operations.review_case import add_note, assign_case, look_up_now, propose_resolution
from tests.orders.wallet import ScriptedWallet, lost_before
from tests.rest.calls import QUOTE, Answer, ordered
from tests.rest.conftest import Shop
from tests.rest.routes import TABLE
from tests.rest.world import make_world
from tests.reviewers import reviewer
from wallets import rates
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import FxRate, Gateway, OperatorKey
from webhooks.models import Delivery, DeliveryAttempt, Endpoint

MARK = "zqmarker"
_OLGA = f"user:{MARK}-olga"


def test_no_marker_comes_out_when_every_route_is_asked(shop: Shop, wallet: ScriptedWallet) -> None:
    with clock.use(FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, FixedClock)
        world = make_world(shop.api)
        secrets = _plant_secrets(shop, world.endpoint)
        reviewed = _plant_review(shop, wallet, fixed)
        _plant_rate()
        answers = [route.call(shop.api, world) for route in TABLE.values()]
        answers += [
            shop.api.get(f"/v1/orders/{reviewed.reference}"),
            shop.api.get(f"/v1/orders/{reviewed.reference}/timeline"),
            shop.api.get(f"/v1/orders/{reviewed.reference}/trace"),
            shop.api.get(f"/v1/orders/{reviewed.reference}/packet"),
            shop.api.get(f"/v1/operations/{reviewed.reference}:debit:v1"),
            shop.api.get("/v1/operations/world:accept:v1"),
            shop.api.get(f"/v1/webhook-endpoints/{world.endpoint}/deliveries"),
            shop.api.post("/v1/quotes", {**QUOTE, "pool_id": "USD-ETH"}),
            shop.api.post("/v1/quotes", {**QUOTE, "source_amount": "9" * 30}),
        ]
        _plant_halt()
        answers += [
            shop.api.get("/v1/capabilities"),
            shop.api.get("/v1/pools/EUR-USDT"),
            shop.api.post("/v1/quotes", QUOTE),
        ]
        reserves = _reserves()
        assert all(answer.status < 500 for answer in answers)
        assert shop.api.get(f"/v1/orders/{reviewed.reference}").json["status"] == "manual_review"
        assert [answer for answer in answers if _shows(answer, "EUR-USDT")]
        for forbidden in (MARK, *secrets, *reserves, *_inside()):
            assert not [answer for answer in answers if _shows(answer, forbidden)], forbidden


def _plant_secrets(shop: Shop, endpoint: str) -> list[str]:
    """Plant the gateway's address, secret and pause, and the endpoint's secret; its receiver's words are its own."""
    gateway_secret = "whsec_" + base64.b64encode(f"{MARK}-gateway-secret".encode()).decode()
    Gateway.objects.filter(operator=shop.operator).update(
        base_url=f"http://{MARK}-wallet.invalid", secret=gateway_secret, paused_reason=f"{MARK} paused"
    )
    endpoint_secret = "whsec_" + base64.b64encode(f"{MARK}-endpoint-secret".encode()).decode()
    row = Endpoint.objects.get(reference=endpoint)
    Endpoint.objects.filter(pk=row.pk).update(secret=endpoint_secret)
    DeliveryAttempt.objects.create(
        delivery_id=Delivery.objects.filter(endpoint_id=row.pk).latest("pk").pk,
        number=1,
        started_at=clock.now(),
        duration_ms=1,
        http_status=500,
        excerpt="what the receiver said",
    )
    hashes = list(OperatorKey.objects.values_list("key_hash", flat=True))
    return [gateway_secret, endpoint_secret, shop.api.secret, *hashes]


def _plant_review(shop: Shop, wallet: ScriptedWallet, fixed: FixedClock) -> Order:
    """Bring an order to manual review and leave people, notes, reasons and evidence on it."""

    def lost(scripted: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        reply = lost_before(scripted, kind, request)
        return Reply(reply.outcome, 504, excerpt=f"{MARK} raw answer")

    wallet.script = [lost]
    reference = ordered(shop.api, user_reference="bob")["order_id"]
    for _ in range(40):
        drains.drain("sagas")
        fixed.move_to(fixed.now() + timedelta(seconds=5))
    order = Order.objects.get(reference=reference)
    assert order.state == Order.State.MANUAL_REVIEW
    case = ReviewCase.objects.get(subject=reference)
    now = fixed.now()
    reviewer(_OLGA)
    assign_case(case_reference=case.reference, owner=_OLGA, actor=_OLGA, now=now)
    add_note(case_reference=case.reference, text=f"{MARK} note", actor=_OLGA, now=now)
    SagaRun.objects.filter(subject=reference).update(last_error=f"{MARK} traceback")
    with db_transaction.atomic():
        freeze_order(order_reference=reference, reason=f"{MARK} freeze", actor=_OLGA, now=now)
    return order


def _plant_rate() -> None:
    rates.record(
        base="EUR", quote="USD", value=FxRate.objects.latest("pk").rate, source=f"{MARK}-rates", now=clock.now()
    )


def _plant_halt() -> None:
    with db_transaction.atomic():
        pool = Pool.objects.get(environment="test", code="EUR-USDT")
        halt_pool(pool=pool, reason=f"{MARK} halt", actor=_OLGA, now=clock.now())


def _reserves() -> list[str]:
    """Return every pool's balances as minor units and as text."""
    wanted = [
        (accounts.pool(pool.code), asset)
        for pool in Pool.objects.filter(environment="test")
        for asset in (pool.cash_asset, pool.position_asset)
    ]
    found = balances.read(environment="test", accounts=wanted)
    assert len(found) == len(wanted)
    return [
        shown
        for (_, asset), balance in found.items()
        for minor in {balance.posted, balance.available}
        for shown in (str(minor), text(minor, asset))
    ]


def _inside() -> list[str]:
    """Return the names of adapters, venues, accounts and modules."""
    return [
        *settings.GATEWAYS,
        *settings.GATEWAYS.values(),
        *settings.VENUES,
        *settings.VENUES.values(),
        "scripted",
        "transit:",
        "pools:",
        "positions:",
        "TRADE_RESERVE",
        "evidence",
        "Traceback",
        "psycopg",
    ]


def _text(body: bytes) -> str:
    """Return what a body says; of a ZIP, what its files say."""
    if not body.startswith(b"PK"):
        return body.decode()
    with zipfile.ZipFile(io.BytesIO(body)) as packet:
        return "".join(packet.read(name).decode() for name in packet.namelist())


def _shows(answer: Answer, forbidden: str) -> bool:
    shown = _text(answer.body) + "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(forbidden)}", shown, re.IGNORECASE) is not None


def test_nothing_of_a_resolution_is_told_when_people_have_decided(shop: Shop, wallet: ScriptedWallet) -> None:
    """The order tells that it failed and why, in stable words: not who decided, nor on what."""
    with clock.use(FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, FixedClock)
        order = _plant_review(shop, wallet, fixed)
        with db_transaction.atomic():
            lift_freeze(order_reference=order.reference, actor=_OLGA, now=fixed.now())
        wallet.script = []  # from now on it tells the truth: it never saw the key
        fixed.move_to(fixed.now() + timedelta(minutes=10))
        reference = ReviewCase.objects.get(subject=order.reference).reference
        look_up_now(case_reference=reference, actor=_OLGA, now=fixed.now())
        case = ReviewCase.objects.get(reference=reference)
        propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution="debit_absent",
            reason=f"{MARK} reason",
            actor=_OLGA,
            now=fixed.now(),
        )
        answers = [
            shop.api.get(f"/v1/orders/{order.reference}"),
            shop.api.get(f"/v1/orders/{order.reference}/timeline"),
            shop.api.get("/v1/events"),
        ]
    assert answers[0].json["status"] == "failed"
    assert not [answer for answer in answers if _shows(answer, MARK)]
