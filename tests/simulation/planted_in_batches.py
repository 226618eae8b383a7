"""Faults of the plain buys that a worker takes together, which worlds must find."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from unittest.mock import patch

from django.db import transaction as db_transaction

from ledger.controls import moves_together
from ledger.controls.moves_together import Step
from orders import transitions
from orders.sagas import together
from tests.simulation.planted_fault import Fault
from wallets import first_asks
from wallets.claiming import Claimed
from wallets.first_asks import Answer, FirstAsk
from wallets.gateway_port import Reply
from wallets.outcomes import Confirmed, Rejected, Unknown


@contextmanager
def _sent_without_a_claim() -> Iterator[None]:
    """What is claimed together is not committed, and is asked nevertheless."""
    original = first_asks.claim

    def rolled_back(asks: Sequence[FirstAsk], **named: Any) -> list[tuple[Claimed, FirstAsk]]:
        with db_transaction.atomic():
            claimed = original(asks, **named)
            db_transaction.set_rollback(True)
        return claimed

    with patch.object(first_asks, "claim", rolled_back):
        yield


@contextmanager
def _failed_with_another() -> Iterator[None]:
    """Where nobody knows what became of one, the others of its batch are taken for failed."""

    def judged(answers: Sequence[Answer]) -> list[Answer]:
        if not any(isinstance(answer.reply.outcome, Unknown) for answer in answers):
            return list(answers)
        return [
            replace(answer, reply=Reply(Rejected("with the others")))
            if isinstance(answer.reply.outcome, Confirmed)
            else answer
            for answer in answers
        ]

    with _settled_as(judged):
        yield


@contextmanager
def _confirmed_with_another() -> Iterator[None]:
    """One confirmation is taken for all that were asked with it."""

    def judged(answers: Sequence[Answer]) -> list[Answer]:
        confirmed = [answer.reply for answer in answers if isinstance(answer.reply.outcome, Confirmed)]
        return [replace(answer, reply=confirmed[0]) for answer in answers] if confirmed else list(answers)

    with _settled_as(judged):
        yield


@contextmanager
def _settled_as(judged: Any) -> Iterator[None]:
    original = together.settle
    with patch.object(together, "settle", lambda answers: original(judged(answers))):
        yield


@contextmanager
def _last_event_forgotten() -> Iterator[None]:
    """Of several steps that are written together the last one's order tells nobody."""
    move, recorded = transitions.move_together, moves_together.recorded  # type: ignore[attr-defined]  # where they are found

    def forgetful(steps: Sequence[Step], *, now: datetime) -> None:
        last = steps[-1].changes[0].subject

        def silent(subject: Any, **named: Any) -> dict[str, Any]:
            record = recorded(subject, **named)
            return {**record, "event": None} if subject is last and len(steps) > 1 else record

        with patch.object(moves_together, "recorded", silent):
            move(steps, now=now)

    with patch.object(transitions, "move_together", forgetful):
        yield


@contextmanager
def _key_of_another() -> Iterator[None]:
    """All that are asked together go out under the key of the first."""
    claim, put = first_asks.claim, first_asks.put
    first_keys: dict[str, str] = {}

    def noted(asks: Sequence[FirstAsk], **named: Any) -> list[tuple[Claimed, FirstAsk]]:
        claimed = claim(asks, **named)
        first_keys.update({one.operation.key: claimed[0][0].operation.key for one, _ in claimed})
        return claimed

    def mistaken(claimed: Claimed, *, request_id: str) -> Answer:
        own = claimed.operation.key
        claimed.operation.key = first_keys[own]
        try:
            return put(claimed, request_id=request_id)
        finally:
            claimed.operation.key = own

    with patch.multiple(first_asks, claim=noted, put=mistaken):
        yield


OF_BATCHES: Final = (
    Fault("a batch sent with no claim committed", _sent_without_a_claim, frozenset({"R2", "R4"}), 7),
    Fault("a batch failed for one that nobody knows", _failed_with_another, frozenset({"R3"}), 7),
    Fault("a batch confirmed for one that was", _confirmed_with_another, frozenset({"R3"}), 7),
    Fault("a batch that forgets the event of its last", _last_event_forgotten, frozenset({"S2"}), 7),
    Fault("a batch asked under the key of its first", _key_of_another, frozenset({"R1", "R3"}), 7),
)
