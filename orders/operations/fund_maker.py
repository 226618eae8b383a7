"""Fill a market's maker's funds, from outside: what a voided market may lack comes out of them."""

from ledger import accounts, journal
from ledger.controls.refusals import Malformed
from ledger.drafts import Draft
from ledger.money import Money
from orders.locks import lock_market
from orders.models import Market


def fund_maker(*, environment: str, code: str, amount: Money, key: str, actor: str) -> Market:
    """Post in the caller's transaction; `key` names this funding, and the same one again posts nothing more."""
    market = lock_market(environment=environment, code=code)
    if amount.asset != market.cash_asset or amount.minor <= 0:
        raise Malformed(f"The maker is funded with more than zero {market.cash_asset}.")
    draft = Draft(
        event_type="POOL_FUNDING",
        key=f"{market.reference}:funding:maker:{key}",
        subject=market.reference,
        refs={"market": market.reference},
        metadata={"by": actor},
        amounts={"amount": amount},
        accounts={"world": accounts.WORLD, "pool": accounts.maker(code)},
    )
    journal.post_all(environment=environment, drafts=[draft])
    return market
