"""What stands in a world of payments: funded wallets, fees and limits in force, the house's channels, a payment provider."""

from typing import TYPE_CHECKING, Final

from django.db import transaction as db_transaction

from ledger.accounts import OUTSIDE, WORLD, Opening, open_accounts
from ledger.drafts import Draft
from ledger.money import Money
from tests.simulation.bank_service import ASSET
from tests.wallets.people import decided_by_two
from wallets import holders, inbox_provider, operators, rules
from wallets.models import FeeRule, Gateway, Operator
from wallets.rule_terms import FeeTerms, LimitTerms
from webhooks import providers

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

BANK_URL: Final = "http://bank.invalid"
_WALLETS: Final = (("shop", "merchant"), ("stall", "merchant"), ("alice", "user"), ("bob", "user"))
_FUNDS: Final = 200_000
_ZONE: Final = "Pacific/Marquesas"
"""The operator's day ends half an hour after the clock's start: limits are used on one day, and given back on the next."""
RULES: Final[dict[str, FeeTerms | LimitTerms]] = {
    "transfer_fee": FeeTerms(
        name="transfer_fee", flow="transfer", asset=ASSET, phase=FeeRule.Phase.PRE.value, fixed_minor=500
    ),
    "payout_fee": FeeTerms(
        name="payout_fee",
        flow="payout",
        asset=ASSET,
        phase=FeeRule.Phase.POST.value,
        fixed_minor=1_000,
        vat_basis_points=700,
    ),
    "payin_fee": FeeTerms(
        name="payin_fee", flow="payin", asset=ASSET, basis_points=250, minimum_minor=300, vat_basis_points=700
    ),
    "wallet_day": LimitTerms(name="wallet_day", asset=ASSET, scope="wallet", period="day", cap_minor=400_000),
    "operator_day": LimitTerms(name="operator_day", asset=ASSET, scope="operator", period="day", cap_minor=900_000),
    "one_payment": LimitTerms(name="one_payment", asset=ASSET, scope="wallet", period="transaction", cap_minor=130_000),
}


def set_up(scene: "Scene", operator: Operator) -> None:
    now = scene.world.clock.now
    Operator.objects.filter(pk=operator.pk).update(zone=_ZONE)
    house = operators.create_operator(name="The house", slug="house", kind="house", now=now())
    for channel in ("promptpay", "bank_transfer"):
        gateway = Gateway.objects.create(
            operator=house,
            environment="test",
            channel=channel,
            adapter=f"http_{channel}",
            base_url=BANK_URL,
            secret="whsec_YSBiYW5rJ3Mgc2VjcmV0IG9mIHNvbWUgbGVuZ3Ro",
            wallet_asset=ASSET,
            time_limit_ms=2_000,
            requery_backoff_ms=500,
            pending_backoff_ms=5_000,
            pending_horizon_ms=60_000,
            breaker_failures=6,
            breaker_open_ms=5_000,
        )
        made = inbox_provider.ensure(gateway, now=now())
        assert made is not None
        scene.bank_news.secrets[made.provider.code] = made.secret
    terms = providers.Terms(
        scheme=providers.Scheme.STANDARD,
        kinds=["payin.*"],
        kind="type",
        subjects=("data.wallet_id",),
        transaction="data.transaction_id",
    )
    psp = providers.create(code="psp", environment="test", operator_id=None, terms=terms, now=now())
    scene.bank_news.secrets["psp"] = psp.secret
    for code, one in RULES.items():
        rule = rules.draft(environment="test", code=code, terms=one, note="agreed", actor="user:ann", now=now())
        rules.propose(reference=rule.reference, note="agreed", actor="user:ann", now=now())
        rules.approve(reference=rule.reference, reason="checked", actor="user:ben", now=now())
    for name, kind in _WALLETS:
        _open_wallet(scene, operator, name, kind)


def _open_wallet(scene: "Scene", operator: Operator, name: str, kind: str) -> None:
    with db_transaction.atomic():
        wallet = holders.open_wallet(
            operator_id=operator.pk,
            environment="test",
            kind=kind,
            user_reference=name,
            assets=[ASSET],
            now=scene.world.clock.now(),
        )
    open_accounts(environment="test", openings=[Opening(WORLD, ASSET, OUTSIDE)])
    opening = Draft(
        event_type="OPENING_BALANCE",
        key=f"fund:{wallet.reference}",
        subject=wallet.reference,
        amounts={"amount": Money(_FUNDS, ASSET)},
        accounts={"world": WORLD, "account": holders.available_address(wallet)},
    )
    decided_by_two(opening)
    scene.wallets.append(wallet.reference)
