"""What the bank tells by itself: signed `payout.updated` and `payout.returned` events."""

from wallets.sandbox.clock import Clock, microseconds
from wallets.sandbox.news import AGAIN_AFTER, TRIES, Message, signed
from wallets.sandbox.payments import BankNews, Payment, Payments
from wallets.sandbox.store import Store


class BankMessenger:
    """Knows which events are due, and writes down how they were answered. Sends nothing itself."""

    def __init__(self, store: Store, wall: Clock) -> None:
        self._store = store
        self._payments = Payments(store)
        self._clock = wall

    def due(self) -> list[Message]:
        """Return the events whose time has come, signed as of now."""
        now = self._clock.now()
        with self._store.transaction():
            place = self._payments.inbox()
            if place is None:
                return []
            self._payments.settle_due(microseconds(now))
            found = self._payments.due_news(microseconds(now))
            payments = {one.key: self._payments.payment(one.key) for one in found}
        return [
            signed(
                one.id,
                one.tries,
                place=place,
                event_id=one.event_id,
                kind=one.kind,
                told=_told(one, payments[one.key]),
                now=now,
            )
            for one in found
        ]

    def told(self, message: Message, status: int | None) -> None:
        """A 2xx is the end of it, and so is the last try; else it is sent again a second later."""
        taken = status is not None and 200 <= status < 300
        answered = status or 0 if taken or message.tries + 1 >= TRIES else None
        with self._store.transaction():
            again_at = microseconds(self._clock.now()) + AGAIN_AFTER
            self._payments.news_told(message.number, answered=answered, again_at=again_at)


def _told(news: BankNews, payment: Payment | None) -> dict[str, object]:
    """Say what an event says. A returned payment has the bank's id of the return, the same in every event about it."""
    content: dict[str, object] = {"idempotency_key": news.key, "status": news.status}
    if news.kind == "payout.returned" and payment is not None:
        content |= {
            "return_id": payment.return_id,
            "amount": payment.amount,
            "currency": payment.currency,
            "reason": "account_closed",
        }
    return content
