"""How an operation is told: as it stands, or as a fault tells it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from orders.sandbox.records import Operation
from wallets.sandbox.faults import Manner, Sight
from wallets.sandbox.messages import Answer, Ending, answered, refused

SLOW_SECONDS: Final = 1.5
LONGEST_SILENCE: Final = 10.0
_GARBLED: Final = b"<html><body>502 Bad Ga\x00\xfftew"


def truth(operation: Operation) -> Answer:
    """Answer an ask, the first time and every time after: 200 confirmed, 202 pending, 422 rejected."""
    return answered({"confirmed": 200, "pending": 202}.get(operation.status, 422), content(operation))


def refusal(key: str, code: str) -> Answer:
    """Say that nothing was applied and that this ask will never be."""
    return answered(422, {"status": "rejected", "code": code, "message": code, "idempotency_key": key})


def not_found(key: str) -> Answer:
    return answered(404, {"code": "not_found", "message": "No such operation.", "idempotency_key": key})


def told(operation: Operation, *, manner: Manner, silence: float) -> Answer:
    """Answer an ask that was accepted, in the manner of its fault."""
    match manner:
        case Manner.LATE_TRUTH:
            return replace(truth(operation), delay=SLOW_SECONDS)
        case Manner.GARBLED:
            return Answer(200, _GARBLED)
        case Manner.OTHER_AMOUNT:
            return truth(_other_amount(operation))
        case Manner.OTHER_KEY:
            return truth(replace(operation, key=f"{operation.key}:other"))
        case Manner.SILENCE | Manner.ERROR | Manner.RESET | Manner.THROTTLED:
            return untold(manner, silence=silence)
        case _:
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
            return Answer(200, _GARBLED)
        case Sight.PENDING if operation is not None:
            return answered(200, content(replace(operation, status="pending", code="")))
        case Sight.OTHER_AMOUNT if operation is not None:
            return answered(200, content(_other_amount(operation)))
        case _:
            return answered(200, content(operation)) if operation is not None else not_found(key)


def content(operation: Operation) -> Mapping[str, object]:
    said: dict[str, object] = {
        "idempotency_key": operation.key,
        "operation": operation.operation,
        "status": operation.status,
        "transact_id": operation.transact_id,
        **asdict(operation.terms),
        "venue_ref": operation.venue_ref,
    }
    if operation.status == "rejected":
        said["code"] = operation.code
    return said


def _other_amount(operation: Operation) -> Operation:
    """Tell of another amount of the same scale."""
    amount = operation.terms.given_amount
    other = amount[:-1] + ("8" if amount[-1] == "9" else "9")
    return replace(operation, terms=replace(operation.terms, given_amount=other))
