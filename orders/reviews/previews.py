"""What a resolution would do: it is carried out as people would decide it, looked at, and rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.models import Event, Posting
from ledger.models.journal import PostingKind
from ledger.money import Money
from orders.models import Intent, Order, Payout, Return, ReviewCase
from orders.reviews.carrying_out import carry_out, locked
from orders.reviews.records import Records, records_of
from orders.reviews.resolutions import Resolution
from orders.sagas import payout as payout_saga
from wallets.models import RemoteOperation

_NOBODY = "preview"


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as it would stand in the book; `kind` is posted, post or void."""

    kind: str
    debit: str
    credit: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Preview:
    """`remote` are the movements that will be asked of the other side, by leg and key; `webhooks` the topics sent."""

    ends_in: str
    postings: Sequence[Line]
    remote: Sequence[str]
    webhooks: Sequence[str]

    @property
    def ends_hold(self) -> bool:
        return any(line.kind in (PostingKind.POST, PostingKind.VOID) for line in self.postings)


def preview(case: ReviewCase, resolution: Resolution) -> Preview:
    """Return what a resolution would do now. Everything that it writes is rolled back. Raises what deciding it would."""
    with db_transaction.atomic():
        matter, case = locked(case.reference)
        records = records_of(case)
        before = _standing(records)
        now = clock.now()
        carry_out(resolution, matter, case, reason=_NOBODY, agreement=_NOBODY, actor=_NOBODY, second=_NOBODY, now=now)
        _follow(records)
        shown = _compared(records, before)
        db_transaction.set_rollback(True)
    return shown


def _follow(records: Records) -> None:
    """A payout's saga takes the step that is decided at once, and asks nobody for it: its hold settles, or is released."""
    payout = Payout.objects.filter(pk=records.payout.pk).first() if records.payout else None
    if payout is not None and payout.state in (Payout.State.SETTLING, Payout.State.RELEASING):
        payout_saga.advance(payout)


@dataclass(frozen=True, slots=True)
class _Standing:
    postings: set[object]
    events: set[int]
    asked: dict[int, str]


def _standing(records: Records) -> _Standing:
    return _Standing(
        postings={line.pk for line in _postings(records)},
        events={event.pk for event in _events(records)},
        asked={one.pk: one.ask_again_granted for one in _to_be_asked(records)},
    )


def _compared(records: Records, before: _Standing) -> Preview:
    return Preview(
        ends_in=_state_of(records),
        postings=[
            Line(
                line.kind,
                line.debit_account.address,
                line.credit_account.address,
                Money(int(line.amount_minor), line.asset),
            )
            for line in _postings(records)
            if line.pk not in before.postings
        ],
        remote=[
            f"{one.leg}, key {one.key}"
            for one in _to_be_asked(records)
            if before.asked.get(one.pk) != one.ask_again_granted
        ],
        webhooks=[event.topic for event in _events(records) if event.pk not in before.events],
    )


def _postings(records: Records) -> list[Posting]:
    rows = Posting.objects.filter(transaction__subject__in=records.subjects)
    return list(
        rows.select_related("debit_account", "credit_account").order_by("transaction__recorded_at", "id", "position")
    )


def _events(records: Records) -> list[Event]:
    return list(Event.objects.filter(aggregate__in=records.owners, public=True).order_by("pk"))


def _to_be_asked(records: Records) -> list[RemoteOperation]:
    """Return what was written down and not asked yet, or may be asked again under its key."""
    state = RemoteOperation.State
    open_ones = RemoteOperation.objects.filter(owner__in=records.owners, state__in=(state.PREPARED, state.ABSENT))
    return [one for one in open_ones.order_by("pk") if one.state == state.PREPARED or one.ask_again_granted]


def _state_of(records: Records) -> str:
    if records.found:
        return Return.objects.get(pk=records.found.pk).state
    if records.intent:
        return Intent.objects.get(pk=records.intent.pk).state
    assert records.order is not None
    return Order.objects.get(pk=records.order.pk).state
