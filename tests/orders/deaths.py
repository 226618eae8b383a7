"""One death at each point of a story; then the same people, workers and senders do it again, and it ends as without it."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

import pytest
from django.db import DatabaseError, connection

from ledger.controls import clock
from ledger.controls.moves import StaleVersion
from ledger.models import Approval, Event, Move
from orders.models import Freeze, Order, Return, ReviewCase, SagaRun, Trade
from orders.operations import review_case
from orders.reviews.carrying_out import CaseResolved
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import Desk
from tests.orders.test_crashes import Killed, Killer, killing
from wallets.models import Gateway, RemoteOperation

T = TypeVar("T")

_RETRIED = ("remote_operation",)
"""Machines that may take another way to the same end: a lookup instead of the answer that nobody heard."""

_TOLD_AGAIN = ("remote_operation.contradicted",)
"""What each lookup that shows it tells the house; who listens does it once."""


@dataclass(frozen=True)
class Story(Generic[T]):
    """`ready` brings a fresh world to where the story begins, once; `act` is the story, and safe to do again."""

    ready: Callable[[Desk], T]
    act: Callable[[Desk, T], None]
    gateway: Mapping[str, object] = field(default_factory=dict)
    first: tuple[str, int] = ("before commit", 1)
    """Where it parts from a story that was told before: the earlier points are that one's too."""
    unsent: str = ""
    """The reason of the case in which people find a leg that was claimed and not sent; "": it asks nothing."""
    confirms: str = ""
    """What that leg's confirmation posts."""


@dataclass(frozen=True)
class Standing:
    """What stands in the end, whatever the references are called."""

    lines: Counter[books.Line]
    balances: dict[tuple[str, str], tuple[int, ...]]
    states: tuple[list[Any], ...]
    paths: Counter[tuple[str, ...]]
    topics: Counter[tuple[str, ...]]
    waits: list[str]
    """The reasons of the cases that wait."""


def standing() -> Standing:
    paths: dict[str, list[str]] = {}
    for machine, subject, state in (
        Move.objects.exclude(machine__in=_RETRIED)
        .order_by("machine", "subject", "sequence")
        .values_list("machine", "subject", "to_state")
    ):
        paths.setdefault(subject, [machine]).append(state)
    topics: dict[str, list[str]] = {}
    events = Event.objects.exclude(topic__in=_TOLD_AGAIN).order_by("aggregate", "sequence")
    for aggregate, topic in events.values_list("aggregate", "topic"):
        topics.setdefault(aggregate, []).append(topic)
    return Standing(
        books.lines(),
        books.balances(),
        (
            list(Order.objects.order_by("pk").values_list("side", "state", "status_reason", "version")),
            list(Trade.objects.order_by("pk").values_list("state", flat=True)),
            list(Return.objects.order_by("pk").values_list("kind", "leg", "state", "version")),
            list(ReviewCase.objects.order_by("pk").values_list("reason", "state", "version")),
            list(Approval.objects.order_by("pk").values_list("kind", "decision")),
            sorted((one.key.partition(":")[2], one.state) for one in RemoteOperation.objects.all()),
            list(Freeze.objects.values_list("reason", flat=True)),
            sorted(subject[:4] for subject in SagaRun.objects.values_list("subject", flat=True)),
        ),
        Counter(tuple(path) for path in paths.values()),
        Counter(tuple(told) for told in topics.values()),
        list(ReviewCase.objects.exclude(state="resolved").order_by("pk").values_list("reason", flat=True)),
    )


class _Beginning(Generic[T]):
    """Where a story begins: made ready once, and brought back for each death."""

    def __init__(self, story: Story[T], desk: Desk, flush: Flush) -> None:
        self._desk, self._flush = desk, flush
        Gateway.objects.update(**story.gateway)
        self.begun = story.ready(desk)
        self._tables = flush.keep()
        self._instant = desk.clock.now()
        wallet = desk.wallet
        self._wallet = (
            {leg: list(steps) for leg, steps in wallet.legs.items()},
            {**wallet.applied},
            {**wallet.refused},
        )

    def bring_back(self) -> None:
        self._flush.bring_back(self._tables)
        self._desk.clock._instant = self._instant  # a clock of a world goes forward only; this is that world's past
        legs, applied, refused = self._wallet
        wallet = self._desk.wallet
        wallet.legs, wallet.applied, wallet.refused = (
            {leg: list(steps) for leg, steps in legs.items()},
            {**applied},
            {**refused},
        )


