"""Looks: what workers and metrics ask again and again, over as many orders as the console's pages (F12), most of them ended.

Each kind of work is asked how much of it is due, each metric for its samples, in this process, connected as the application is.
"""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from tests.bench.console import ORDERS
from tests.bench.rows import Row

_TIMES: Final = 7
_MOST_MS: Final = 100


def at_what_is_due(say: Any) -> Row:
    """Ask all of them some times. The row is the median of the slowest."""
    took = {name: statistics.median(_milliseconds(look) for _ in range(_TIMES)) for name, look in _looks()}
    for name, milliseconds in sorted(took.items(), key=lambda one: -one[1])[:5]:
        say(f"  {name:<44} {milliseconds:>7.1f} ms")
    slowest = max(took, key=lambda name: took[name])
    over = [name for name, milliseconds in took.items() if milliseconds > _MOST_MS]
    return Row(
        "looks",
        took[slowest],
        "ms",
        _MOST_MS,
        took[slowest] / _MOST_MS,
        f"≤ {_MOST_MS} ms",
        f"slowest of {len(took)} looks at what is due or measured: {slowest}; {ORDERS:,} orders; {len(over)} over;"
        " baseline: the limit",
    )


def _looks() -> Iterator[tuple[str, Callable[[], object]]]:
    from ledger.controls import drains, metrics

    for kind in drains.kinds():
        yield f"due: {kind}", partial(drains.depth, kind)
    for metric in metrics.registered():
        yield metric.name, partial(_all_of, metric.collect)


def _all_of(collect: Callable[[], Iterable[object]]) -> None:
    for _ in collect():
        pass


def _milliseconds(look: Callable[[], object]) -> float:
    began = time.perf_counter()
    look()
    return (time.perf_counter() - began) * 1000
