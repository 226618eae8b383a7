"""GL mappings: what an event type debits and credits, by GL code. Knows no database."""

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    PLAIN = "plain"
    """Its sends are posted at once."""
    RESERVE = "reserve"
    """Its sends become one hold, with its timeout."""
    SETTLE = "settle"
    """Ends a hold of its reserve type: posted as its sends say; a pending without one is voided."""
    RELEASE = "release"
    """Ends a hold of its reserve type: voided. The template is the reserve's turned round."""


@dataclass(frozen=True, slots=True)
class Role:
    """A named account of an event type: the codes it may stand at. Not given, it is the account named `otherwise`."""

    codes: tuple[str, ...]
    otherwise: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A named amount of an event type: the codes it is debited at and credited at. A line not given posts nothing.

    `needs` names accounts that must be given with it.
    """

    debit: tuple[str, ...]
    credit: tuple[str, ...]
    about: str
    required: bool
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """One event type's. `debit` and `credit` are its main pair; `ends` is the reserve type that a settle or release ends."""

    event_type: str
    about: str
    phase: Phase
    ends: str | None
    debit: str
    credit: str
    main: str
    accounts: AnyMapping[str, Role]
    lines: AnyMapping[str, Line]

    @property
    def codes(self) -> frozenset[str]:
        """Every code that a posting of this type may land on."""
        return frozenset(code for line in self.lines.values() for code in (*line.debit, *line.credit))


def from_content(event_type: str, content: AnyMapping[str, Any]) -> Mapping:
    """Read a mapping as it is stored (JSON)."""
    return Mapping(
        event_type=event_type,
        about=content["about"],
        phase=Phase(content["phase"]),
        ends=content.get("ends"),
        debit=content["debit"],
        credit=content["credit"],
        main=content["main"],
        accounts={
            name: Role(codes=tuple(role["codes"]), otherwise=role.get("else"))
            for name, role in content["accounts"].items()
        },
        lines={
            name: Line(
                debit=tuple(line["debit"]),
                credit=tuple(line["credit"]),
                about=line["about"],
                required=line.get("required", False),
                needs=tuple(line.get("needs", ())),
            )
            for name, line in content["lines"].items()
        },
    )
