"""Payouts over REST: once per key with a question in the middle, two calls, and what is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger import balances
from ledger.controls import clock, drains
from orders.models import Intent, Payout, WalletEntry
from orders.operations import cancel_unconfirmed
from orders.operations.freeze_order import freeze_intent, lift_intent_freeze
from tests.orders.bank import ScriptedBank
from tests.orders.payouts import ASSET, MOBILE, open_channels
from tests.rest.conftest import Shop
from tests.rest.world import payout_body
from tests.wallets import people
from tests.wallets.rules import fee, in_force, limit
from wallets import gateway_adapters, holders
from wallets.gateway_port import NotPayable, Payable, Unanswered
from wallets.models import Gateway, LimitUsage, RemoteOperation, Wallet
from wallets.outcomes import Cause

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000


@pytest.fixture
def bank(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> ScriptedBank:
    scripted = ScriptedBank()
    original = gateway_adapters.adapter

    def found(name: str) -> object:
        return scripted if name == "scripted_bank" else original(name)

    monkeypatch.setattr("wallets.remote_operations.adapter", found)
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", found)
    open_channels()
    return scripted


@pytest.fixture
def payer(shop: Shop, bank: ScriptedBank) -> str:
    made = people.wallet("shop", owner=shop.operator, kind="merchant", assets=[ASSET])
    people.fund(made, _FUNDS, asset=ASSET)
    return made.reference


def money(payer: str) -> tuple[int, int]:
    address = holders.available_address(Wallet.objects.get(reference=payer))
    found = balances.read(environment="test", accounts=[(address, ASSET)])[address, ASSET]
    return found.posted, found.debits_pending


def test_a_payout_is_authorized_and_settled(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    bank.queries = [Payable("lkp_7", "Somchai J.", 200)]
    answer = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    assert answer.status == 202
    shown = answer.json
    assert (shown["status"], shown["requiresMonitoring"], shown["terminal"]) == ("AUTHORIZED", True, False)
    assert (shown["lookupRef"], shown["receiverName"], shown["network_fee"]) == ("lkp_7", "Somchai J.", "2.00")
    assert (shown["amount"], shown["debit"], shown["credit"]) == ("100.00", "102.00", "100.00")
    assert shown["expires_at"] is None, "what is authorized does not expire"
    assert answer.headers["Location"] == f"/v1/payouts/{shown['intent_id']}"
    assert money(payer) == (_FUNDS, 10_200)
    drains.drain("relay")
    drains.drain("sagas")
    ended = shop.api.get(f"/v1/payouts/{shown['intent_id']}").json
    assert (ended["status"], ended["requiresMonitoring"]) == ("SETTLED", False)
    assert ended["settlementDate"] == "2026-03-15"
    assert ended["responseId"].startswith("bnk-pay_")
    assert ended["reference_number"]
    assert money(payer) == (_FUNDS - 10_200, 0)
    assert [row["intent_id"] for row in shop.api.get("/v1/payouts?status=SETTLED").json["data"]] == [shown["intent_id"]]


def test_same_key_gets_the_first_answer_again(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    first = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    again = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    assert (first.status, again.status) == (202, 202)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    other = shop.api.post("/v1/payouts", payout_body(payer, amount="1.00"), key="k-1")
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    assert Intent.objects.count() == Payout.objects.count() == len(bank.asked) == 1


def test_replay_goes_on_from_the_anchor_when_the_channel_did_not_answer(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    bank.queries = [Unanswered(Cause.TIMEOUT), Payable("lkp_1", "Somchai J.")]
    first = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    assert (first.status, first.json["code"]) == (503, "channel_unavailable")
    intent = Intent.objects.get()
    assert (intent.state, money(payer)) == ("created", (_FUNDS, 0)), "no funds were moved: safe to retry"
    again = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    assert (again.status, again.json["intent_id"]) == (202, intent.reference)
    assert money(payer) == (_FUNDS, 10_000)
    assert Intent.objects.count() == 1


def test_replay_goes_on_from_the_anchor_when_the_process_died_in_the_question(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    def die() -> None:
        bank.during_query = None
        raise RuntimeError("killed")

    bank.during_query = die
    assert shop.api.post("/v1/payouts", payout_body(payer), key="k-1").status == 500
    assert shop.api.post("/v1/payouts", payout_body(payer), key="k-1").status == 202
    assert Intent.objects.count() == Payout.objects.count() == 1
    assert money(payer) == (_FUNDS, 10_000)


def test_frozen_payout_waits_at_its_anchor_and_the_same_request_goes_on_when_it_is_lifted(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    """A freeze holds up every step, its end too: it is no refusal that would end it."""

    def freeze() -> None:
        bank.during_query = None
        with db_transaction.atomic():
            freeze_intent(
                intent_reference=Intent.objects.get().reference, reason="look", actor="user:lena", now=clock.now()
            )

    bank.during_query = freeze
    for _ in range(2):
        held = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
        assert (held.status, held.json["code"]) == (409, "intent_frozen")
        assert (Intent.objects.get().state, money(payer)) == ("created", (_FUNDS, 0))
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=Intent.objects.get().reference, actor="user:lena", now=clock.now())
    assert shop.api.post("/v1/payouts", payout_body(payer), key="k-1").status == 202
    assert money(payer) == (_FUNDS, 10_000)


def test_requests_with_one_key_at_once_hold_once(
    shop: Shop, bank: ScriptedBank, payer: str, run_threads: Callable[..., Sequence[Any]]
) -> None:
    def pay() -> tuple[int, bytes]:
        answer = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
        return answer.status, answer.body

    results = run_threads(*[pay] * 6)
    assert {status for status, _ in results} <= {202, 409}
    assert len({body for status, body in results if status == 202}) == 1
    assert Intent.objects.count() == Payout.objects.count() == 1
    assert money(payer) == (_FUNDS, 10_000)


def test_an_intent_cancelled_meanwhile_is_told_as_it_is(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    bank.queries = [Unanswered(Cause.TIMEOUT)]
    shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    Intent.objects.update(expires_at=clock.now())
    drains.drain("payout_expiry")
    answer = shop.api.post("/v1/payouts", payout_body(payer), key="k-1")
    assert (answer.status, answer.json["status"], answer.json["status_reason"]) == (201, "CANCELLED", "not_confirmed")
    assert money(payer) == (_FUNDS, 0)


def test_two_calls_stop_at_validated_and_go_on_when_confirmed(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    first = shop.api.post("/v1/payouts", payout_body(payer, confirm=False))
    assert (first.status, first.json["status"], first.json["requiresMonitoring"]) == (201, "VALIDATED", False)
    assert (first.json["debit"], money(payer)) == ("100.00", (_FUNDS, 0))
    place = f"/v1/payouts/{first.json['intent_id']}"
    second = shop.api.post(f"{place}/confirm", key="c-1")
    assert (second.status, second.json["status"]) == (202, "AUTHORIZED")
    assert money(payer) == (_FUNDS, 10_000)
    assert shop.api.post(f"{place}/confirm", key="c-1").body == second.body
    third = shop.api.post(f"{place}/confirm", key="c-2")
    assert (third.status, third.json["code"]) == (409, "illegal_move")
    cancelled = shop.api.post(f"{place}/cancel")
    assert (cancelled.status, cancelled.json["code"]) == (409, "illegal_move"), "cancel before authorized only"
    assert Payout.objects.count() == 1


def test_a_validated_payout_is_cancelled_and_stays_so(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    reference = shop.api.post("/v1/payouts", payout_body(payer, confirm=False)).json["intent_id"]
    for _ in range(2):
        answer = shop.api.post(f"/v1/payouts/{reference}/cancel")
        assert (answer.status, answer.json["status"]) == (200, "CANCELLED")
    assert shop.api.post(f"/v1/payouts/{reference}/confirm").status == 409
    assert Payout.objects.count() == 0


def test_an_unconfirmed_payout_is_cancelled_after_fifteen_minutes(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    answer = shop.api.post("/v1/payouts", payout_body(payer, confirm=False))
    intent = Intent.objects.get()
    assert intent.expires_at is not None
    assert answer.json["expires_at"] is not None
    assert round((intent.expires_at - intent.created_at).total_seconds()) == 900
    assert drains.drain("payout_expiry") == 0
    Intent.objects.update(expires_at=clock.now())
    late = shop.api.post(f"/v1/payouts/{answer.json['intent_id']}/confirm")
    assert (late.status, late.json["code"]) == (409, "confirmation_expired")
    drains.drain("payout_expiry")
    assert Intent.objects.get().state == "cancelled"


@pytest.mark.parametrize("when", ["before it is due", "between the search and the lock"])
def test_a_frozen_payout_is_not_cancelled_by_the_schedule(
    when: str, shop: Shop, bank: ScriptedBank, payer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = shop.api.post("/v1/payouts", payout_body(payer, confirm=False)).json["intent_id"]
    Intent.objects.update(expires_at=clock.now())
    if when != "before it is due":
        found = Intent.objects.filter(reference=reference)
        monkeypatch.setattr(cancel_unconfirmed, "_due", lambda now: found)
    with db_transaction.atomic():
        freeze_intent(intent_reference=reference, reason="suspicion", actor="user:lena", now=clock.now())
    assert drains.drain("payout_expiry") == 0
    assert Intent.objects.get().state == "validated"
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=reference, actor="user:lena", now=clock.now())
    cancel_unconfirmed.cancel_unconfirmed()
    assert Intent.objects.get().state == "cancelled"


def test_fees_and_network_fee_come_on_top_or_out_of_it(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    """PRE on top of the debit, POST out of what the recipient gets, the network's fee the payer's, without VAT."""
    in_force(fee("withdrawal", flow="payout", asset=ASSET, phase="PRE", fixed_minor=1_000, vat_basis_points=700))
    in_force(fee("handling", flow="payout", asset=ASSET, phase="POST", basis_points=100))
    bank.queries = [Payable("lkp_1", "Somchai J.", 200)]
    shown = shop.api.post("/v1/payouts", payout_body(payer, amount="1000.00")).json
    assert (shown["debit"], shown["credit"], shown["total_fee"], shown["total_vat"]) == (
        "1012.70",
        "990.00",
        "20.00",
        "0.70",
    )
    assert money(payer) == (_FUNDS, 101_270)
    drains.drain("relay")
    drains.drain("sagas")
    assert money(payer) == (_FUNDS - 101_270, 0)
    assert int(RemoteOperation.objects.get().amount_minor) == 99_000
    found = balances.read(
        environment="test",
        accounts=[("bank:promptpay", ASSET), ("revenue:payout", ASSET), ("liabilities:vat", ASSET)],
    )
    assert {address: one.credits_posted for (address, _), one in found.items()} == {
        "bank:promptpay": 99_200,
        "revenue:payout": 2_000,
        "liabilities:vat": 70,
    }


def test_limits_are_taken_once_and_given_back_when_the_bank_declines(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    from tests.orders.wallet import declined

    in_force(limit("daily", asset=ASSET, cap_minor=15_000, flow="payout"))
    bank.script = [declined]
    assert shop.api.post("/v1/payouts", payout_body(payer)).status == 202
    over = shop.api.post("/v1/payouts", payout_body(payer))
    assert (over.status, over.json["code"]) == (422, "limit_exceeded")
    assert Intent.objects.order_by("pk").last().status_reason == "limit_exceeded"  # type: ignore[union-attr]
    drains.drain("relay")
    drains.drain("sagas")
    assert int(LimitUsage.objects.get().used_minor) == 0
    assert money(payer) == (_FUNDS, 0)
    assert shop.api.post("/v1/payouts", payout_body(payer)).status == 202


def test_a_payout_that_failed_and_gave_its_limits_back_is_not_cancelled(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    from tests.orders.wallet import declined

    in_force(limit("daily", asset=ASSET, cap_minor=15_000, flow="payout"))
    bank.script = [declined]
    validated = shop.api.post("/v1/payouts", payout_body(payer, confirm=False)).json["intent_id"]
    assert (Intent.objects.get().usages, LimitUsage.objects.filter(used_minor__gt=0).exists()) == ([], False)
    assert shop.api.post(f"/v1/payouts/{validated}/confirm").status == 202
    assert int(LimitUsage.objects.get().used_minor) == 10_000
    drains.drain("relay")
    drains.drain("sagas")
    assert Intent.objects.get().state == "failed"
    answer = shop.api.post(f"/v1/payouts/{validated}/cancel")
    assert (answer.status, answer.json["code"]) == (409, "illegal_move")
    assert int(LimitUsage.objects.get().used_minor) == 0


@pytest.mark.parametrize(
    ("changes", "status", "code", "reason"),
    [
        ({"amount": "10000.01"}, 422, "insufficient_funds", "insufficient_funds"),
        ({"recipient": {**MOBILE, "proxy_value": "0899999999"}}, 422, "recipient_not_payable", "recipient_not_payable"),
    ],
)
def test_a_refusal_after_the_anchor_fails_the_intent_and_holds_nothing(
    changes: dict[str, Any], status: int, code: str, reason: str, shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    if code == "recipient_not_payable":
        bank.queries = [NotPayable("recipient_not_found")]
    answer = shop.api.post("/v1/payouts", payout_body(payer, **changes), key="k-1")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert shop.api.post("/v1/payouts", payout_body(payer, **changes), key="k-1").body == answer.body, "kept"
    intent = Intent.objects.get()
    assert (intent.state, intent.status_reason) == ("failed", reason)
    assert money(payer) == (_FUNDS, 0)
    assert Payout.objects.count() == RemoteOperation.objects.count() == 0
    assert WalletEntry.objects.get().kind == "opening_balance"
    assert bank.calls == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount": "0.00"}, 400, "malformed"),
        ({"amount": "1.001"}, 400, "malformed"),
        ({"amount": "-1.00"}, 400, "malformed"),
        ({"amount": 100}, 400, "malformed"),
        ({"asset": "XXX"}, 422, "unknown_asset"),
        ({"asset": "EUR"}, 422, "asset_not_held"),
        ({"channel": "carrier_pigeon"}, 400, "malformed"),
        ({"recipient": {}}, 400, "malformed"),
        ({"recipient": {**MOBILE, "proxy_value": "12"}}, 400, "malformed"),
        ({"recipient": {**MOBILE, "proxy_value": "๐๘๑๒๓๔๕๖๗๘"}}, 400, "malformed"),
        ({"recipient": {**MOBILE, "proxy_type": "fax"}}, 400, "malformed"),
        ({"recipient": {**MOBILE, "more": "x"}}, 400, "malformed"),
        ({"recipient": "0812345678"}, 400, "malformed"),
        (
            {"channel": "bank_transfer", "recipient": {"bank_code": "K", "account_number": "1", "name": ""}},
            400,
            "malformed",
        ),
        ({"note": "x" * 141}, 400, "malformed"),
        ({"partner_reference": "a b"}, 400, "malformed"),
        ({"payer_wallet_id": "wal_01kad00f8xm3v6y2q4t5n7w9bz"}, 404, "not_found"),
    ],
)
def test_what_is_malformed_leaves_nothing(
    changes: dict[str, Any], status: int, code: str, shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    answer = shop.api.post("/v1/payouts", payout_body(payer, **changes))
    assert (answer.status, answer.json["code"]) == (status, code)
    assert Intent.objects.count() == len(bank.asked) == 0
    assert money(payer) == (_FUNDS, 0)


def test_a_partner_reference_names_one_payout(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    first = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1")).json
    answer = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    assert (answer.status, answer.json["code"]) == (409, "duplicate_partner_reference")
    assert answer.json["intent_id"] == first["intent_id"]
    assert Payout.objects.count() == 1


def test_a_payout_refused_before_it_held_anything_leaves_its_partner_reference_free(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    """As an instant transfer's refusal does. Its key stays spent: a replay gets the refusal again."""
    asked = payout_body(payer, partner_reference="w-1", amount="999999.00")
    for key in ("k-1", "k-2", "k-1"):
        refused = shop.api.post("/v1/payouts", asked, key=key)
        assert (refused.status, refused.json["code"]) == (422, "insufficient_funds")
    assert list(Intent.objects.values_list("state", flat=True)) == ["failed", "failed"]
    paid = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    assert paid.status == 202
    taken = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    assert (taken.json["code"], taken.json["intent_id"]) == ("duplicate_partner_reference", paid.json["intent_id"])
    assert Payout.objects.count() == 1
    assert len(shop.api.get("/v1/payouts?partner_reference=w-1").json["data"]) == 3


