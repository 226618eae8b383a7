"""Bring the bundled baseline into a book: what is missing is loaded, what people changed is left alone.

The baseline's versions are reference rows, loaded by the tables' owner as legal moves are: a release's review is their
second person. They still go through every state, which the trigger of rule S1 sees to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ledger.chart import bundled
from ledger.chart.entries import as_rows
from ledger.controls import references
from ledger.controls.references import Prefix
from ledger.environments import Environment
from ledger.models.chart import ChartVersion, GLMapping, PostingTemplate, Version

BASELINE: Final = "baseline"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: names of what was loaded, and of what stands otherwise than in the baseline by people's will."""

    loaded: Sequence[str]
    kept: Sequence[str]


def restore(*, environment: str, now: datetime) -> Restored:
    """Load the baseline, in the caller's transaction. Again, it changes nothing.

    A version of an older baseline is replaced by the new one; one that two people activated stays.
    """
    loaded: list[str] = []
    kept: list[str] = []

    for model, prefix, wanted in (
        (ChartVersion, Prefix.CHART, {"": {"content": as_rows(bundled.chart())}}),
        (GLMapping, Prefix.MAPPING, {name: {"content": content} for name, content in bundled.contents().items()}),
        (PostingTemplate, Prefix.TEMPLATE, {name: {"source": source} for name, source in bundled.sources().items()}),
    ):
        rows = []
        standing = {_name(row): row for row in _of(model, environment).filter(state=Version.State.ACTIVE)}
        highest = {_name(row): row.number for row in _of(model, environment).order_by("number")}
        retired = []
        for name, content in wanted.items():
            old = standing.get(name)
            (column, value), *_ = content.items()
            if old is not None and getattr(old, column) == value:
                continue
            label = f"{model._meta.verbose_name} {name}".strip()
            if old is not None and old.made_by != BASELINE:
                kept.append(label)
                continue
            loaded.append(label)
            if old is not None:
                retired.append(old.pk)
            named = {"event_type": name} if name else {}
            rows.append(_born(model, prefix, environment, highest.get(name, 0) + 1, now, **named, **content))
        _load(model, rows, retired=retired, now=now)
    return Restored(loaded=loaded, kept=kept)


def _born(model: type[Version], prefix: Prefix, environment: str, number: int, now: datetime, **values: Any) -> Version:
    return model(
        reference=references.new(prefix),
        environment=Environment(environment),
        number=number,
        made_by=BASELINE,
        created_at=now,
        updated_at=now,
        **values,
    )


def _load(model: type[Version], rows: Iterable[Version], *, retired: list[int], now: datetime) -> None:
    made = model._default_manager.bulk_create(list(rows))
    if not made:
        return
    written = model._default_manager.filter(reference__in=[row.reference for row in made])
    written.update(state=Version.State.PROPOSED, version=2)
    if retired:
        model._default_manager.filter(pk__in=retired).update(
            state=Version.State.RETIRED, version=4, retired_at=now, updated_at=now
        )
    written.update(state=Version.State.ACTIVE, version=3, activated_by=BASELINE, activated_at=now)


def _of(model: type[Version], environment: str) -> Any:
    return model._default_manager.filter(environment=environment)


def _name(row: Version) -> str:
    return getattr(row, "event_type", "")
