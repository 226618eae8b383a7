"""What a resolution of a review case would do: it is tried and rolled back, and what it would have left is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.models import Event, Posting
from ledger.models.journal import PostingKind
from ledger.money import Money
from orders.models import Intent, Order, Return, ReviewCase
from orders.operations.try_resolution import try_resolution
from orders.reviews.offers import Offer, offers
from orders.reviews.records import Records, records_of
from orders.reviews.resolutions import Resolution
from wallets.models import RemoteOperation


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


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An offer with what it would do: None for one that is not allowed, `why_not` then says why."""

    offer: Offer
    why_not: str
    preview: Preview | None


def foreseen_of(case: ReviewCase) -> list[Foreseen]:
    """Return every resolution of a case; those that the evidence allows with what they would do."""
    return [foreseen(offer, case) for offer in offers(case=case)]


def foreseen(offer: Offer, case: ReviewCase) -> Foreseen:
    """Return an offer with what it would do. What the books refuse, or a freeze, is not allowed after all, and says why."""
    if not offer.allowed:
        return Foreseen(offer, offer.why_not, None)
    try:
        return Foreseen(offer, "", preview(case, offer.resolution))
    except Refusal as refusal:
        return Foreseen(offer, refusal.message, None)


def preview(case: ReviewCase, resolution: Resolution) -> Preview:
    """Return what a resolution would do now. Raises what deciding it would."""
    records = records_of(case)
    before, after = try_resolution(
        case_reference=case.reference, resolution=resolution, look=lambda: _look(records), now=clock.now()
    )
    return Preview(
        ends_in=after.state,
        postings=[line for reference, line in after.postings.items() if reference not in before.postings],
        remote=[told for place, told in after.asked.items() if place not in before.asked],
        webhooks=[topic for number, topic in after.events.items() if number not in before.events],
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What stands, each by what names it for ever."""

    state: str
    postings: dict[str, Line]
    events: dict[int, str]
    asked: dict[tuple[str, str], str]


def _look(records: Records) -> _Seen:
    return _Seen(
        state=_state_of(records), postings=_postings(records), events=_events(records), asked=_to_be_asked(records)
    )


def _postings(records: Records) -> dict[str, Line]:
    rows = Posting.objects.filter(transaction__subject__in=records.subjects)
    ordered = rows.select_related("debit_account", "credit_account").order_by("transaction__recorded_at", "id")
    return {
        row.reference: Line(
            row.kind, row.debit_account.address, row.credit_account.address, Money(int(row.amount_minor), row.asset)
        )
        for row in ordered
    }


def _events(records: Records) -> dict[int, str]:
    rows = Event.objects.filter(aggregate__in=records.owners, public=True).order_by("pk")
    return dict(rows.values_list("pk", "topic"))


def _to_be_asked(records: Records) -> dict[tuple[str, str], str]:
    """What was written down and not asked yet, or may be asked again under its key."""
    state = RemoteOperation.State
    rows = RemoteOperation.objects.filter(owner__in=records.owners, state__in=(state.PREPARED, state.ABSENT))
    return {
        (row.key, row.ask_again_granted): f"{row.leg}, key {row.key}"
        for row in rows.order_by("pk")
        if row.state == state.PREPARED or row.ask_again_granted
    }


def _state_of(records: Records) -> str:
    if records.found:
        return str(Return.objects.get(pk=records.found.pk).state)
    if records.intent:
        return str(Intent.objects.get(pk=records.intent.pk).state)
    assert records.order is not None
    return str(Order.objects.get(pk=records.order.pk).state)
