"""The proof of a close under review: its files are made again as of the run's instant and are the same bytes.

A worker does it, between the two signatures, and writes down what it came to and how many records the date had then. The
reviewer's signature asks for that: it makes no file, and cannot stop half-way in one.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Q

from ledger.controls import clock, randomness
from reconciliation import making_again
from reconciliation.making_again import Amounts
from reconciliation.models import CloseRun

_LEASE: Final = timedelta(minutes=15)
_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Proof:
    """Of which run's files, how many records there were, and the names of the files that would be others."""

    run: int
    amounts: Amounts
    differing: tuple[str, ...]


def prove(close: CloseRun) -> bool:
    """Make a close's files again beside their place and write down what that came to. Outside any transaction.

    Returns whether it is written: not when somebody else is at it, or the close is under review no more.
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
    try:
        amounts, differing = making_again.compare(close)
    except BaseException as error:
        held.update(
            lease_until=None,
            lease_token="",
            available_at=clock.now() + _PAUSE,
            last_error=f"{type(error).__name__}: {error}"[:300],
        )
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
