"""The status poller dies at any point of having a stale authorized intent driven again: the next one does it, and once.

OneWallet: Status Poller detects stale AUTHORIZED intent → inserts outbox_event → OutboxWorker resumes. The work row is ours.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from ledger.controls import drains
from ledger.controls.clock import FixedClock
from ledger.models import Event, QueuedEvent
from orders.models import Intent, Payout, SagaRun, StaleFinding
from orders.models.payouts import SAGA_REQUESTED
from tests.flush import Flush
from tests.orders import books
from tests.orders.payouts import PayoutDesk
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.wallet import lost_after

pytestmark = pytest.mark.usefixtures("database")

_SETTLED = Counter({"PAYOUT_RESERVE": 1, "PAYOUT_SETTLE": 1})


def _its_row_is_lost(desk: PayoutDesk) -> None:
    """The saga was requested, and its work row is gone before anything was asked."""
    desk.pay()
    drains.drain("relay")
    SagaRun.objects.all().delete()


def _its_event_is_lost(desk: PayoutDesk) -> None:
    """The event that requests the saga was never passed on: nobody has ever driven it."""
    desk.pay()
    QueuedEvent.objects.all().delete()
    assert not SagaRun.objects.exists()


def _lost_after_its_submission(desk: PayoutDesk) -> None:
    """The bank has paid, the answer was not heard, and then the work row is gone."""
    desk.bank.script = [lost_after, None]
    desk.pay()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    SagaRun.objects.all().delete()


STORIES: dict[str, tuple[Callable[[PayoutDesk], None], list[str]]] = {
    "its work row is lost": (_its_row_is_lost, ["ask"]),
    "its event is lost": (_its_event_is_lost, ["ask"]),
    "lost after its submission": (_lost_after_its_submission, ["ask", "lookup"]),
}

Ends = tuple[object, ...]


def _lived(desk: PayoutDesk, killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Poll until killed; then the next poller comes by, and the workers."""
    try:
        with killing(killer, desk.bank, monkeypatch):
            drains.drain("stale")
    except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
        assert killer.dead
        connection.close()
        desk.later(seconds=30)
        drains.drain("stale")
    work = sorted(SagaRun.objects.values_list("subject", flat=True))
    assert work == [Payout.objects.get().reference], "one work row, and due"
    desk.drive(passes=3)
    intent, payout = Intent.objects.get(), Payout.objects.get()
    return (
        (intent.state, payout.state, desk.money()),
        Counter(line[0] for line in books.lines() if line[0] != "OPENING_BALANCE"),
        books.path(payout.reference),
        books.topics(intent.reference),
        [(one.kind, one.times) for one in StaleFinding.objects.filter(subject=payout.reference)],
        SagaRun.objects.count(),
        Event.objects.filter(topic=SAGA_REQUESTED).count(),
    )


@pytest.mark.parametrize("name", STORIES)
def test_a_stale_authorized_intent_settles_once_when_the_poller_dies_at_any_point(
    name: str, payouts: PayoutDesk, flush: Flush, fixed_clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stale, calls = STORIES[name]
    make_stale(payouts)
    payouts.later(seconds=60)
    kept, instant = flush.keep(), fixed_clock.now()
    bank = payouts.bank
    before = (list(bank.script), dict(bank.applied), list(bank.calls))

    def again(killer: Killer) -> Ends:
        flush.bring_back(kept)
        fixed_clock._instant = instant
        bank.script, bank.applied, bank.calls = list(before[0]), dict(before[1]), list(before[2])
        ended = _lived(payouts, killer, monkeypatch)
        assert [kind for kind, _ in bank.calls] == calls, killer.at
        return ended

    scout = Killer(at=None)
    undisturbed = again(scout)
    assert undisturbed[1] == _SETTLED
    assert undisturbed[4] == [("payout", 1)]
    assert "before commit" in scout.points
    for at, point in enumerate(scout.points):
        killer = Killer(at=at)
        ended = again(killer)
        assert killer.dead, (at, point)
        assert ended == undisturbed, (at, point)
