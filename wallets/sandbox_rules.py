"""The sandbox's fees and limits of payments in THB, so that its payments are priced. Idempotent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ledger.environments import Environment
from wallets import rules
from wallets.rule_models import FeeRule
from wallets.rule_terms import FeeTerms, LimitTerms

_ASSET: Final = "THB"
_VAT: Final = 700
_RULES: Final[Mapping[str, FeeTerms | LimitTerms]] = {
    "transfer_fee-thb": FeeTerms(
        name="transfer_fee", flow="transfer", asset=_ASSET, phase=FeeRule.Phase.PRE.value, fixed_minor=500
    ),
    "payout_fee-thb": FeeTerms(
        name="payout_fee",
        flow="payout",
        asset=_ASSET,
        phase=FeeRule.Phase.PRE.value,
        fixed_minor=1_000,
        vat_basis_points=_VAT,
    ),
    "payin_fee-thb": FeeTerms(
        name="payin_fee", flow="payin", asset=_ASSET, basis_points=250, minimum_minor=300, vat_basis_points=_VAT
    ),
    "wallet_day-thb": LimitTerms(name="wallet_day", asset=_ASSET, scope="wallet", period="day", cap_minor=20_000_000),
}
"""Of minor units: ฿5 on top of a transfer, ฿10 and VAT on top of a payout, 2.5 % of a pay-in, ฿200,000 a wallet and day."""


def load(*, now: datetime) -> None:
    """Put each rule in force unless some version of it exists."""
    for code, terms in _RULES.items():
        rules.install(environment=Environment.TEST, code=code, terms=terms, now=now)
