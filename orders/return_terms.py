"""The ledger lines of a return: what happened against transit, and what became of it.

A return whose late leg is a debit took money from the operator's wallet (the operator owes us); one of a reverse or a
credit gave it. The event types take both sides, `taken` and `given`; one of them is 0 and posts nothing.
"""

from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Return


def late_effect(found: Return) -> Draft:
    """Book the late movement: the operator's due against transit."""
    return _draft("LATE_EFFECT", "adjust", found, taken=found.gives_back_by == "credit")


def given_back(found: Return) -> Draft:
    """Book the movement back: transit against the operator's due."""
    return _draft("RETURN_GIVEN_BACK", "give_back", found, taken=found.gives_back_by == "debit")


def kept(found: Return) -> Draft:
    """Leave it for the net settlement: transit against the operator's due, marked so."""
    return _draft("RETURN_KEPT", "keep", found, taken=found.gives_back_by == "debit")


def _draft(event_type: str, step: str, found: Return, *, taken: bool) -> Draft:
    amount = Money(int(found.amount_minor), found.asset)
    nothing = Money(0, found.asset)
    refs = {"return": found.reference, "order": found.order_reference}
    refs |= {name: found.terms[name] for name in ("trade", "quote") if found.terms.get(name)}
    return Draft(
        event_type=event_type,
        key=f"{found.reference}:{step}",
        subject=found.reference,
        refs=refs,
        metadata={"settlement": "net"} if event_type == "RETURN_KEPT" else {},
        amounts={"taken": amount if taken else nothing, "given": nothing if taken else amount},
        accounts=dict(found.terms["accounts"]),
    )
