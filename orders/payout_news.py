"""A bank's own news of a payment, through the inbox: evidence, never the truth (DESIGN.md, section 5).

- `payout.updated`: the one thing that follows is that the lookup, which we ask and sign, comes now; also of a payment whose
  end we know, when the bank says otherwise
- `payout.returned`: a payment came back that was made, in time or late; a return is opened in which people say whether it is
  so, once per transaction of the bank, under however many event ids it is announced. In parts, each is a return of its own,
  never more than was paid. Money that came back and fits nothing here, or that is told otherwise than before, is never
  ignored: it is parked, and becomes a dead event that people work. While people look whether it was paid late it waits
"""

from collections.abc import Mapping
from typing import Final

from ledger import assets
from ledger.controls import bell, clock
from ledger.controls.moves import Why
from ledger.money import InvalidAmount, Money, parse
from orders.locks import IntentFrozen, lock_payout
from orders.models import Freeze, Intent, Payout, Return
from orders.operations import read_returns
from orders.operations.return_payout import return_payout
from orders.operations.told_returns import late_payment, room, take_up, was_told
from orders.sagas import news
from wallets import payment_news, payment_reads
from webhooks import booked_transactions, routing
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

UPDATED: Final = "payout.updated"
RETURNED: Final = "payout.returned"
_STATUSES: Final = ("settled", "rejected", "pending", "returned")
_OTHERWISE: Final = frozenset(
    {("confirmed", "rejected"), ("confirmed", "returned"), ("rejected", "settled"), ("rejected", "returned")}
)
"""What we know of a payment for ever, and what the bank may say against it."""


def register() -> None:
    routing.handle(UPDATED, hear_update)
    routing.handle(RETURNED, hear_return)


def hear_update(message: InboundMessage) -> Judgement:
    """Judge one `payout.updated`, in the inbox worker's transaction."""
    said = _said(message)
    status = said.get("status")
    if not message.subjects or status not in _STATUSES:
        return Ignored("it names no key, or no status of the protocol")
    key = message.subjects[0]
    known = payment_news.known_under(key, provider_operator=message.operator_id, environment=message.environment)
    if known is None:
        return Parked(f"{key} is not here (yet)")
    if not known.is_open and (known.state, status) not in _OTHERWISE:
        return Ignored(f"{key} is {known.state} already; the bank says {status}")
    if not known.is_asked:
        return Parked(f"{key} was not asked yet")
    if known.in_flight:
        return Parked(f"{key} is being asked at this moment")
    if status == "pending":
        return Ignored(f"{key} is {known.state}, and pending says nothing new")
    intent = Payout.objects.filter(reference=known.owner).values_list("intent_reference", flat=True).first()
    if Freeze.objects.filter(subject=intent, lifted_at__isnull=True).exists():
        return Parked(f"{intent} is frozen", counts=False)
    if known.state == "confirmed":
        payment_reads.hasten([known.owner], now=clock.now(), over_too=True)
        bell.ring_after_commit(read_returns.KIND)
    else:
        news.tell(known.owner, environment=message.environment, now=clock.now())
    return Applied(f"{known.owner} is due: {key} is looked up; the bank says {status}")


def hear_return(message: InboundMessage) -> Judgement:
    """Judge one `payout.returned`, in the inbox worker's transaction."""
    said = _said(message)
    if not message.subjects or not message.transaction:
        return Ignored("it names no key, or not the bank's id of the return")
    key = message.subjects[0]
    known = payment_news.known_under(key, provider_operator=message.operator_id, environment=message.environment)
    if known is None:
        return Parked(f"{key} is not here (yet)")
    if not Payout.objects.filter(reference=known.owner).exists():
        return Ignored(f"{key} is no payout's")
    try:
        intent, payout = lock_payout(known.owner)
    except IntentFrozen:
        return Parked(f"{known.owner} is frozen", counts=False)
    if not intent.terminal:
        return Parked(f"{intent.reference} is {intent.state}: its own end comes first")
    late = "" if intent.state == Intent.State.SETTLED else late_payment(intent)
    if late == Return.State.OPEN:
        return Parked(f"people are looking whether {intent.reference} was paid late", counts=False)
    if intent.state != Intent.State.SETTLED and late != Return.State.ADJUSTED:
        return Parked(f"{intent.reference} is {intent.state}: nothing of it was paid (yet)")
    amount = _amount(said, intent)
    if amount is None:
        return Parked(f"it is about another asset or amount than {intent.reference}")
    now = clock.now()
    if not booked_transactions.book_once(message, kind=RETURNED, now=now):
        if not was_told(intent, named=message.transaction, amount=amount):
            return Parked(f"the return {message.transaction} was heard before, about another payment or amount")
        return Ignored(f"the return {message.transaction} was heard before")
    twin, rest = take_up(intent, named=message.transaction, amount=amount)
    if twin is not None and rest.minor == 0:
        return Ignored(f"{twin.reference} is that return: a status read found it before")
    if rest.minor > room(intent):
        return Parked(f"with it more of {intent.reference} would have come back than was paid")
    found = return_payout(
        intent=intent,
        payout=payout,
        amount=rest,
        provider={"return_id": message.transaction, "reason": str(said.get("reason", "")).replace("\x00", "")[:80]},
        why=Why("bank", "the payment came back", event=message.reference),
        now=now,
    )
    return Applied(f"{found.reference} is open: {key} came back")


def _said(message: InboundMessage) -> Mapping[str, object]:
    content = message.content
    inner = content.get("data") if isinstance(content, dict) else None
    return inner if isinstance(inner, dict) else {}


def _amount(said: Mapping[str, object], intent: Intent) -> Money | None:
    """Read what came back: at most what was paid, in its asset."""
    if said.get("currency") != intent.asset:
        return None
    try:
        amount = parse(said.get("amount"), assets.named(intent.asset))
    except InvalidAmount:
        return None
    return amount if 0 < amount.minor <= int(intent.credit_minor or 0) else None
