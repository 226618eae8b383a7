"""The venue: what it decides, without sockets. Store and clock are given."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from orders.sandbox import answers, asks, faults, prices
from orders.sandbox.asks import Ask, Malformed
from orders.sandbox.faults import COURSES, RELEASED, RELEASED_ALWAYS, RETURNED
from orders.sandbox.records import Operation, Terms
from orders.sandbox.store import Store
from wallets.sandbox import signatures
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.faults import SIGHTS, USUAL, Course, Effect, Manner, News, Sight
from wallets.sandbox.messages import Answer, Ending, Request, answered, refused
from wallets.sandbox.signatures import Signature

_SILENCE_AFTER_NOT_AFTER: Final = timedelta(milliseconds=300)
_STATES: Final = {"reserve": "reserved", "execute": "settled", "release": "released"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was done about a question, and how it is told."""

    did: str
    answer: Answer
    fault: str = ""


class Venue:
    """Offers prices; reserves, executes and releases trades; says what became of each key.

    An ask: 1 signature · 2 a key known already gets its operation as it stands, or 409 when the body is another · 3 an ask
    later than its Not-After is refused and burns no key · 4 the fault, if one befalls it · 5 what the trade's state does not
    allow is refused · 6 applied. Decision and log are one transaction, committed before the answer.
    """

    def __init__(
        self,
        store: Store,
        wall: Clock,
        *,
        pending_seconds: float = 5,
        hidden_seconds: float = 5,
        returned_seconds: float = 86_400,
    ) -> None:
        self._store = store
        self._clock = wall
        self._pending = int(pending_seconds * 1_000_000)
        self._hidden = int(hidden_seconds * 1_000_000)
        self._returned = int(returned_seconds * 1_000_000)

    def settle_due(self) -> None:
        """End what was pending and whose time has come. In the caller's transaction."""
        now = microseconds(self._clock.now())
        for ended in self._store.ended_by(now):
            trade, word = self._asked_for(ended.key), self._store.fault_of(ended.key)
            if ended.status == "confirmed":
                self._becomes(trade, _STATES[ended.operation], now=now, news=COURSES.get(word, USUAL).news)
            elif ended.operation == "execute":
                self._becomes(trade, "failed", now=now)

    def quote(self, request: Request) -> Answer:
        """Answer POST /quotes."""
        now = self._clock.now()
        with self._store.transaction():
            signature = signatures.check(request, secrets=self._store.secrets(), now=now)
            if signature is Signature.REFUSED:
                decision = _unauthorized()
            else:
                try:
                    decision = self._priced(request, microseconds(now))
                except Malformed as problem:
                    decision = Decision("malformed", refused(400, "malformed", str(problem)))
            self._log(request, "", signature, now, decision)
        return decision.answer

    def ask(self, operation: str, request: Request) -> Answer:
        """Answer POST /reserve, /execute or /release."""
        now = self._clock.now()
        key = request.headers.get("idempotency-key", "")
        with self._store.transaction():
            self.settle_due()
            signature = self._signature(request, now, about=key)
            if signature is Signature.REFUSED:
                decision = _unauthorized()
            else:
                try:
                    decision = self._decide(operation, request, now)
                except Malformed as problem:
                    decision = Decision("malformed", refused(400, "malformed", str(problem)))
            self._log(request, key, signature, now, decision)
        return decision.answer

    def look_up(self, key: str, request: Request) -> Answer:
        """Answer GET /operations/{idempotency_key}."""
        now = self._clock.now()
        with self._store.transaction():
            self.settle_due()
            signature = self._signature(request, now, about=key)
            decision = _unauthorized() if signature is Signature.REFUSED else self._look(key, now)
            self._log(request, key, signature, now, decision)
        return decision.answer

    def take_back(self, transact_id: str) -> bool:
        """Take a settled trade back now (POST /admin/return)."""
        with self._store.transaction():
            if self._store.state_of(transact_id) != "settled":
                return False
            self._returns(transact_id, due=microseconds(self._clock.now()))
            return True

    def _signature(self, request: Request, now: datetime, *, about: str) -> Signature:
        """Check the signature; its webhook-id is the key, so that no signed body serves another key."""
        checked = signatures.check(request, secrets=self._store.secrets(), now=now)
        if checked is Signature.VERIFIED and request.headers.get("webhook-id") != about:
            return Signature.REFUSED
        return checked

    def _priced(self, request: Request, now: int) -> Decision:
        asked = asks.read_price(request)
        planned = self._store.take_plan("quote", asked.pool)
        if planned == "error":
            return Decision("not_priced", refused(500, "internal_error", "Something went wrong."), planned)
        if planned == "silence":
            silent = Answer(504, delay=answers.LONGEST_SILENCE, ending=Ending.SILENCE)
            return Decision("not_priced", silent, planned)
        given = prices.given(
            taken_asset=asked.taken_asset,
            taken_amount=asked.taken_amount,
            given_asset=asked.given_asset,
            decimals=asked.decimals,
        )
        if given is None or not given.strip("0.") or planned == "refused":
            return Decision("refused", answered(422, {"code": "no_price", "message": "No price."}), planned or "")
        terms = Terms(asked.taken_asset, asked.taken_amount, asked.given_asset, given)
        quote_id = f"vq_{self._store.quotes_made() + 1:06}"
        self._store.add_quote(quote_id, asked.pool, asked.side, terms, now=now)
        content = {"quote_id": quote_id, "pool": asked.pool, "side": asked.side}
        named = {name: getattr(terms, name) for name in ("taken_asset", "taken_amount", "given_asset", "given_amount")}
        return Decision("priced", answered(200, {**content, **named}))

    def _decide(self, operation: str, request: Request, now: datetime) -> Decision:
        key, digest = asks.key_of(request), asks.digest(request)
        known = self._store.operation(key)
        if known is not None and known.digest != digest:
            return Decision("conflict", refused(409, "key_reused", "This key came with another request."))
        if known is not None:
            return Decision("replayed", answers.truth(known))
        ask = asks.read(request, operation=operation, key=key)
        if now > ask.not_after:
            return Decision("too_late", answers.refusal(key, "too_late"))
        word, course = self._course(ask)
        silence = min((ask.not_after - now + _SILENCE_AFTER_NOT_AFTER).total_seconds(), answers.LONGEST_SILENCE)
        if course.sight is not Sight.TRUTH:
            until = microseconds(now) + self._hidden if course.sight is Sight.HIDDEN else None
            self._store.set_sight(key, course.sight.value.replace(" ", "-"), until)
        if course.manner is Manner.TOO_LATE:
            return Decision("too_late", answers.refusal(key, "too_late"), word)
        if course.effect is Effect.NOTHING:
            return Decision("not_applied", answers.untold(course.manner, silence=silence), word)
        made = self._made(ask, course, digest, microseconds(now))
        self._store.add_operation(made)
        if made.status == "confirmed":
            self._becomes(ask, _STATES[operation], now=microseconds(now), news=course.news)
            self._afterwards(ask, word, microseconds(now))
        elif made.status == "rejected" and operation == "execute" and self._is_open(ask.transact_id):
            self._becomes(ask, "failed", now=microseconds(now))
        return Decision(made.status, answers.told(made, manner=course.manner, silence=silence), word)

    def _course(self, ask: Ask) -> tuple[str, Course]:
        """Return the fault that befalls this ask: of a plan, or of the magic word on a key's first ask."""
        planned = self._store.take_plan("ask", ask.key)
        word = planned or faults.magic_word(ask.user_reference, operation=ask.operation)
        if not planned and self._store.faulted_before(ask.key):
            return "", USUAL
        return word, COURSES.get(word, USUAL)

    def _made(self, ask: Ask, course: Course, digest: str, now: int) -> Operation:
        made = Operation(
            key=ask.key,
            operation=ask.operation,
            transact_id=ask.transact_id,
            terms=ask.terms,
            digest=digest,
            status="confirmed",
            code="",
            venue_ref="ven_" + hashlib.sha256(ask.key.encode()).hexdigest()[:20],
            asked_at=now,
        )
        if code := self._not_allowed(ask):
            return replace(made, status="rejected", code=code)
        match course.effect:
            case Effect.REJECTED:
                return replace(made, status="rejected", code=course.code)
            case Effect.PENDING_CONFIRMED | Effect.PENDING_REJECTED:
                then = "confirmed" if course.effect is Effect.PENDING_CONFIRMED else "rejected"
                waiting = replace(made, status="pending", code=course.code)
                return replace(waiting, pending_until=now + self._pending, then_status=then)
            case _:
                return made

    def _not_allowed(self, ask: Ask) -> str:
        """Return why the trade's state or the offer does not allow it; "" when they do."""
        state = self._store.state_of(ask.transact_id)
        if ask.operation == "release":
            return "executed" if state in ("settled", "returned") else ""
        if state == "released":
            return "released"
        if state is not None and (ask.operation == "reserve" or state != "reserved"):
            return "closed"
        offered = self._store.quoted(ask.venue_quote_id)
        if offered is None:
            return "quote_unknown"
        same = (offered.taken_asset, offered.given_asset) == (ask.terms.taken_asset, ask.terms.given_asset)
        if not same or Fraction(offered.taken_amount) != Fraction(ask.terms.taken_amount):
            return "quote_unknown"
        return "price_moved" if Fraction(ask.terms.given_amount) > Fraction(offered.given_amount) else ""

    def _is_open(self, transact_id: str) -> bool:
        return self._store.state_of(transact_id) in (None, "reserved")

    def _becomes(self, ask: Ask, state: str, *, now: int, news: News = News.ONCE) -> None:
        """Move the trade, and plan the events that say so."""
        if state == "released" and self._store.state_of(ask.transact_id) in ("released", "failed"):
            return  # nothing is held any more
        self._store.put_trade(ask.transact_id, ask.quote_id, state, ask.terms, now=now)
        first = _event_id(ask.transact_id, state)
        planned = {
            News.TWICE: [(first, state), (first, state), (f"{first}-again", state)],
            News.REORDERED: [(first, state), (f"{first}-late", "reserved")],
        }.get(news, [(first, state)])
        for event_id, status in planned:
            self._add_news(ask, event_id, status, due=now)

    def _afterwards(self, ask: Ask, word: str, now: int) -> None:
        """What the venue does by itself, later: give a reservation back, or take a settled trade back."""
        again = word == RELEASED and self._store.released_before(ask.quote_id, besides=ask.transact_id)
        if ask.operation == "reserve" and word in (RELEASED, RELEASED_ALWAYS) and not again:
            self._becomes(ask, "released", now=now)
        if ask.operation == "execute" and word == RETURNED:
            self._returns(ask.transact_id, due=now + self._returned, ask=ask)

    def _returns(self, transact_id: str, *, due: int, ask: Ask | None = None) -> None:
        trade = ask or self._asked_for(f"{transact_id}:execute:v1")
        self._store.put_trade(transact_id, trade.quote_id, "returned", trade.terms, now=due)
        self._add_news(trade, _event_id(transact_id, "returned"), "returned", due=due)

    def _add_news(self, ask: Ask, event_id: str, status: str, *, due: int) -> None:
        if self._store.inbox(ask.pool) is None:
            return
        self._store.add_news(
            {
                "event_id": event_id,
                "pool": ask.pool,
                "transact_id": ask.transact_id,
                "quote_id": ask.quote_id,
                "status": status,
                "due_at": due,
            }
        )

    def _asked_for(self, key: str) -> Ask:
        """Return the ask of an operation again, from the log."""
        known = self._store.operation(key)
        assert known is not None, f"{key} was never accepted"
        return asks.read(self._store.asked(key), operation=known.operation, key=key)

    def _look(self, key: str, now: datetime) -> Decision:
        known = self._store.operation(key)
        word = self._store.take_plan("lookup", key) or self._store.sight(key, microseconds(now))
        sight = SIGHTS[word] if word is not None else Sight.TRUTH
        return Decision(
            "found" if known is not None else "not_found", answers.glimpsed(known, key=key, sight=sight), word or ""
        )

    def _log(self, request: Request, key: str, signature: Signature, now: datetime, decision: Decision) -> None:
        sent = decision.answer.ending is Ending.SEND
        self._store.log_request(
            {
                "received_at": microseconds(now),
                "method": request.method,
                "path": request.path,
                "key": key,
                "request_id": request.headers.get("x-request-id", ""),
                "not_after": request.headers.get("not-after", ""),
                "signature": signature.value,
                "body": request.body.decode(errors="replace"),
                "did": decision.did,
                "fault": decision.fault,
                "status": decision.answer.status if sent else None,
            }
        )


def _unauthorized() -> Decision:
    return Decision("unauthorized", refused(401, "unauthorized", "The signature is not ours."))


def _event_id(transact_id: str, status: str) -> str:
    return "vev_" + hashlib.sha256(f"{transact_id} {status}".encode()).hexdigest()[:20]
