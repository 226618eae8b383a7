"""What of a payment's coming back was told by whom: a status read tells a sum, the bank's events tell its parts, in any order.

A return that a read has found takes up the events that announce its money, each under the bank's own id, until their sum is
its amount; what is told beyond it is another return. One that people have dismissed takes them up as well, and no longer
counts as told: the event is evidence that they had not seen, and opens a return of its own.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet

from ledger.money import Money
from orders.models import Intent, Return

STATUS_READ: Final = "status read"
"""Who found a return that the bank had not told."""

_State = Return.State


def of(intent: Intent) -> "QuerySet[Return]":
    """Return the returns of what came back of a payout, the oldest first."""
    return Return.objects.filter(intent_reference=intent.reference, kind=Return.Kind.PAYOUT_RETURNED).order_by("pk")


def late_payment(intent: Intent) -> str:
    """Return the state of a failed payout's late payment: open until people have looked, "" when there is none."""
    late = Return.objects.filter(intent_reference=intent.reference, kind=Return.Kind.LATE_EFFECT).order_by("-pk")
    return late.values_list("state", flat=True).first() or ""


def told_minor(intent: Intent) -> int:
    """Return how much is known to have come back, dismissed or not, nothing twice. The caller holds the intent locked."""
    return sum(int(one.amount_minor) - (_heard_of(one) if one.state == _State.DISMISSED else 0) for one in of(intent))


def room(intent: Intent) -> int:
    """Return how much of a payout may still come back: what was paid, less every return that people have not dismissed."""
    stands = [int(one.amount_minor) for one in of(intent) if one.state != _State.DISMISSED]
    return int(intent.credit_minor or 0) - sum(stands)


def was_told(intent: Intent, *, named: str, amount: Money) -> bool:
    """Tell whether this much was announced as come back of this payout under the bank's id, by one return or by several."""
    told = [
        _heard(one).get(named, int(one.amount_minor) if _provider(one).get("return_id") == named else 0)
        for one in of(intent)
    ]
    return amount.minor in (*told, sum(told))


def take_up(intent: Intent, *, named: str, amount: Money) -> tuple[Return | None, Money]:
    """Let a return that a read has found take up an event's money; None when the event is of another. `named` is heard once.

    The one that names its id comes first, then one of just its amount, then any with so much not heard of. Returns it and what
    the event tells beyond it, unless people have dismissed it. The caller holds the intent locked.
    """
    read = [one for one in of(intent) if _provider(one).get("by") == STATUS_READ and _left_of(one) > 0]
    ranked = sorted(read, key=lambda one: (_provider(one).get("return_id") != named, _left_of(one) != amount.minor))
    for found in ranked:
        provider = _provider(found)
        if provider.get("return_id") == named or _left_of(found) >= amount.minor:
            taken = min(amount.minor, _left_of(found))
            heard = {**_heard(found), named: taken}
            found.terms = {
                **found.terms,
                "provider": {**provider, "return_id": provider.get("return_id") or named, "heard": heard},
            }
            Return.objects.filter(pk=found.pk).update(terms=found.terms)
            if found.state != _State.DISMISSED:
                return found, Money(amount.minor - taken, amount.asset)
            break
    return None, amount


def _left_of(found: Return) -> int:
    return int(found.amount_minor) - _heard_of(found)


def _heard_of(found: Return) -> int:
    return sum(_heard(found).values())


def _heard(found: Return) -> dict[str, int]:
    """Return the minor units that events have announced of it, by the bank's id."""
    heard = _provider(found).get("heard", {})
    return {str(name): int(minor) for name, minor in heard.items()}


def _provider(found: Return) -> Mapping[str, Any]:
    provider = found.terms.get("provider", {})
    return provider if isinstance(provider, dict) else {}
