"""Gather what became of lanes that were sent, and write it down: attempts and moves, in one transaction."""

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

import structlog

from ledger.controls import bell
from webhooks import transitions
from webhooks.transitions import Attempted, Verdict

log = structlog.get_logger(__name__)

KIND: Final = "deliveries"


def record_lanes(finished: Iterable[Future[list[Attempted]]]) -> int:
    """Write down what became of lanes that are done; return how many attempts were made or given up."""
    return record([result for future in finished for result in _results(future)])


def record(results: list[Attempted]) -> int:
    """Write down attempts; return how many were made or given up."""
    if not results:
        return 0
    recorded = transitions.record_attempts(results)
    if recorded.disabled:
        log.warning("endpoint.disabled", endpoint_ids=recorded.disabled)
        transitions.hasten(endpoint_ids=recorded.disabled)
        bell.ring_after_commit(KIND)
    if recorded.lost:
        log.warning("delivery.lease_lost", number=recorded.lost)
    for result in results:
        if result.verdict in (Verdict.RETRY, Verdict.DEAD):
            log.info(
                "delivery.failed",
                delivery_id=result.id,
                attempt=result.number,
                verdict=result.verdict,
                cause=result.cause,
                request_id=result.request_id,
            )
    return sum(result.verdict is not Verdict.UNSENT for result in results)


def _results(future: Future[list[Attempted]]) -> list[Attempted]:
    """Return what became of a lane; a defect costs its lane this lease, and nobody else anything."""
    if (error := future.exception()) is not None:
        log.error("delivery.defect", exc_info=error)
        return []
    return future.result()
