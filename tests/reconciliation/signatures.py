"""The two signatures of a close for tests: a preparer and a reviewer, with a worker's proof between them."""

from datetime import datetime, timedelta

from ledger.controls import clock
from ledger.drafts import Draft
from ledger.money import Money
from reconciliation import proving, signing
from reconciliation.models import CloseRun
from tests.reconciliation.day import DATE, Day

PREPARER, REVIEWER = "user:fiona", "user:frank"


def over(day: Day) -> None:
    """Move the clock past the date's grace."""
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5) + timedelta(days=1))


def submit(actor: str = PREPARER) -> CloseRun:
    close = CloseRun.objects.get()
    return signing.submit_close(
        close_reference=close.reference, close_version=close.version, comment="ok", actor=actor, now=clock.now()
    )


def sign(actor: str = REVIEWER) -> CloseRun:
    """Sign once a worker has proved the files; another finishes what is locked."""
    proving.prove(CloseRun.objects.get(business_date=DATE))
    close = only_sign(actor)
    signing.finish_locked(close)
    return CloseRun.objects.get(pk=close.pk)


def only_sign(actor: str = REVIEWER) -> CloseRun:
    close = CloseRun.objects.get(business_date=DATE)
    return signing.sign_close(
        close_reference=close.reference, close_version=close.version, comment="agreed", actor=actor
    )


def locked(day: Day) -> CloseRun:
    over(day)
    day.close()
    submit()
    return sign()


def files(day: Day) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (day.files / "test" / DATE.isoformat()).iterdir()}


def adjustment(effective_at: datetime) -> Draft:
    """Return what comes late into a date."""
    return Draft(
        event_type="POOL_FUNDING",
        key="late-funding",
        subject="pool:EUR-USDT",
        amounts={"amount": Money(100, "EUR")},
        accounts={"world": "@world", "pool": "pools:EUR-USDT"},
        effective_at=effective_at,
    )
