"""The seals of the journal: a chain of blocks per book. Also a kind of work that the drains know.

A block's root covers its members' order and content and the root before it, so that whoever keeps a root outside the
database can later prove every edit of what it covers (rule L9).
"""

from collections.abc import Iterable

import structlog
from django.db import connection

from ledger.books import number_of
from ledger.controls import clock, drains, metrics
from ledger.environments import Environment
from ledger.models import Block

log = structlog.get_logger(__name__)

_BATCH = 5000
_EVERY_SECONDS = 10.0


def seal(environment: str) -> Block | None:
    """Seal what is unsealed, at most a batch, into the book's next block; None when nothing waits or another seals."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM ledger_seal(%s::smallint, %s, %s::timestamptz)",
            [number_of(environment), _BATCH, clock.parameter()],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    block = Block.objects.get(book_id=number_of(environment), number=row[0])
    log.info("ledger.sealed", environment=environment, number=block.number, members=block.members, root=block.root)
    return block


def newest(environment: str) -> Block | None:
    """Return the book's last block: its root is what leaves the database."""
    return Block.objects.filter(book_id=number_of(environment)).order_by("-number").first()


def unsealed() -> int:
    """Count the transactions that wait for the sealer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_unsealed")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def has_waited(seconds: float) -> bool:
    """Tell whether a transaction has waited for the sealer for so long: its id says since when."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM ledger_unsealed WHERE uuid_extract_timestamp(transaction_id)"
            " <= clock_timestamp() - %s * interval '1 second')",
            [seconds],
        )
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])


def register() -> None:
    drains.register(
        drains.Drain(
            kind="seals",
            work=_seal_all,
            depth=unsealed,
            has_waited=has_waited,
            batch=_BATCH,
            every_seconds=_EVERY_SECONDS,
        )
    )
    metrics.register(
        "holdfast_ledger_block", "Number of the newest sealed block of a book, and its root.", "gauge", _newest_blocks
    )
    metrics.register("holdfast_ledger_unsealed", "Transactions that wait for the sealer.", "gauge", _waiting)


def _seal_all() -> int:
    return sum(block.members for environment in Environment if (block := seal(environment)) is not None)


def _newest_blocks() -> Iterable[metrics.Sample]:
    for environment in Environment:
        block = newest(environment)
        if block is not None:
            yield {"environment": environment.value, "root": block.root}, block.number


def _waiting() -> Iterable[metrics.Sample]:
    yield {}, unsealed()
