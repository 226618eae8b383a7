"""Crash at every commit of a market's end, void, and of the giving back to those whose buys were under way; all go on."""

from contextlib import suppress

import pytest
from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls.moves import IllegalMove
from ledger.drafts import Draft
from ledger.money import Money
from orders.operations import resolve_market
from orders.operations.fund_maker import fund_maker
from orders.sagas import buy
from tests.flush import Flush
from tests.orders import books
from tests.orders.bets import Bets, open_bets
from tests.orders.deaths import Story, drive, survives
from tests.orders.desk import Desk, reloaded

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
