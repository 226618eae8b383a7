"""`{% state_diagram row %}` draws the machine of a row, lit by it; `{% state_diagram "order" %}` the machine alone."""

from collections.abc import Sequence
from typing import Any

from django import template

from ledger.controls import machines
from ledger.controls.state_pictures import KINDS, picture_of
from ledger.controls.states import Stateful
from ledger.models import Move

register = template.Library()


@register.inclusion_tag("console/state_diagram.html")
def state_diagram(of: Any, moves: Sequence[Move] | None = None) -> dict[str, Any]:
    """Draw nothing for what has no machine, so that a page may ask for any row. Moves that it has are not read."""
    if isinstance(of, Stateful):
        return {"picture": picture_of(machines.named(of.MACHINE), row=of, moves=moves), "kinds": KINDS}
    return {"picture": picture_of(machines.named(of)) if isinstance(of, str) and of else None, "kinds": KINDS}
