"""Each magic word of a credit carried through a whole sell: how docs/sandbox.md says that it ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.orders.conftest import desk, fixed_clock, wallet
from tests.orders.desk import Desk, reloaded
from tests.sandbox_in_process import SandboxTransport, point_wallets_at_it
from wallets.sandbox.faults import COURSES
from webhooks import outbound

__all__ = ["desk", "fixed_clock", "wallet"]

pytestmark = pytest.mark.usefixtures("database")


@dataclass(frozen=True)
class End:
    """Where the sell is after twenty seconds, and whether the operator really paid out."""

    word: str
    state: str
    reason: str = ""
    paid: bool = True


ENDS = [
    End("", "processed"),
    *(
        End(word, "processed")
        for word in (
            *("timeout-after", "error-after", "reset", "garbled", "other-amount", "other-key", "slow", "pending"),
            *("pending-twice", "pending-reordered", "event-early"),
        )
    ),
    *(
        End(word, "manual_review", "credit_rejected", paid=False)
        for word in ("declined", "insufficient", "too-late", "pending-declined")
    ),
    *(
        End(word, "manual_review", "credit_unknown", paid=False)
        for word in ("timeout-before", "error-before", "reset-before", "throttled", "lost")
    ),
    End("pending-long", "operator_credit_pending"),
    *(End(word, "manual_review", "credit_unknown") for word in ("other-amount-always", "not-found-for-a-while")),
]


@pytest.fixture
def outside(desk: Desk) -> Iterator[SandboxTransport]:
    """Every outbound call goes to a sandbox in the test's own time; the gateway is as the local stack sets it."""
    point_wallets_at_it()
    transport = SandboxTransport(desk.clock)
    with outbound.use(transport):
        yield transport


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.word or "none")
def test_a_sell_ends_as_its_magic_word_says(end: End, desk: Desk, outside: SandboxTransport) -> None:
    user = f"magic-credit-{end.word}.alice" if end.word else "alice"
    desk.holding(user=user)
    order = desk.sell(user=user)
    desk.drive(passes=40, pause=timedelta(milliseconds=500))
    order = reloaded(order)
    assert (order.state, order.status_reason) == (end.state, end.reason)
    moved = [operation for operation, _ in outside.applied(order.reference)]
    assert moved == (["credit"] if end.paid else [])
    asks = [row["key"] for row in outside.rows("requests", order.reference) if row["method"] == "POST"]
    assert asks == [f"{order.reference}:credit:v1"], "asked once, under one key"


def test_every_word_of_the_credit_has_its_end() -> None:
    assert set(COURSES) == {end.word for end in ENDS if end.word}
