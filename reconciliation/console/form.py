"""What an operation of the console is: a form, and what its POST does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.controls.roles import Ability

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """`fields` are (name, label, choices or an empty list); `run` returns what to tell, in the caller's transaction."""

    title: str
    about: str
    ability: Ability
    fields: Callable[[], list[tuple[str, str, list[str]]]]
    run: Callable[[Form, str], str]
