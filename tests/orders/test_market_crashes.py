"""Crash at every commit of a market's end, void, and of the giving back to those whose buys were under way; all go on.

And of a redemption: at what was paid in a void market, or with a credit that is declined, absent, or unknown at the cap.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls.moves import IllegalMove
from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Quote
from orders.operations import resolve_market
from orders.operations.fund_maker import fund_maker
from orders.operations.submit_order import DuplicatePartnerOrder
from orders.sagas import buy
from tests.flush import Flush
from tests.orders import books
from tests.orders.bets import Bets, open_bets
from tests.orders.deaths import Story, drive, survives
from tests.orders.desk import Desk, reloaded
from tests.orders.test_crashes import ONE_LOOKUP
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error

pytestmark = pytest.mark.usefixtures("database")

_MISSING = 2_000


def _under_way(desk: Desk) -> Bets:
    """One position held, one buy debited and not traded yet; the pool lacks something that the maker has."""
    bets = open_bets(desk)
    held = bets.done("YES", "100.00")
    debited = bets.order("NO", "10.00", user="bob")
    for _ in range(3):
        buy.advance(reloaded(debited))
    assert (held.state, reloaded(debited).state) == ("processed", "operator_debited")
    with db_transaction.atomic():
        fund_maker(environment="test", code=bets.code, amount=Money(_MISSING, "EUR"), key="one", actor="user:lead")
    journal.post_all(environment="test", drafts=[_taken_out(bets)])
    return bets


def _taken_out(bets: Bets) -> Draft:
    """Leave the pool with so much less than was paid for the position."""
    paid = bets.cash() - 100_000
    return Draft(
        event_type="MANUAL_ADJUSTMENT",
        key="adjustment:taken",
        subject="",
        amounts={"amount": Money(bets.cash() - paid + _MISSING, "EUR")},
        accounts={"debit": f"pools:{bets.code}", "credit": "@world"},
    )


def _voided(desk: Desk, bets: Bets) -> None:
    """Each does what they did; what stands already refuses to be done again. Then the sagas go on."""
    with suppress(IllegalMove):
        bets.close()
    with suppress(resolve_market.NotClosed, resolve_market.ProposalWaits):
        bets.propose("void")
    with suppress(resolve_market.NothingProposed):
        bets.approve()
    drive(desk)


def test_market_is_voided_once_when_the_process_dies_at_any_point(
    desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(_under_way, _voided, unsent="reverse_unknown", confirms="ORDER_COMPENSATION")
    stands = survives(story, desk, flush, monkeypatch)
    assert [order[1] for order in stands.states[0]] == ["processed", "compensated"]
    assert sum(line[-1] for line in stands.lines if line[0] == "MARKET_VOID") == _MISSING
    assert books.path(Bets(desk).market.reference) == ["open", "closed", "voided"]


@dataclass(frozen=True)
class Redemption:
    outcome: str
    credit: Sequence[Step | None]
    first: tuple[str, int]
    ends_in: tuple[str, str]
    operation: str
    """What is known of the credit in the end."""

    def ready(self, desk: Desk) -> Quote:
        bets = open_bets(desk)
        bets.done("YES", "80.00")
        bets.end(self.outcome)
        desk.wallet.legs = {"credit": list(self.credit)}
        return bets.quote("YES", "50.00", side="redemption")

    def act(self, desk: Desk, quote: Quote) -> None:
        with suppress(DuplicatePartnerOrder):
            desk.submit(quote, partner_order_id="shop-1")
        drive(desk)


REDEMPTIONS = {
    "at what was paid": Redemption("void", [None], ("before commit", 1), ("processed", ""), "confirmed"),
    "declined": Redemption("0.75", [declined], ("after ask", 1), ("manual_review", "credit_rejected"), "rejected"),
    "unknown at the cap": Redemption(
        *("0.75", [lost_after, server_error], ("after ask", 1), ("manual_review", "credit_unknown"), "unknown")
    ),
    "absent": Redemption(
        *("0.75", [lost_before, None], ("after lookup", 1), ("manual_review", "credit_unknown"), "absent")
    ),
}


@pytest.mark.parametrize("name", REDEMPTIONS)
def test_redemption_is_paid_once_or_reviewed_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = REDEMPTIONS[name]
    story = Story(
        told.ready, told.act, ONE_LOOKUP, told.first, unsent="credit_unknown", confirms="ORDER_CREDIT_CONFIRMED"
    )
    stands = survives(story, desk, flush, monkeypatch)
    assert stands.states[0][-1][:3] == ("redemption", *told.ends_in)
    assert ("credit:v1", told.operation) in stands.states[5]
    assert stands.waits == ([told.ends_in[1]] if told.ends_in[1] else [])
