"""What an operation of the console is: a title, who may do it, the fields of its dialog, and what it does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.controls.roles import Ability

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """`fields` are (name, label, choices or none, read when shown); `run` returns what to tell, in the caller's transaction."""

    title: str
    about: str
    ability: Ability
    fields: Callable[[], Sequence[tuple[str, str, Iterable[str]]]]
    run: Callable[[Form, str], str]
