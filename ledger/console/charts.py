"""The geometry of the reports' charts: whole numbers for inline SVG, whatever the size of the amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger import assets
from ledger.reports.books import AlmAsset, Day

WIDTH: Final = 600
HEIGHT: Final = 120


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """One asset's balance day by day. `zero` is the height of the zero line."""

    asset: str
    points: Sequence[Point]
    zero: int
    first: str
    last: str
    highest: str
    lowest: str

    @property
    def path(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    width: int
    text: str
    colour: str
    y: int


def lines(days: Sequence[Day], *, sign: int = 1) -> list[Line]:
    """Return a line for each asset that ever had something; `sign` -1 turns credits less debits round."""
    found = []
    for asset in sorted({day.asset for day in days}):
        values = [(day.day, sign * day.amount) for day in days if day.asset == asset]
        if not any(value for _, value in values):
            continue
        highest, lowest = max(0, *(value for _, value in values)), min(0, *(value for _, value in values))
        steps = max(len(values) - 1, 1)
        points = [
            Point(
                n * WIDTH // steps,
                _height(value, lowest, highest),
                f"{day}: {assets.for_reading(value, asset)} {asset}",
            )
            for n, (day, value) in enumerate(values)
        ]
        found.append(
            Line(
                asset,
                points,
                _height(0, lowest, highest),
                values[0][0].isoformat(),
                values[-1][0].isoformat(),
                assets.for_reading(highest, asset),
                assets.for_reading(lowest, asset),
            )
        )
    return found


def bars(asset: AlmAsset) -> list[Bar]:
    """Return one asset's covers, owed and in flight, each as long as its share of the largest."""
    parts = (
        ("covers", asset.of("covers"), "#2563eb"),
        ("owed", asset.of("owed"), "#b45309"),
        ("in flight", asset.of("in_flight"), "#6b7280"),
    )
    largest = max(1, *(abs(amount) for _, amount, _ in parts))
    return [
        Bar(name, 300 * abs(amount) // largest, f"{assets.for_reading(amount, asset.asset)}", colour, 22 * n)
        for n, (name, amount, colour) in enumerate(parts)
    ]


def _height(value: int, lowest: int, highest: int) -> int:
    return HEIGHT - 10 - (HEIGHT - 20) * (value - lowest) // max(highest - lowest, 1)
