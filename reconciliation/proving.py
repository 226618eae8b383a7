"""The proof of a close under review: its files are made again as of the run's instant and are the same bytes.

A worker does it, between the two signatures, and writes down what it came to and how many records the date had then. The
reviewer's signature asks for that: it makes no file, and cannot stop half-way in one.

1 no database transaction from before the run is open: what one of them writes, neither the run nor a proof made before its end
  would have seen
2 the files are made again, in a snapshot that begins after that
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import Q, QuerySet

from ledger.controls import clock, randomness
from reconciliation import making_again
from reconciliation.making_again import Amounts
from reconciliation.models import CloseRun

_LEASE: Final = timedelta(minutes=15)
_PAUSE: Final = timedelta(minutes=1)
_STILL_OPEN: Final = "A database transaction from before the run is still open: what it writes would come late."
_OPEN_SINCE_BEFORE: Final = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
                 AND xact_start < %s)
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """Of which run's files, how many records there were, and the names of the files that would be others."""

    run: int
    amounts: Amounts
    differing: tuple[str, ...]


def prove(close: CloseRun) -> bool:
    """Make a close's files again beside their place and write down what that came to. Outside any transaction.

    Returns whether it is written: not when somebody else is at it, the close is under review no more, or a transaction from
    before its run is open; then it is tried again after a minute.
    """
    now = clock.now()
    token = randomness.octets(16).hex()
    taken = (
        CloseRun.objects.filter(pk=close.pk, state=CloseRun.State.IN_REVIEW, version=close.version)
        .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))
        .update(lease_until=now + _LEASE, lease_token=token)
    )
    if taken != 1:
        return False
    held = CloseRun.objects.filter(pk=close.pk, lease_token=token)
    if _old_transaction(close):
        _put_off(held, _STILL_OPEN)
        return False
    try:
        amounts, differing = making_again.compare(close)
    except BaseException as error:
        _put_off(held, f"{type(error).__name__}: {error}")
        raise
    proof = {"run": close.runs, "amounts": asdict(amounts), "differing": sorted(differing)}
    written = held.filter(state=CloseRun.State.IN_REVIEW, version=close.version).update(
        lease_until=None, lease_token="", available_at=None, last_error="", proof=proof
    )
    if not written:
        held.update(lease_until=None, lease_token="")
    return written == 1


def proof_of(close: CloseRun) -> Proof | None:
    """Return the proof of the files of a close's last run, None while there is none."""
    written = close.proof
    if not written or written["run"] != close.runs:
        return None
    return Proof(written["run"], Amounts(**written["amounts"]), tuple(written["differing"]))


def _old_transaction(close: CloseRun) -> bool:
    """Tell whether a transaction is open that began before the run looked."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_SINCE_BEFORE, [close.seen_at or close.last_run_at])
        row = cursor.fetchone()
    return row is None or bool(row[0])


def _put_off(held: QuerySet[CloseRun], because: str) -> None:
    held.update(lease_until=None, lease_token="", available_at=clock.now() + _PAUSE, last_error=because[:300])
