"""The registry of metrics: each app registers what it counts in ``AppConfig.ready()``; ``/metrics`` asks.

``register("holdfast_reviews_open", "Open review cases.", "gauge", collect)`` where ``collect()`` yields
``(labels, value)``. A collector runs one bounded query and never changes anything.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["gauge", "counter"]
Sample = tuple[Mapping[str, str], int | float]
Collect = Callable[[], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric and the function that reads it."""

    name: str
    help: str
    kind: Kind
    collect: Collect


_registered: Final[dict[str, Metric]] = {}


def register(name: str, help: str, kind: Kind, collect: Collect) -> None:
    """Add a metric, or put its new collector in the old one's place."""
    if not (name.isascii() and name.replace("_", "a").isalnum() and name == name.lower()):
        raise ValueError(f"{name!r} is no metric name: use small letters, digits and underscores")
    _registered[name] = Metric(name=name, help=help, kind=kind, collect=collect)


def registered() -> tuple[Metric, ...]:
    """Return all metrics by name."""
    return tuple(_registered[name] for name in sorted(_registered))
