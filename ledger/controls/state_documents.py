"""docs/states.md and the pictures in docs/states/, made from the machines: every state, every declared move."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.template.loader import render_to_string

from ledger.controls import machines
from ledger.controls.state_pictures import KINDS, picture_of

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"

_HEAD: Final = """# States

Made from the machines' own edges by `manage.py draw_states`; a test holds the two equal. The database knows the same edges
(`legal_move`): any other change of a state is refused, from raw SQL too. Terminal states have a thicker rim; they never
change. In the console the same pictures are lit: where a row is, the path that it walked, the moves possible from there.
"""


def written() -> dict[Path, str]:
    """Return every file of this part of the documentation, by its path."""
    pictures = {DOCS / "states" / f"{machine.name}.svg": _drawn(machine) for machine in machines.every()}
    return {DOCS / "states.md": "\n".join(_lines()) + "\n", **pictures}


def _drawn(machine: machines.Machine) -> str:
    style = render_to_string("console/state_style.html", {"standalone": True})
    context = {"picture": picture_of(machine), "kinds": KINDS, "style": style}
    return render_to_string("console/state_svg.html", context)


def _lines() -> Iterator[str]:
    yield _HEAD
    for machine in sorted(machines.every(), key=lambda one: one.name):
        name = machine.name.replace("_", " ")
        yield f"## {name.capitalize()}\n"
        yield f"![The states of {name}](states/{machine.name}.svg)\n"
        yield f"Born `{machine.first}`. Terminal: {', '.join(f'`{one}`' for one in _ends(machine)) or 'none'}.\n"
        yield "| from | to | when |\n| -- | -- | -- |"
        yield from (f"| {move.source} | {move.target} | {' '.join(move.meaning.split())} |" for move in machine.moves())
        yield ""


def _ends(machine: machines.Machine) -> list[str]:
    return [state for state in machine.states() if state in machine.terminal()]
