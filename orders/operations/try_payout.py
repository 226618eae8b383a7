"""A payout's dry run: the same path, with the channel's question really asked, and all of it rolled back.

1 begin the payout, and roll it back: whatever is refused before anybody is asked is refused here too
2 ask the channel who the recipient is, no transaction open: it moves nothing, and tells the network's fee
3 begin and finish it in one transaction: priced, limits taken, funds held; look at what stands; roll it back
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls import clock
from ledger.controls.rest.caller import Caller
from ledger.money import Money
from orders import payout_terms
from orders.models import Intent, Payout
from orders.operations import create_payout
from orders.payout_requests import PayoutRequest
from wallets import holders, limit_reads
from wallets.holders import AssetBalance
from wallets.recipient_queries import RecipientAnswer

_TO: Final = {"bank": "recipient_bank", "revenue": "fees", "vat": "vat"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the hold, as it is posted at the end: out of the wallet, to whom."""

    to: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Used:
    """What one limit holds after it; `day` is empty for a limit of one payment, which holds nothing."""

    name: str
    scope: str
    period: str
    day: str
    taken: Money
    used: Money


@dataclass(frozen=True, slots=True)
class Tried:
    """What would stand after it. One that stops at VALIDATED holds nothing and takes nothing of limits yet."""

    intent: Intent
    lines: list[Line]
    limits: list[Used]
    balance: AssetBalance


def try_payout(*, caller: Caller, asked: PayoutRequest, confirm: bool) -> Tried:
    """Walk the path and keep nothing. Raises what `create_payout` refuses. Outside any transaction."""
    with db_transaction.atomic():
        intent = create_payout.begin_payout(caller=caller, asked=asked, now=clock.now())
        db_transaction.set_rollback(True)
    told = create_payout.ask_who_is_paid(intent)
    with db_transaction.atomic():
        tried = _walked(caller, asked, told, confirm=confirm, now=clock.now())
        db_transaction.set_rollback(True)
    return tried


def _walked(caller: Caller, asked: PayoutRequest, told: RecipientAnswer, *, confirm: bool, now: datetime) -> Tried:
    begun = create_payout.begin_payout(caller=caller, asked=asked, now=now)
    intent = create_payout.finish_payout(
        reference=begun.reference, told=told, confirm=confirm, actor=caller.actor, now=now
    )
    wallet = holders.lock_wallet(intent.payer)
    (balance,) = [one for one in holders.balances_of(wallet) if one.asset == intent.asset]
    payout = Payout.objects.filter(intent_reference=intent.reference).first()
    lines = _lines(intent, payout or Payout(reference="pay_of_a_dry_run"))
    return Tried(intent, lines, _limits(intent), balance)


def _lines(intent: Intent, payout: Payout) -> list[Line]:
    """Return the settling's lines, by what they are for: an operator sees no account of the book."""
    named = {address: name for name, address in intent.terms["accounts"].items()}
    settled = journal.postings_of(payout_terms.settle(intent, payout), environment=intent.environment)
    return [Line(_TO[named[one.credit]], one.amount) for one in settled]


def _limits(intent: Intent) -> list[Used]:
    counters = limit_reads.used_in([one["counter"] for one in intent.usages if one["counter"] is not None])
    return [
        Used(
            name=one["name"],
            scope=one["scope"],
            period=one["period"],
            day=one["day"] or "",
            taken=Money(int(one["amount_minor"]), intent.asset),
            used=Money(counters.get(one["counter"], 0), intent.asset),
        )
        for one in intent.usages
    ]
