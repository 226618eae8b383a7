"""A close over trades at an outside venue: a sound day has no break, and what the venue contradicts is found."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from orders.models import Freeze, Trade
from reconciliation import trace
from reconciliation.models import ExceptionCase
from tests.orders.desk import reloaded
from tests.orders.lanes import open_lanes, trades_of
from tests.orders.test_outside_venue import refusing
from tests.orders.test_returns import decide
from tests.orders.test_trade_reviews import executed_late
from tests.orders.wallet import Step, declined
from tests.reconciliation.day import Day

pytestmark = pytest.mark.usefixtures("database")


def _lived(day: Day) -> list[Trade]:
    """A day of every end: settled, tried once more, failed after the debit, released before it, sold."""
    lanes, desk = open_lanes(day.desk), day.desk
    trades: list[Trade] = []
    courses: list[tuple[Mapping[str, Sequence[Step | None]], bool, str]] = [
        ({}, True, "buy"),
        ({"execute": [refusing("released"), None]}, True, "buy"),
        ({"execute": [declined]}, False, "buy"),
        ({"debit": [declined]}, True, "buy"),
        ({}, False, "sell"),
    ]
    for legs, reserves, side in courses:
        desk.wallet.legs = {leg: list(steps) for leg, steps in legs.items()}
        if side == "sell":
            lanes.holding(reserves=reserves)
        order = lanes.order(reserves=reserves, side=side, amount="100.00" if side == "buy" else "50.000000")
        desk.drive(passes=2, pause=timedelta(seconds=1))
        assert reloaded(order).terminal
        trades += trades_of(order)
    return trades


def test_close_finds_no_break_in_a_sound_day_at_a_venue(day: Day) -> None:
    states = [trade.state for trade in _lived(day)]
    assert states == ["settled", "released", "settled", "failed", "released", "settled"]
    assert {name: count for name, count in day.close().breaks.items() if count} == {}
    assert not ExceptionCase.objects.exists()


@pytest.mark.parametrize(
    ("place", "said", "reason"),
    [
        (0, "rejected", "the trade is settled, its venue says that it was not"),
        (3, "confirmed", "the trade is failed, its venue says that it was executed"),
    ],
)
def test_close_finds_a_terminal_state_conflict_with_a_venue_and_freezes(
    place: int, said: str, reason: str, day: Day
) -> None:
    trade = _lived(day)[place]
    day.plant(
        "UPDATE wallets_remoteoperation SET state = %s WHERE owner = %s AND leg = 'execute'", said, trade.reference
    )
    breaks = {name: count for name, count in day.close().breaks.items() if count}
    assert breaks.pop("terminal_state_conflict") == 1
    assert set(breaks) <= {"remote_operation_disagrees"}
    found = ExceptionCase.objects.get(type="terminal_state_conflict")
    assert (found.subject, found.detail["reason"]) == (trade.reference, reason)


def test_a_late_execution_is_a_late_effect_alone_and_its_return_can_be_worked(day: Day) -> None:
    order, found = executed_late(day.desk, open_lanes(day.desk))
    breaks = {name for name, count in day.close().breaks.items() if count}
    assert "terminal_state_conflict" not in breaks
    assert not Freeze.objects.exists()
    assert trace.trace_of(order, inside=False)["returns"] == [], "a venue's matter is the house's"
    assert [one["return_id"] for one in trace.trace_of(order, inside=True)["returns"]] == [found.reference]
    assert decide(found.reference, "adjust")
    assert decide(found.reference, "keep", second="user:lena")


@pytest.mark.parametrize("event_type", ["LATE_EFFECT", "RETURN_KEPT"])
@pytest.mark.parametrize("asset", ["EUR", "USDT"])
def test_postings_of_a_late_execution_are_compared_with_its_terms(event_type: str, asset: str, day: Day) -> None:
    _, found = executed_late(day.desk, open_lanes(day.desk))
    assert decide(found.reference, "adjust")
    assert day.close().breaks["ledger_mismatch"] == 0
    assert decide(found.reference, "keep", second="user:lena")
    assert day.close().breaks["ledger_mismatch"] == 0
    day.plant(
        "UPDATE ledger_posting p SET amount_minor = p.amount_minor + 1 FROM ledger_transaction x"
        " WHERE x.id = p.transaction_id AND x.subject = %s AND x.event_type = %s AND p.asset = %s",
        *(found.reference, event_type, asset),
    )
    day.refold()
    assert day.close().breaks["ledger_mismatch"] == 1
    case = ExceptionCase.objects.get(type="ledger_mismatch")
    assert (case.subject, case.order_reference) == (found.reference, found.order_reference)
    assert case.detail["reason"] == "the return's postings differ from its terms"
    assert len(case.detail["due"]) == 4
    (differs,) = set(case.detail["due"]) - set(case.detail["booked"])
    assert differs.startswith(f"{event_type} {asset} ")


def test_a_late_execution_that_was_adjusted_without_a_posting_is_found(day: Day) -> None:
    _, found = executed_late(day.desk, open_lanes(day.desk))
    assert decide(found.reference, "adjust")
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x WHERE x.id = p.transaction_id AND x.subject = %s",
        found.reference,
    )
    day.refold()
    assert day.close().breaks["ledger_mismatch"] == 1
    assert ExceptionCase.objects.get(type="ledger_mismatch").detail["booked"] is None
