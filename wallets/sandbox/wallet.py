"""The operator's wallet service: what it decides, without sockets.

Store and clock are given, so that a test or a simulation can call it in its own process and time.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from wallets.sandbox import asks, faults, operation_answers, signatures
from wallets.sandbox.asks import Ask, Malformed
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.faults import COURSES, SIGHTS, USUAL, Course, Effect, Manner, News, Sight
from wallets.sandbox.messages import Answer, Ending, Request, refused
from wallets.sandbox.records import LoggedRequest, Operation
from wallets.sandbox.signatures import Signature
from wallets.sandbox.store import Store

WALLET_PURPOSE: Final = "wallet"
_SILENCE_AFTER_NOT_AFTER: Final = timedelta(milliseconds=300)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was done about a question, and how it is told."""

    did: str
    answer: Answer
    fault: str = ""


class OperatorWallet:
    """Debits, credits, reverses, and says what became of each key.

    An ask: 1 signature · 2 a key known already gets its operation as it stands, or 409 when the body is another
    · 3 an ask later than its Not-After is refused and burns no key · 4 the fault, if one befalls it · 5 a reverse
    without a debit is refused · 6 applied. Decision and log are one transaction, committed before the answer.
    """

    def __init__(self, store: Store, wall: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self._store = store
        self._clock = wall
        self._pending = int(pending_seconds * 1_000_000)
        self._hidden = int(hidden_seconds * 1_000_000)

    def ask(self, operation: str, request: Request) -> Answer:
        """Answer POST /debit, /credit or /reverse."""
        now = self._clock.now()
        with self._store.transaction():
            self._store.settle_due(microseconds(now))
            signature = self._signature(request, now, about=request.headers.get("idempotency-key", ""))
            if signature is Signature.REFUSED:
                decision = Decision("unauthorized", refused(401, "unauthorized", "The signature is not ours."))
            else:
                try:
                    decision = self._decide(operation, request, now)
                except Malformed as problem:
                    decision = Decision("malformed", refused(400, "malformed", str(problem)))
            self._log(request, request.headers.get("idempotency-key", ""), signature, now, decision)
        return decision.answer

    def look_up(self, key: str, request: Request) -> Answer:
        """Answer GET /operations/{idempotency_key}. Changes nothing."""
        now = self._clock.now()
        with self._store.transaction():
            self._store.settle_due(microseconds(now))
            signature = self._signature(request, now, about=key)
            if signature is Signature.REFUSED:
                decision = Decision("unauthorized", refused(401, "unauthorized", "The signature is not ours."))
            else:
                decision = self._look(key, now)
            self._log(request, key, signature, now, decision)
        return decision.answer

    def _signature(self, request: Request, now: datetime, *, about: str) -> Signature:
        """Check the signature; its webhook-id is the key, so that no signed body serves another key."""
        checked = signatures.check(request, secrets=self._store.secrets(WALLET_PURPOSE), now=now)
        if checked is Signature.VERIFIED and request.headers.get("webhook-id") != about:
            return Signature.REFUSED
        return checked

    def _decide(self, operation: str, request: Request, now: datetime) -> Decision:
        key, digest = asks.key_of(request), asks.digest(request)
        known = self._store.operation(key)
        if known is not None and known.digest != digest:
            return Decision("conflict", refused(409, "key_reused", "This key came with another request."))
        if known is not None:
            return Decision("replayed", operation_answers.truth(known))
        ask = asks.read(request, operation=operation, key=key)
        if now > ask.not_after:
            return Decision("too_late", operation_answers.refusal(key, "too_late", "Not-After has passed."))
        word, course = self._course(ask)
        silence = silence_of(ask.not_after - now)
        if course.sight is not Sight.TRUTH:
            until = microseconds(now) + self._hidden if course.sight is Sight.HIDDEN else None
            self._store.set_sight(key, word_of(course.sight), until)
        if course.manner is Manner.TOO_LATE:
            answer = operation_answers.refusal(key, "too_late", "Not-After has passed.")
            return Decision("too_late", answer, word)
        if course.effect is Effect.NOTHING:
            return Decision("not_applied", operation_answers.untold(course.manner, silence=silence), word)
        made = self._made(ask, course, digest, microseconds(now))
        self._store.add_operation(made)
        self._news(made, course, microseconds(now))
        return Decision(made.status, operation_answers.told(made, manner=course.manner, silence=silence), word)

    def _course(self, ask: Ask) -> tuple[str, Course]:
        """Return the fault that befalls this ask: of a plan, or of the magic word on a key's first ask.

        A second ask of the key goes well, and so does its second version: what people decide in a review can
        be seen to work.
        """
        planned = self._store.take_plan("ask", ask.key)
        if planned is not None:
            return planned, COURSES[planned]
        word = faults.magic_word(ask.user_reference, operation=ask.operation)
        if word is None or not first_version(ask.key) or self._store.faulted_before(ask.key):
            return "", USUAL
        return word, COURSES[word]

    def _made(self, ask: Ask, course: Course, digest: str, now: int) -> Operation:
        """Return the operation that this ask becomes."""
        made = Operation(
            key=ask.key,
            operation=ask.operation,
            reference=ask.reference,
            user_reference=ask.user_reference,
            asset=ask.asset,
            amount=ask.amount,
            digest=digest,
            status="confirmed",
            code="",
            remote_ref="wal_" + hashlib.sha256(ask.key.encode()).hexdigest()[:20],
            asked_at=now,
            applied_at=now,
        )
        if ask.operation == "reverse" and not self._can_reverse(ask):
            return replace(made, status="rejected", code="nothing_to_reverse", applied_at=None)
        match course.effect:
            case Effect.REJECTED:
                return replace(made, status="rejected", code=course.code, applied_at=None)
            case Effect.PENDING_CONFIRMED | Effect.PENDING_REJECTED:
                then = "confirmed" if course.effect is Effect.PENDING_CONFIRMED else "rejected"
                waiting = replace(made, status="pending", code=course.code, applied_at=None)
                return replace(waiting, pending_until=now + self._pending, then_status=then)
            case _:
                return made

    def _news(self, made: Operation, course: Course, now: int) -> None:
        """Plan the events about an operation, once an inbox is known to send them to."""
        if self._store.inbox() is None:
            return
        ended, pending = made.then_status or made.status, made.pending_until or now
        first = "wev_" + hashlib.sha256(f"{made.key} {made.asked_at}".encode()).hexdigest()[:20]
        match course.news:
            case News.EARLY:
                self._store.add_news(first, made.key, ended, now)
            case News.TWICE:
                for event_id in (first, first, f"{first}-again"):
                    self._store.add_news(event_id, made.key, ended, pending)
            case News.REORDERED:
                self._store.add_news(f"{first}-late", made.key, ended, pending)
                self._store.add_news(first, made.key, "pending", pending)
            case News.ONCE if made.then_status is not None:
                self._store.add_news(first, made.key, ended, pending)

    def _can_reverse(self, ask: Ask) -> bool:
        """Say whether so much of the reference's debits is left to give back."""
        left = Fraction(0)
        for one in self._store.operations_of(ask.reference):
            if one.asset == ask.asset and one.operation == "debit" and one.status == "confirmed":
                left += Fraction(one.amount)
            if one.asset == ask.asset and one.operation == "reverse" and one.status != "rejected":
                left -= Fraction(one.amount)
        return Fraction(ask.amount) <= left

    def _look(self, key: str, now: datetime) -> Decision:
        known = self._store.operation(key)
        word = self._store.take_plan("lookup", key) or self._store.sight(key, microseconds(now))
        sight = SIGHTS[word] if word is not None else Sight.TRUTH
        answer = operation_answers.glimpsed(known, key=key, sight=sight)
        return Decision("found" if known is not None else "not_found", answer, word or "")

    def _log(self, request: Request, key: str, signature: Signature, now: datetime, decision: Decision) -> None:
        sent = decision.answer.ending is Ending.SEND
        self._store.log_request(
            LoggedRequest(
                received_at=microseconds(now),
                method=request.method,
                path=request.path,
                key=key,
                request_id=request.headers.get("x-request-id", ""),
                not_after=request.headers.get("not-after", ""),
                signature=signature,
                body=request.body.decode(errors="replace"),
                did=decision.did,
                fault=decision.fault,
                status=decision.answer.status if sent else None,
            )
        )


def first_version(key: str) -> bool:
    """Say whether a key is no later version of itself: `{reference}:{leg}:v{n}`."""
    version = key.rpartition(":")[2]
    return not version.startswith("v") or version == "v1"


def silence_of(left: timedelta) -> float:
    """Return for how many seconds a silent answer is held: until the asker has surely given up."""
    held = (left + _SILENCE_AFTER_NOT_AFTER).total_seconds()
    return min(held, operation_answers.LONGEST_SILENCE)


def word_of(sight: Sight) -> str:
    return sight.value.replace(" ", "-")
