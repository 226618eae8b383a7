"""Every state machine of the house, by name, with its edges read from its FSM field."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.db import models
from django_fsm import FSMField


@dataclass(frozen=True, slots=True)
class DeclaredMove:
    """One edge, with the FSM method that it is and what that says it means."""

    name: str
    source: str
    target: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    model: type[models.Model]
    first: str

    @property
    def field(self) -> FSMField:
        return cast(FSMField, self.model._meta.get_field("state"))

    def edges(self) -> list[tuple[str, str]]:
        """Return (from, to) for each declared move, the birth as ("", first) first."""
        found: Any = self.field.get_all_transitions(self.model)
        return [("", self.first), *sorted({(str(edge.source), str(edge.target)) for edge in found})]

    def moves(self) -> list[DeclaredMove]:
        """Return every declared move, in the order of its source's and target's declaration."""
        found: Any = self.field.get_all_transitions(self.model)
        order = self.states()
        made = [
            DeclaredMove(edge.name, str(edge.source), str(edge.target), inspect.getdoc(edge.method) or "")
            for edge in found
        ]
        return sorted(made, key=lambda one: (order.index(one.source), order.index(one.target), one.name))

    def states(self) -> list[str]:
        return [str(value) for value, _ in self.field.flatchoices]

    def terminal(self) -> frozenset[str]:
        leaving = {source for source, _ in self.edges()}
        return frozenset(state for state in self.states() if state not in leaving)


_machines: dict[str, Machine] = {}


def register(model: type[models.Model], *, name: str, first: str) -> None:
    """Announce a machine; called once per machine from `AppConfig.ready()`."""
    _machines[name] = Machine(name=name, model=model, first=first)


def named(name: str) -> Machine:
    return _machines[name]


def every() -> Iterator[Machine]:
    yield from _machines.values()
