"""`?dry_run=true` on a payout: priced terms, limits, lines and balance, as the real one has them, and nothing of it kept."""

import pytest

from ledger.controls import drains
from orders.models import Intent
from orders.payout_shapes import TriedPayout
from tests.orders.bank import ScriptedBank
from tests.orders.payouts import ASSET
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint
from tests.rest.test_payouts import bank, payer
from tests.rest.world import payout_body
from tests.wallets.rules import fee, in_force, limit
from wallets.gateway_port import NotPayable, Payable, Unanswered
from wallets.models import ApiRequest, LimitUsage
from wallets.outcomes import Cause

__all__ = ["bank", "payer"]

pytestmark = pytest.mark.usefixtures("database")

DRY = "/v1/payouts?dry_run=true"


def _rules() -> None:
    in_force(fee(flow="payout", asset=ASSET, phase="PRE", fixed_minor=500, vat_basis_points=700))
    in_force(limit("daily", asset=ASSET, cap_minor=30_000))
    in_force(limit("single", asset=ASSET, period="transaction", cap_minor=20_000))


def test_a_dry_run_says_what_the_payout_would_do_and_leaves_nothing(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    _rules()
    bank.queries = [Payable("lkp_7", "Somchai J.", 200)]
    before = fingerprint()
    tried = shop.api.post(DRY, payout_body(payer, partner_reference="w-1"), key=None)
    assert (tried.status, tried.json["dry_run"], tried.json["status"]) == (200, True, "AUTHORIZED")
    assert fingerprint() == before
    assert (bank.calls, len(bank.asked)) == ([], 1), "the question was asked, the payment was not"
    assert "Location" not in tried.headers
    drains.drain("relay")
    drains.drain("sagas")
    assert (bank.calls, fingerprint()) == ([], before)

    assert tried.json["postings"] == [
        {"to": "recipient_bank", "amount": "100.00", "asset": ASSET},
        {"to": "recipient_bank", "amount": "2.00", "asset": ASSET},
        {"to": "fees", "amount": "5.00", "asset": ASSET},
        {"to": "vat", "amount": "0.35", "asset": ASSET},
    ]
    assert [(one["name"], one["amount"], one["used"]) for one in tried.json["limits"]] == [
        ("daily", "100.00", "100.00"),
        ("single", "100.00", "0.00"),
    ]
    assert tried.json["balance"] == {"asset": ASSET, "posted": "10000.00", "held": "107.35", "available": "9892.65"}
    assert set(tried.json) == set(TriedPayout().fields)
    assert b"bank:" not in tried.body
    assert b"merchants:" not in tried.body

    real = shop.api.post("/v1/payouts", payout_body(payer, partner_reference="w-1"))
    terms = ("amount", "debit", "credit", "total_fee", "total_vat", "network_fee", "fees", "receiverName", "lookupRef")
    assert real.status == 202
    assert {name: real.json[name] for name in terms} == {name: tried.json[name] for name in terms}
    assert int(LimitUsage.objects.get().used_minor) == 10_000
    balances = shop.api.get(f"/v1/wallets/{payer}/balances").json["data"][0]
    assert {name: balances[name] for name in tried.json["balance"]} == tried.json["balance"]


def test_one_that_would_stop_at_validated_holds_nothing(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    _rules()
    before = fingerprint()
    tried = shop.api.post(DRY, payout_body(payer, confirm=False), key="kept-for-later").json
    assert (tried["status"], tried["debit"], tried["limits"], tried["balance"]["held"]) == (
        "VALIDATED",
        "105.35",
        [],
        "0.00",
    )
    assert fingerprint() == before
    assert shop.api.post("/v1/payouts", payout_body(payer), key="kept-for-later").status == 202, "the key was not used"


@pytest.mark.parametrize(
    ("case", "changed", "told", "status", "code"),
    [
        ("no such wallet", {"payer_wallet_id": "wal_0"}, None, 404, "not_found"),
        ("too little money", {"amount": "9999.99"}, Payable("lkp", "S", 200), 422, "insufficient_funds"),
        ("beyond a limit", {"amount": "200.01"}, None, 422, "limit_exceeded"),
        ("nobody of that number", {}, NotPayable("recipient_not_found"), 422, "recipient_not_payable"),
        ("the channel is silent", {}, Unanswered(Cause.TIMEOUT), 503, "channel_unavailable"),
        ("malformed", {"amount": "1e3"}, None, 400, "malformed"),
    ],
)
def test_a_dry_run_is_refused_as_the_payout_would_be(
    case: str,
    changed: dict[str, object],
    told: Payable | NotPayable | Unanswered | None,
    status: int,
    code: str,
    shop: Shop,
    bank: ScriptedBank,
    payer: str,
) -> None:
    if code == "limit_exceeded":
        _rules()
    if told is not None:
        bank.queries = [told]
    before = fingerprint()
    tried = shop.api.post(DRY, payout_body(payer, **changed), key=None)
    assert (tried.status, tried.code) == (status, code), case
    assert fingerprint() == before
    assert not Intent.objects.exists()
    real = shop.api.post("/v1/payouts", payout_body(payer, **changed))
    assert (real.status, real.code) == (status, code), case


def test_without_a_dry_run_the_key_is_needed_still(shop: Shop, bank: ScriptedBank, payer: str) -> None:
    answer = shop.api.post("/v1/payouts", payout_body(payer), key=None)
    assert (answer.status, bank.asked, Intent.objects.count()) == (400, [], 0)
    assert ApiRequest.objects.filter(route="/v1/payouts", status=400).exists()