def test_a_payout_that_was_held_keeps_its_partner_reference_when_the_bank_declines(
    shop: Shop, bank: ScriptedBank, payer: str
) -> None:
    from tests.orders.wallet import declined

    bank.script = [declined]
    first = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    drains.drain("relay")
    drains.drain("sagas")
    assert Intent.objects.get().state == "failed"
    again = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    assert (again.json["code"], again.json["intent_id"]) == ("duplicate_partner_reference", first.json["intent_id"])


def test_a_frozen_wallet_pays_nothing_out(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    with db_transaction.atomic():
        holders.freeze_wallet(reference=payer, reason="suspicion", actor="user:lena", now=clock.now())
    answer = shop.api.post("/v1/payouts", payout_body(payer))
    assert (answer.status, answer.json["code"]) == (409, "wallet_frozen")
    assert (Payout.objects.count(), money(payer)) == (0, (_FUNDS, 0))


def test_capabilities_name_the_assets_that_can_be_paid_out(shop: Shop, bank: ScriptedBank) -> None:
    told = shop.api.get("/v1/capabilities").json["assets"]
    assert {"code": ASSET, "scale": 2} in told
    Gateway.objects.filter(operator__kind="house", wallet_asset=ASSET).update(environment="live")
    assert ASSET not in [asset["code"] for asset in shop.api.get("/v1/capabilities").json["assets"]]
