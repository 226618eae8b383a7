"""How an operation is told: as it stands, or as a fault tells it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wallets.sandbox import clock
from wallets.sandbox.faults import Manner, Sight
from wallets.sandbox.messages import Answer, Ending, answered, refused
from wallets.sandbox.records import Operation

SLOW_SECONDS: Final = 1.5
LONGEST_SILENCE: Final = 10.0

GARBLED: Final = b"<html><body>502 Bad Ga\x00\xfftew"


def truth(operation: Operation) -> Answer:
    """Answer an ask, the first time and every time after: 200 confirmed, 202 pending, 422 rejected."""
    return answered({"confirmed": 200, "pending": 202}.get(operation.status, 422), _content(operation))


def seen(operation: Operation) -> Answer:
    """Answer a lookup: 200, whatever the status."""
    return answered(200, _content(operation))


def not_found(key: str) -> Answer:
    """Answer a lookup of a key under which nothing was ever accepted."""
    return answered(404, {"code": "not_found", "message": "No such operation.", "idempotency_key": key})


def refusal(key: str, code: str, message: str) -> Answer:
    """Say that nothing was applied and that this ask will never be."""
    return answered(422, {"status": "rejected", "code": code, "message": message, "idempotency_key": key})


def told(operation: Operation, *, manner: Manner, silence: float) -> Answer:
    """Answer an ask that was accepted, in the manner of its fault."""
    match manner:
        case Manner.LATE_TRUTH:
            return replace(truth(operation), delay=SLOW_SECONDS)
        case Manner.GARBLED:
            return Answer(200, GARBLED)
        case Manner.OTHER_AMOUNT:
            return truth(replace(operation, amount=other(operation.amount)))
        case Manner.OTHER_KEY:
            return truth(replace(operation, key=f"{operation.key}:other"))
        case Manner.SILENCE | Manner.ERROR | Manner.RESET | Manner.THROTTLED:
            return untold(manner, silence=silence)
        case Manner.TRUTH | Manner.TOO_LATE:
            return truth(operation)


def untold(manner: Manner, *, silence: float) -> Answer:
    """Answer an ask so that nobody can tell whether anything was applied."""
    match manner:
        case Manner.SILENCE:
            return Answer(504, delay=silence, ending=Ending.SILENCE)
        case Manner.RESET:
            return Answer(502, ending=Ending.RESET)
        case Manner.THROTTLED:
            return answered(429, {"code": "too_many_requests", "message": "Slow down."}, ("Retry-After", "1"))
        case _:
            return refused(500, "internal_error", "Something went wrong.")


def glimpsed(operation: Operation | None, *, key: str, sight: Sight) -> Answer:
    """Answer a lookup as its fault wants it seen."""
    match sight:
        case Sight.HIDDEN:
            return not_found(key)
        case Sight.ERROR:
            return refused(500, "internal_error", "Something went wrong.")
        case Sight.SILENCE:
            return Answer(504, delay=LONGEST_SILENCE, ending=Ending.SILENCE)
        case Sight.RESET:
            return Answer(502, ending=Ending.RESET)
        case Sight.GARBLED:
            return Answer(200, GARBLED)
        case Sight.PENDING if operation is not None:
            return seen(replace(operation, status="pending", code="", applied_at=None))
        case Sight.OTHER_AMOUNT if operation is not None:
            return seen(replace(operation, amount=other(operation.amount)))
        case _:
            return seen(operation) if operation is not None else not_found(key)


def _content(operation: Operation) -> Mapping[str, object]:
    content: dict[str, object] = {
        "idempotency_key": operation.key,
        "operation": operation.operation,
        "status": operation.status,
        "asset": operation.asset,
        "amount": operation.amount,
        "reference": operation.reference,
        "remote_ref": operation.remote_ref,
        "applied_at": clock.text(operation.applied_at),
    }
    if operation.status == "rejected":
        content["code"] = operation.code
    return content


def other(amount: str) -> str:
    """Return another amount of the same scale."""
    return amount[:-1] + ("8" if amount[-1] == "9" else "9")
