"""Confirmed payments, read again: did one come back? A lookup under its key; it moves no money, and the answer is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from wallets import remote_operations, return_window
from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import CameBack, Confirmed, Rejected, Unknown


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that is to be read: its key, whose it is, and what was paid, in minor units."""

    key: str
    owner: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Read:
    """What a read came to: whether it was answered at all, and what came back, if anything.

    `denied`: the bank, which had confirmed it, says now that it did not and will not pay; then all of it counts as back.
    """

    answered: bool
    came_back: CameBack | None = None
    denied: bool = False


def due(*, now: datetime, most: int) -> Sequence[Paid]:
    """Return the payments whose time has come, the oldest first."""
    rows = RemoteOperation.objects.filter(read_due_at__lte=now).order_by("read_due_at")[:most]
    return [_paid(row) for row in rows]


def confirmed_before(*, environment: str, before: datetime, most: int) -> Sequence[Paid]:
    """Return payments that are still read now and then, confirmed before an instant and not read since."""
    rows = RemoteOperation.objects.filter(
        environment=environment, read_due_at__isnull=False, answered_at__lt=before
    ).exclude(read_at__gte=before)
    return [_paid(row) for row in rows.order_by("read_due_at")[:most]]


def count_due(*, now: datetime) -> int:
    return RemoteOperation.objects.filter(read_due_at__lte=now).count()


def read(paid: Paid) -> Read:
    """Ask once what a confirmed payment is now. Outside any transaction."""
    match remote_operations.look_again(paid.key):
        case Confirmed(came_back=came_back):
            return Read(True, came_back)
        case Rejected():
            return Read(True, CameBack(paid.amount_minor), denied=True)
        case Unknown():
            return Read(False)


def put_off(paid: Paid, *, now: datetime, soon: bool, keep: bool = False) -> None:
    """Say when it is read next: soon, when nothing came of this time; `keep`: though its time is over, since it is not done."""
    operation = RemoteOperation.objects.get(key=paid.key)
    gateway = Gateway.objects.get(pk=operation.gateway_id)
    due_at = return_window.next_read(operation, gateway, now=now)
    if soon and due_at is not None:
        due_at = now + return_window.SOON
    elif keep and due_at is None:
        due_at = now + return_window.DAILY
    RemoteOperation.objects.filter(pk=operation.pk).update(read_due_at=due_at)


def hasten(owners: Sequence[str], *, now: datetime, over_too: bool = False) -> bool:
    """Have the payments of these owners that are still read now and then read at once; tell whether there are any.

    `over_too`: also confirmed ones whose time is over; these are read once more.
    """
    later = Q(read_due_at__gt=now)
    if over_too:
        later |= Q(read_due_at__isnull=True, leg=return_window.LEG, state=RemoteOperation.State.CONFIRMED)
    return RemoteOperation.objects.filter(later, owner__in=owners).update(read_due_at=now) > 0


def _paid(row: RemoteOperation) -> Paid:
    return Paid(row.key, row.owner, int(row.amount_minor))
