"""The picture of a machine as pages show it: the state that a row is in, the path it walked, the moves possible now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.controls import diagrams
from ledger.controls.machines import DeclaredMove, Machine
from ledger.controls.states import Stateful
from ledger.models import Move

KINDS: Final = ("plain", "walked", "possible")
"""The classes of lines, each with an arrow's tip of its own."""

_MOST_MOVES: Final = 200


@dataclass(frozen=True, slots=True)
class Shape:
    """A box or a line: its CSS class (`here`, `walked`, `possible` or nothing) and what it says when pointed at."""

    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class ShownBox(Shape):
    box: diagrams.Box
    terminal: bool


@dataclass(frozen=True, slots=True)
class ShownLine(Shape):
    line: diagrams.Line


@dataclass(frozen=True, slots=True)
class Picture:
    """`name` tells apart the pictures of one page. `walked` is the path's states in order, the birth first."""

    name: str
    machine: str
    state: str
    width: int
    height: int
    boxes: tuple[ShownBox, ...]
    lines: tuple[ShownLine, ...]
    walked: tuple[str, ...]
    possible: tuple[DeclaredMove, ...]

    @property
    def told(self) -> str:
        """The picture in words, for those who do not see it."""
        if not self.state:
            return f"The states of {self.machine} and the moves between them."
        path = " → ".join(self.walked)
        ahead = ", ".join(dict.fromkeys(move.target for move in self.possible)) or "nowhere: it has ended"
        return f"The {self.machine} is {self.state}. Walked: {path}. From here: {ahead}."


def picture_of(machine: Machine, *, row: Stateful | None = None, moves: Sequence[Move] | None = None) -> Picture:
    """Draw a machine; with a row, lit by its state and its moves (read when they are not among those handed over)."""
    state = "" if row is None else str(getattr(row, "state"))  # noqa: B009  # a Stateful's subclasses have the field
    made = _made(row) if moves is None else _of(row, moves)
    declared = machine.moves()
    diagram = diagrams.laid_out(states=machine.states(), edges=machine.edges()[1:])
    walked = tuple(move.to_state for move in made)
    possible = tuple(one for one in declared if one.source == state)
    terminal = machine.terminal()
    return Picture(
        name=machine.name if row is None else row.reference,
        machine=machine.name.replace("_", " "),
        state=state,
        width=round(diagram.width),
        height=round(diagram.height),
        boxes=tuple(
            ShownBox(
                _kind_of_box(box.state, state, walked, possible), _times(box.state, made), box, box.state in terminal
            )
            for box in diagram.boxes
        ),
        lines=tuple(
            sorted((_line(line, state, made, declared) for line in diagram.lines), key=lambda one: len(one.kind) > 0)
        ),
        walked=walked,
        possible=possible,
    )


def _made(row: Stateful | None) -> list[Move]:
    if row is None:
        return []
    found = Move.objects.filter(machine=row.MACHINE, subject=row.reference).order_by("sequence")
    return list(found[:_MOST_MOVES])


def _of(row: Stateful | None, moves: Sequence[Move]) -> list[Move]:
    found = [one for one in moves if row is None or (one.machine, one.subject) == (row.MACHINE, row.reference)]
    return sorted(found, key=lambda one: one.sequence)[:_MOST_MOVES]


def _kind_of_box(box: str, state: str, walked: Sequence[str], possible: Sequence[DeclaredMove]) -> str:
    if box == state:
        return "here"
    if box in walked:
        return "walked"
    return "possible" if any(move.target == box for move in possible) else ""


def _line(line: diagrams.Line, state: str, made: Sequence[Move], declared: Sequence[DeclaredMove]) -> ShownLine:
    walked = [move for move in made if (move.from_state, move.to_state) == (line.source, line.target)]
    means = [one.meaning for one in declared if (one.source, one.target) == (line.source, line.target)]
    said = [f"{line.source} → {line.target}", *means]
    said += [f"{move.moved_at:%Y-%m-%d %H:%M:%S} by {move.actor}: {move.cause}" for move in walked]
    kind = "walked" if walked else ("possible" if line.source == state else "")
    return ShownLine(kind, "\n".join(said), line)


def _times(state: str, made: Sequence[Move]) -> str:
    return "\n".join([state, *(f"{move.moved_at:%Y-%m-%d %H:%M:%S}" for move in made if move.to_state == state)])