def survives(story: Story[T], desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """Kill at each point in turn, and compare. Return what stands without a death."""
    beginning = _Beginning(story, desk, flush)
    scout = Killer(at=None)
    undisturbed = _lived(story, beginning.begun, scout, desk, monkeypatch)
    point, occurrence = story.first
    first = [at for at, found in enumerate(scout.points) if found == point][occurrence - 1]
    unsent: list[str] = []
    for at, found in list(enumerate(scout.points))[first:]:
        beginning.bring_back()
        killer = Killer(at=at)
        ended = _lived(story, beginning.begun, killer, desk, monkeypatch)
        place = (at, found)
        assert killer.dead, place
        if ended.waits == undisturbed.waits or not story.unsent:
            differs = _differences(ended, undisturbed)
            assert not differs, (place, differs)
        else:
            unsent.append(found)
            _assert_not_sent(story, ended, undisturbed, desk, place)
    assert len(unsent) <= _NOT_SENT, unsent
    return undisturbed


_NOT_SENT = 2
"""Points at which a leg is claimed but not sent: after the claim's commit, and before the call."""


def _lived(story: Story[T], begun: T, killer: Killer, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Standing:
    """Tell the story until killed; let the leases run out; tell it again."""
    desk.wallet.calls.clear()
    try:
        with killing(killer, desk.wallet, monkeypatch):
            story.act(desk, begun)
    except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
        assert killer.dead
    if killer.dead:
        connection.close()
        desk.later(seconds=25)
        story.act(desk, begun)
    asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask")
    assert set(asks.values()) <= {1}, (killer.at, asks)
    return standing()


def _differences(ended: Standing, undisturbed: Standing) -> dict[str, object]:
    """Name what differs, and show both."""
    pairs = [(one.name, getattr(ended, one.name), getattr(undisturbed, one.name)) for one in fields(Standing)]
    return {name: (found, expected) for name, found, expected in pairs if found != expected}


def _assert_not_sent(story: Story[T], ended: Standing, undisturbed: Standing, desk: Desk, place: object) -> None:
    """A leg was claimed and surely not applied: nobody knows, people decide; the books stand where they stood."""
    assert ended.waits == [story.unsent], place
    operation = RemoteOperation.objects.get(state__in=["unknown", "absent"])
    assert ("ask", operation.key) not in desk.wallet.calls, place
    assert operation.key not in desk.wallet.applied, place
    stood = {line: count for line, count in undisturbed.lines.items() if line[0] != story.confirms}
    assert ended.lines == Counter(stood), place


def waiting(subject: str) -> ReviewCase:
    """Return the case as the person sees it who will decide."""
    return ReviewCase.objects.exclude(state="resolved").get(subject=subject)


def decide(case: ReviewCase, resolution: str, *, two: bool = False) -> None:
    """Propose by olga what she saw, and have lena approve what she sees now. Whoever decides again is refused."""
    with suppress(StaleVersion, CaseResolved):
        review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution=resolution,
            reason="as the lookups show",
            agreement="their letter of 14 March",
            actor="user:olga",
            now=clock.now(),
        )
    if two:
        version = ReviewCase.objects.values_list("version", flat=True).get(pk=case.pk)
        with suppress(CaseResolved):
            review_case.approve_resolution(
                case_reference=case.reference, case_version=version, reason="agreed", actor="user:lena", now=clock.now()
            )


def drive(desk: Desk) -> None:
    """Drive until no saga goes on by itself: it has ended, or waits for people."""
    for _ in range(15):
        desk.drive(passes=1)
        reviewed = ReviewCase.objects.exclude(state="resolved").values("subject")
        if not SagaRun.objects.exclude(subject__in=reviewed).exists():
            return
