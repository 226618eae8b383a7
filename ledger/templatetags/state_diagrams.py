"""`{% state_diagram row %}` draws the machine of a row, lit by it; `{% state_diagram "order" %}` the machine alone."""

from typing import Any

from django import template

from ledger.controls import machines
from ledger.controls.state_pictures import KINDS, picture_of
from ledger.controls.states import Stateful

register = template.Library()


@register.inclusion_tag("console/state_diagram.html")
def state_diagram(of: Any) -> dict[str, Any]:
    """Draw nothing for what has no machine, so that a page may ask for any row."""
    if isinstance(of, Stateful):
        return {"picture": picture_of(machines.named(of.MACHINE), row=of), "kinds": KINDS}
    return {"picture": picture_of(machines.named(of)) if isinstance(of, str) and of else None, "kinds": KINDS}
