"""What the card of freezes shows on the page of an order or intent and of its case."""

from typing import Any, Final

from django.http import HttpRequest

from ledger.controls.roles import Ability, may
from orders.models import Freeze, Intent, Order

_MOST: Final = 20


def freeze_card(request: HttpRequest, subject: Order | Intent | None) -> dict[str, Any]:
    """Return the open freeze, the newest ones, and whether this person may freeze and lift."""
    freezes = list(Freeze.objects.filter(subject=subject.reference).order_by("-pk")[:_MOST]) if subject else []
    return {
        "freezable": subject,
        "freezable_kind": subject.kind if isinstance(subject, Intent) else "order",
        "frozen": next((one for one in freezes if one.lifted_at is None), None),
        "freezes": freezes,
        "may_freeze": may(request.user, Ability.HALT_AND_FREEZE),
    }
