"""Each magic word carried through a whole buy order: how docs/sandbox.md says that it ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.orders.conftest import desk, fixed_clock, wallet
from tests.orders.desk import Desk, reloaded
from tests.sandbox_in_process import SandboxTransport, point_wallets_at_it
from wallets.models import Gateway
from wallets.sandbox.faults import COURSES
from webhooks import outbound

__all__ = ["desk", "fixed_clock", "wallet"]

pytestmark = pytest.mark.usefixtures("database")

DEBIT = [("debit", "100.00")]
BOTH = [("debit", "100.00"), ("reverse", "100.00")]


@dataclass(frozen=True)
class End:
    """Where the order is after twenty seconds, and what really moved at the operator."""

    user: str
    state: str
    moved: list[tuple[str, str]] = field(default_factory=list)


ENDS = [
    End("alice", "processed", DEBIT),
    End("magic-declined.alice", "failed"),
    End("magic-insufficient.alice", "failed"),
    End("magic-too-late.alice", "failed"),
    End("magic-slow.alice", "processed", DEBIT),
    End("magic-timeout-after.alice", "processed", DEBIT),
    End("magic-error-after.alice", "processed", DEBIT),
    End("magic-reset.alice", "processed", DEBIT),
    End("magic-garbled.alice", "processed", DEBIT),
    End("magic-other-amount.alice", "processed", DEBIT),
    End("magic-other-key.alice", "processed", DEBIT),
    End("magic-pending.alice", "processed", DEBIT),
    End("magic-pending-declined.alice", "failed"),
    End("magic-pending-twice.alice", "processed", DEBIT),
    End("magic-pending-reordered.alice", "processed", DEBIT),
    End("magic-event-early.alice", "processed", DEBIT),
    End("magic-pending-long.alice", "operator_debit_pending", DEBIT),
    End("magic-other-amount-always.alice", "manual_review", DEBIT),
    End("magic-not-found-for-a-while.alice", "manual_review", DEBIT),
    End("magic-timeout-before.alice", "manual_review"),
    End("magic-error-before.alice", "manual_review"),
    End("magic-reset-before.alice", "manual_review"),
    End("magic-throttled.alice", "manual_review"),
    End("magic-lost.alice", "manual_review"),
    End("magic-halt.alice", "compensated", BOTH),
    End("magic-reverse-declined.alice", "manual_review", DEBIT),
    End("magic-reverse-timeout-after.alice", "compensated", BOTH),
    End("magic-reverse-error-after.alice", "compensated", BOTH),
    End("magic-reverse-garbled.alice", "compensated", BOTH),
    End("magic-reverse-pending.alice", "compensated", BOTH),
    End("magic-reverse-pending-long.alice", "compensation_pending", BOTH),
    End("magic-reverse-timeout-before.alice", "manual_review", DEBIT),
    End("magic-reverse-error-before.alice", "manual_review", DEBIT),
    End("magic-reverse-reset-before.alice", "manual_review", DEBIT),
    End("magic-reverse-lost.alice", "manual_review", DEBIT),
]


@pytest.fixture
def outside(desk: Desk) -> Iterator[SandboxTransport]:
    """Every outbound call goes to a sandbox in the test's own time; the gateway is as the local stack sets it."""
    point_wallets_at_it()
    transport = SandboxTransport(desk.clock)
    with outbound.use(transport):
        yield transport


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.user)
def test_an_order_ends_as_its_magic_word_says(end: End, desk: Desk, outside: SandboxTransport) -> None:
    order = desk.order(user=end.user)
    desk.drive(passes=40, pause=timedelta(milliseconds=500))
    assert reloaded(order).state == end.state
    assert outside.applied() == end.moved
    asks = [row["key"] for row in outside.rows("requests") if row["method"] == "POST"]
    assert len(asks) == len(set(asks)), "a key was asked twice"


@pytest.mark.parametrize("word", ["pending-long", "reverse-pending-long"])
def test_what_is_pending_for_long_goes_to_people_past_the_pending_horizon(
    word: str, desk: Desk, outside: SandboxTransport
) -> None:
    Gateway.objects.update(pending_horizon_ms=60_000)
    order = desk.order(user=f"magic-{word}.alice")
    desk.drive(passes=20, pause=timedelta(seconds=2))
    assert reloaded(order).state in ("operator_debit_pending", "compensation_pending"), "before the horizon it waits"
    desk.drive(passes=20, pause=timedelta(seconds=5))
    leg = "reverse" if word.startswith("reverse") else "debit"
    assert (reloaded(order).state, reloaded(order).status_reason) == ("manual_review", f"{leg}_unknown")
    asks = [row["key"] for row in outside.rows("requests") if row["method"] == "POST"]
    assert len(asks) == len(set(asks)), "a key was asked twice"


def test_every_word_of_the_debit_has_its_end() -> None:
    words = {end.user.removeprefix("magic-").partition(".")[0] for end in ENDS}
    assert set(COURSES) <= words
