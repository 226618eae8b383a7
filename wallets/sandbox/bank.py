"""The bank: a PromptPay-style network (query, confirm) and a slower transfer bank, without sockets.

Store and clock are given, so that a test or a simulation can call it in its own process and time.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from wallets.sandbox import asks, bank_asks, bank_faults, operation_answers, payment_answers, signatures
from wallets.sandbox.asks import Malformed
from wallets.sandbox.bank_asks import PaymentAsk
from wallets.sandbox.bank_faults import BANK_COURSES, PROMPTPAY, QUERY_FAULTS, USUAL, BankCourse
from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.faults import SIGHTS, Effect, Manner, News, Sight
from wallets.sandbox.messages import Answer, Ending, Request, refused
from wallets.sandbox.payments import Payment, Payments, next_day
from wallets.sandbox.records import LoggedRequest
from wallets.sandbox.signatures import Signature
from wallets.sandbox.store import Store
from wallets.sandbox.wallet import Decision, first_version, silence_of, word_of

BANK_PURPOSE: Final = "bank"


class Bank:
    """Looks recipients up, pays, and says what became of each key.

    An order: 1 signature · 2 a key known already gets its payment as it stands, or 409 when the body is another · 3 an
    order later than its Not-After is refused and burns no key · 4 the fault, if one befalls it · 5 applied. Decision and
    log are one transaction, committed before the answer.
    """

    def __init__(self, store: Store, wall: Clock, *, pending_seconds: float = 5, hidden_seconds: float = 5) -> None:
        self._store = store
        self._payments = Payments(store)
        self._clock = wall
        self._pending = int(pending_seconds * 1_000_000)
        self._hidden = int(hidden_seconds * 1_000_000)

    def query(self, request: Request) -> Answer:
        """Answer POST /bank/promptpay/query: who is paid under this number, and the network's fee. Changes nothing."""
        now = self._clock.now()
        with self._store.transaction():
            about = request.headers.get("webhook-id", "")
            signature = self._signature(request, now, about=about)
            decision = self._asked_who(request) if signature is not Signature.REFUSED else _unauthorized()
            self._log(request, about, signature, now, decision)
        return decision.answer

    def pay(self, channel: str, request: Request) -> Answer:
        """Answer POST /bank/promptpay/confirm or /bank/transfers."""
        now = self._clock.now()
        key = request.headers.get("idempotency-key", "")
        with self._store.transaction():
            self._payments.settle_due(microseconds(now))
            signature = self._signature(request, now, about=key)
            decision = self._decided(channel, request, now) if signature is not Signature.REFUSED else _unauthorized()
            self._log(request, key, signature, now, decision)
        return decision.answer

    def look_up(self, channel: str, key: str, request: Request) -> Answer:
        """Answer GET /bank/promptpay/confirmations/{key} or /bank/transfers/{key}. Changes nothing."""
        now = self._clock.now()
        with self._store.transaction():
            self._payments.settle_due(microseconds(now))
            signature = self._signature(request, now, about=key)
            decision = self._look(channel, key, now) if signature is not Signature.REFUSED else _unauthorized()
            self._log(request, key, signature, now, decision)
        return decision.answer

    def _signature(self, request: Request, now: datetime, *, about: str) -> Signature:
        """Check the signature; its webhook-id is the key, so that no signed body serves another key."""
        checked = signatures.check(request, secrets=self._store.secrets(BANK_PURPOSE), now=now)
        if checked is Signature.VERIFIED and request.headers.get("webhook-id") != about:
            return Signature.REFUSED
        return checked

    def _asked_who(self, request: Request) -> Decision:
        try:
            ask = bank_asks.read_query(request)
        except Malformed as problem:
            return Decision("malformed", refused(400, "malformed", str(problem)))
        word = bank_faults.word_in(ask.proxy_value)
        if word in QUERY_FAULTS:
            return Decision("query", payment_answers.query_fault(word), word)
        lookup_ref = "lkp_" + hashlib.sha256(f"{ask.proxy_type} {ask.proxy_value}".encode()).hexdigest()[:20]
        answer = payment_answers.payable(
            lookup_ref=lookup_ref,
            receiver_name=f"magic {word}" if word else f"Owner of …{ask.proxy_value[-4:]}",
            amount=ask.amount,
            currency=ask.currency,
        )
        return Decision("query", answer, word)

    def _decided(self, channel: str, request: Request, now: datetime) -> Decision:
        try:
            return self._decide(channel, request, now)
        except Malformed as problem:
            return Decision("malformed", refused(400, "malformed", str(problem)))

    def _decide(self, channel: str, request: Request, now: datetime) -> Decision:
        key, digest = asks.key_of(request), asks.digest(request)
        known = self._payments.payment(key)
        if known is not None and known.digest != digest:
            return Decision("conflict", refused(409, "key_reused", "This key came with another request."))
        if known is not None:
            return Decision("replayed", payment_answers.truth(known))
        ask = bank_asks.read(request, channel=channel)
        too_late = payment_answers.refusal(key, "too_late", "Not-After has passed.", channel=channel)
        if now > ask.not_after:
            return Decision("too_late", too_late)
        word, chosen = self._course(key, ask, channel)
        course = chosen.course
        if course.sight is not Sight.TRUTH:
            until = microseconds(now) + self._hidden if course.sight is Sight.HIDDEN else None
            self._store.set_sight(key, word_of(course.sight), until)
        if course.manner is Manner.TOO_LATE:
            return Decision("too_late", too_late, word)
        silence = silence_of(ask.not_after - now)
        if course.effect is Effect.NOTHING:
            return Decision("not_applied", operation_answers.untold(course.manner, silence=silence), word)
        made = self._made(key, ask, channel, chosen, digest, now)
        self._payments.add(made)
        self._tell(made, chosen, microseconds(now))
        return Decision(made.status, payment_answers.told(made, manner=course.manner, silence=silence), word)

    def _course(self, key: str, ask: PaymentAsk, channel: str) -> tuple[str, BankCourse]:
        """Return the fault that befalls this order: of a plan, or of the magic word on a key's first order."""
        planned = self._store.take_plan("ask", key)
        if planned is not None:
            return planned, BANK_COURSES[planned]
        word = bank_faults.word_in(ask.recipient)
        if word not in BANK_COURSES or not first_version(key) or self._store.faulted_before(key):
            return "", USUAL[channel]
        return word, BANK_COURSES[word]

    def _made(self, key: str, ask: PaymentAsk, channel: str, chosen: BankCourse, digest: str, now: datetime) -> Payment:
        """Return the payment that this order becomes. PromptPay settles today, a bank transfer on the next day."""
        at = microseconds(now)
        course = chosen.course
        pending = course.effect in (Effect.PENDING_CONFIRMED, Effect.PENDING_REJECTED)
        then = "settled" if course.effect is Effect.PENDING_CONFIRMED else "rejected"
        rejected = course.effect is Effect.REJECTED
        date = now.date() if channel == PROMPTPAY else now.date() + timedelta(days=1)
        return Payment(
            key=key,
            channel=channel,
            reference=ask.reference,
            recipient=ask.recipient_text,
            currency=ask.currency,
            amount=ask.amount,
            digest=digest,
            status="pending" if pending else "rejected" if rejected else "settled",
            code=course.code,
            response_id="bnk_" + hashlib.sha256(key.encode()).hexdigest()[:20],
            settlement_date=date.isoformat(),
            asked_at=at,
            applied_at=None if pending or rejected else at,
            pending_until=at + self._pending if pending else None,
            then_status=then if pending else None,
            returns_at=next_day(at) if chosen.returned else None,
        )

    def _tell(self, made: Payment, chosen: BankCourse, now: int) -> None:
        """Plan the events about a payment, once an inbox is known to send them to."""
        if self._payments.inbox() is None:
            return
        ended, due = made.then_status or made.status, made.pending_until or now
        first = "bev_" + hashlib.sha256(f"{made.key} {made.asked_at}".encode()).hexdigest()[:20]
        kind, news = "payout.updated", chosen.course.news
        if made.returns_at is not None:
            again = 2 if news is News.TWICE else 1
            for number in range(again):
                self._payments.add_news(
                    f"{first}-back-{number}", made.key, "payout.returned", "returned", made.returns_at
                )
            return
        match news:
            case News.EARLY:
                self._payments.add_news(first, made.key, kind, ended, now)
            case News.TWICE:
                for event_id in (first, first, f"{first}-again"):
                    self._payments.add_news(event_id, made.key, kind, ended, due)
            case News.REORDERED:
                self._payments.add_news(f"{first}-late", made.key, kind, ended, due)
                self._payments.add_news(first, made.key, kind, "pending", due)
            case News.ONCE if made.then_status is not None:
                self._payments.add_news(first, made.key, kind, ended, due)

    def _look(self, channel: str, key: str, now: datetime) -> Decision:
        known = self._payments.payment(key)
        word = self._store.take_plan("lookup", key) or self._store.sight(key, microseconds(now))
        sight = SIGHTS[word] if word is not None else Sight.TRUTH
        answer = payment_answers.glimpsed(known, key=key, channel=channel, sight=sight)
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


def _unauthorized() -> Decision:
    return Decision("unauthorized", refused(401, "unauthorized", "The signature is not ours."))
