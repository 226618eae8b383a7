"""What a transfer writes into the history of its two wallets."""

from typing import Final
from uuid import UUID

from ledger.money import Money
from orders.intent_history import Entry
from orders.models import Intent

OUT: Final = "transfer_out"
IN: Final = "transfer_in"
HOLD: Final = "transfer_hold"
RELEASE: Final = "transfer_release"


def settled(intent: Intent, transaction_id: UUID | None, *, was_held: bool = False) -> list[Entry]:
    """The debit left the payer and the credit reached the payee; `was_held`: by a transaction before this one."""
    debit, credit = _amounts(intent)
    return [
        _entry(intent, OUT, -debit, transaction_id, held_minor=-debit if was_held else 0),
        _entry(intent, IN, credit, transaction_id),
    ]


def held(intent: Intent, transaction_id: UUID | None) -> list[Entry]:
    """The payer's debit is held: its posted balance stays."""
    debit, _ = _amounts(intent)
    return [_entry(intent, HOLD, -debit, transaction_id, held_minor=debit, posts=False)]


def released(intent: Intent, transaction_id: UUID | None) -> list[Entry]:
    """What was held went back."""
    debit, _ = _amounts(intent)
    return [_entry(intent, RELEASE, debit, transaction_id, held_minor=-debit, posts=False)]


def _entry(
    intent: Intent, kind: str, minor: int, transaction_id: UUID | None, *, held_minor: int = 0, posts: bool = True
) -> Entry:
    role, wallet = ("payee", intent.payee) if kind == IN else ("payer", intent.payer)
    assert intent.operator_id is not None
    return Entry(
        wallet=wallet,
        operator_id=intent.operator_id,
        address=intent.terms["accounts"][role],
        subject=intent.reference,
        kind=kind,
        amount=Money(minor, intent.asset),
        transaction_id=transaction_id,
        posts=posts,
        held_minor=held_minor,
    )


def _amounts(intent: Intent) -> tuple[int, int]:
    assert intent.debit_minor is not None, "not priced yet"
    assert intent.credit_minor is not None, "not priced yet"
    return int(intent.debit_minor), int(intent.credit_minor)
