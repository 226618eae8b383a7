"""Draw any machine from its own edges: layers from left to right, in the order in which its states are declared.

The layout is the layered one of Sugiyama, Tagawa and Toda, small enough to be read:

1 an edge to a state declared earlier runs against the flow, and is turned round while the layout is made
2 a state's layer is the longest way to it; an edge over several layers passes a bend in each between them
3 a few sweeps order each layer by where its neighbours lie, so that few lines cross
4 a few more draw everything towards the height of its neighbours, never closer than its room

Pure: the same edges make the same picture, byte for byte.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Edge = tuple[str, str]

_LINE: Final = 14
_LETTER: Final = 7.0
_ROOM: Final = 14
_BETWEEN_ENDS: Final = 8
_BETWEEN_LAYERS: Final = 62
_BEND: Final = 9
_SWEEPS: Final = 12
_LONGEST_LINE: Final = 13


@dataclass(frozen=True, slots=True)
class Box:
    """One state: its lines of text, and its rectangle (x and y are the upper left corner)."""

    state: str
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def texts(self) -> list[tuple[str, float]]:
        """Return each line with the height of its baseline."""
        top = self.middle[1] - _LINE * (len(self.lines) - 1) / 2 + 4
        return [(line, round(top + _LINE * n, 1)) for n, line in enumerate(self.lines)]


@dataclass(frozen=True, slots=True)
class Line:
    """One edge as the path of an SVG, from its source's side to its target's."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Diagram:
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Place:
    """A state or a bend in the making: its layer, the room that it needs and the height of its middle."""

    state: str
    layer: int
    height: float
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class _Chain:
    """The places that an edge passes from left to right, and whether its arrow points against them."""

    edge: Edge
    places: tuple[_Place, ...]
    backward: bool


def laid_out(*, states: Sequence[str], edges: Sequence[Edge]) -> Diagram:
    """Lay out the states and the edges between them. Raises KeyError for an edge to a state that is not named."""
    drawn = list(dict.fromkeys(edges))
    flow = [_with_the_flow(edge, states) for edge in drawn if edge[0] != edge[1]]
    layers = _layers(states, flow)
    ends = _ends(flow)
    places = {state: _Place(state, layers[state], _height(state, ends.get(state, 0))) for state in states}
    chains = [_chain(edge, states, places) for edge in drawn if edge[0] != edge[1]]
    columns = _columns(places, chains)
    _put_in_order(columns, chains)
    _draw_together(columns, chains)
    lefts, widths = _across(columns)
    boxes = {state: _box(places[state], lefts[layers[state]], widths[layers[state]]) for state in states}
    crowd = _crowd(chains)
    lines = [_line(chain, boxes, lefts, widths, crowd) for chain in chains]
    lines += [_loop(boxes[source]) for source, target in drawn if source == target]
    return Diagram(
        boxes=tuple(boxes.values()),
        lines=tuple(lines),
        width=lefts[-1] + widths[-1] + _ROOM,
        height=max(column[-1].y + column[-1].height / 2 for column in columns) + _ROOM,
    )


def _with_the_flow(edge: Edge, states: Sequence[str]) -> Edge:
    source, target = edge
    return edge if states.index(source) < states.index(target) else (target, source)


def _layers(states: Sequence[str], flow: Sequence[Edge]) -> dict[str, int]:
    """Return the longest way to each state; sources are declared before their targets, so one pass is enough."""
    layers = dict.fromkeys(states, 0)
    for state in states:
        for source, target in flow:
            if source == state:
                layers[target] = max(layers[target], layers[source] + 1)
    return layers


def _lines_of(state: str) -> tuple[str, ...]:
    """Break a long name at the underscore nearest its middle."""
    gaps = [n for n, letter in enumerate(state) if letter == "_"]
    if len(state) <= _LONGEST_LINE or not gaps:
        return (state,)
    cut = min(gaps, key=lambda n: abs(n - len(state) / 2))
    return (state[: cut + 1], state[cut + 1 :])


def _ends(flow: Sequence[Edge]) -> dict[str, int]:
    """Return how many lines meet the fuller side of each state."""
    right = Counter(source for source, _ in flow)
    left = Counter(target for _, target in flow)
    return {state: max(right[state], left[state]) for state in {*right, *left}}


def _height(state: str, ends: int) -> float:
    return max(len(_lines_of(state)) * _LINE + 14, ends * _BETWEEN_ENDS + 4)


def _chain(edge: Edge, states: Sequence[str], places: Mapping[str, _Place]) -> _Chain:
    first, last = _with_the_flow(edge, states)
    between = range(places[first].layer + 1, places[last].layer)
    bends = [_Place("", layer, _BEND) for layer in between]
    return _Chain(edge, (places[first], *bends, places[last]), backward=(first, last) != edge)


def _columns(places: Mapping[str, _Place], chains: Sequence[_Chain]) -> list[list[_Place]]:
    columns: list[list[_Place]] = [[] for _ in range(max(place.layer for place in places.values()) + 1)]
    for place in places.values():
        columns[place.layer].append(place)
    for chain in chains:
        for bend in chain.places[1:-1]:
            columns[bend.layer].append(bend)
    return columns


def _neighbours(chains: Sequence[_Chain], step: int) -> dict[int, list[_Place]]:
    """Return, by the identity of a place, its neighbours in the layer before (step -1) or after (step 1)."""
    found: dict[int, list[_Place]] = {}
    for chain in chains:
        for left, right in pairwise(chain.places):
            here, there = (right, left) if step < 0 else (left, right)
            found.setdefault(id(here), []).append(there)
    return found


def _put_in_order(columns: list[list[_Place]], chains: Sequence[_Chain]) -> None:
    """Order every layer by the mean rank of its neighbours, from left to right and back again."""
    before, after = _neighbours(chains, -1), _neighbours(chains, 1)
    best, least = [list(column) for column in columns], _crossings(columns, chains)
    for sweep in range(_SWEEPS):
        known = before if sweep % 2 == 0 else after
        for column in columns if sweep % 2 == 0 else reversed(columns):
            rank = {id(place): n for each in columns for n, place in enumerate(each)}
            column.sort(key=_mean(known, rank.__getitem__, rank))
        crossings = _crossings(columns, chains)
        if crossings < least:
            best, least = [list(column) for column in columns], crossings
    columns[:] = best


def _mean(
    known: Mapping[int, list[_Place]], rank_of: Callable[[int], int], rank: Mapping[int, int]
) -> Callable[[_Place], float]:
    def key(place: _Place) -> float:
        neighbours = known.get(id(place), [])
        if not neighbours:
            return float(rank[id(place)])
        return sum(rank_of(id(one)) for one in neighbours) / len(neighbours)

    return key


def _crossings(columns: Sequence[Sequence[_Place]], chains: Sequence[_Chain]) -> int:
    rank = {id(place): n for column in columns for n, place in enumerate(column)}
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for chain in chains:
        for left, right in pairwise(chain.places):
            by_layer.setdefault(left.layer, []).append((rank[id(left)], rank[id(right)]))
    return sum(
        1
        for segments in by_layer.values()
        for n, one in enumerate(segments)
        for other in segments[n + 1 :]
        if (one[0] - other[0]) * (one[1] - other[1]) < 0
    )


def _draw_together(columns: Sequence[Sequence[_Place]], chains: Sequence[_Chain]) -> None:
    """Give every place a height near its neighbours', in the order of its layer and with room around it."""
    for column in columns:
        _spread(column, [0.0] * len(column))
    before, after = _neighbours(chains, -1), _neighbours(chains, 1)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = []
            for place in column:
                near = [*before.get(id(place), []), *after.get(id(place), [])]
                wanted.append(sum(one.y for one in near) / len(near) if near else place.y)
            _spread(column, wanted)
    top = min(place.y - place.height / 2 for column in columns for place in column) - _ROOM
    for column in columns:
        for place in column:
            place.y -= top


def _spread(column: Sequence[_Place], wanted: Sequence[float]) -> None:
    """Put the places where they want to be, as near as their order and their room allow: blocks that touch move as one."""
    blocks: list[tuple[list[int], float, float]] = []  # members, the wish of the first, the height so far
    for n, wish in enumerate(wanted):
        members, first, extent = [n], wish, 0.0
        while blocks and blocks[-1][1] + blocks[-1][2] + _apart(column[blocks[-1][0][-1]], column[members[0]]) > first:
            earlier, wished, reach = blocks.pop()
            offset = reach + _apart(column[earlier[-1]], column[members[0]])
            weight, added = len(earlier), len(members)
            first = (wished * weight + (first - offset) * added) / (weight + added)
            members, extent = earlier + members, offset + extent
        blocks.append((members, first, extent))
    for members, first, _ in blocks:
        y = first
        for n, index in enumerate(members):
            y += _apart(column[members[n - 1]], column[index]) if n else 0.0
            column[index].y = y


def _apart(upper: _Place, lower: _Place) -> float:
    return upper.height / 2 + lower.height / 2 + (_ROOM if upper.state and lower.state else _BEND / 2)


def _across(columns: Sequence[Sequence[_Place]]) -> tuple[list[float], list[float]]:
    """Return each layer's left edge and width."""
    lefts: list[float] = []
    widths: list[float] = []
    at = float(_ROOM)
    for column in columns:
        longest = max(len(line) for place in column if place.state for line in _lines_of(place.state))
        lefts.append(at)
        widths.append(round(longest * _LETTER + 18, 1))
        at += widths[-1] + _BETWEEN_LAYERS
    return lefts, widths


def _box(place: _Place, left: float, width: float) -> Box:
    top = round(place.y - place.height / 2, 1)
    return Box(place.state, _lines_of(place.state), round(left, 1), top, width, place.height)


def _crowd(chains: Sequence[_Chain]) -> dict[tuple[str, str, Edge], float]:
    """Return by (side, state, edge) how far from the middle each line meets its box, so that lines do not share a point."""
    sides: dict[tuple[str, str], list[tuple[float, Edge]]] = {}
    for chain in chains:
        first, second, last, before_last = chain.places[0], chain.places[1], chain.places[-1], chain.places[-2]
        sides.setdefault(("right", first.state), []).append((second.y, chain.edge))
        sides.setdefault(("left", last.state), []).append((before_last.y, chain.edge))
    found: dict[tuple[str, str, Edge], float] = {}
    for (side, state), meeting in sides.items():
        for n, (_, edge) in enumerate(sorted(meeting)):
            found[side, state, edge] = (n - (len(meeting) - 1) / 2) * _BETWEEN_ENDS
    return found


def _line(
    chain: _Chain,
    boxes: Mapping[str, Box],
    lefts: Sequence[float],
    widths: Sequence[float],
    crowd: Mapping[tuple[str, str, Edge], float],
) -> Line:
    first, last = boxes[chain.places[0].state], boxes[chain.places[-1].state]
    points = [(first.x + first.width, first.middle[1] + crowd["right", first.state, chain.edge])]
    for bend in chain.places[1:-1]:
        points.append((lefts[bend.layer], bend.y))
        points.append((lefts[bend.layer] + widths[bend.layer], bend.y))
    points.append((last.x, last.middle[1] + crowd["left", last.state, chain.edge]))
    source, target = chain.edge
    return Line(source, target, _path(points[::-1] if chain.backward else points))


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Curve between the layers, straight across them."""
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for n, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        if n % 2:
            text += f"L{to_x:.1f} {to_y:.1f}"
        else:
            bend = (to_x - x) / 2
            text += f"C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return text


def _loop(box: Box) -> Line:
    """An edge from a state to itself, above its box."""
    x, y = box.middle[0], box.y
    path = f"M{x - 12:.1f} {y:.1f}C{x - 16:.1f} {y - _ROOM:.1f} {x + 16:.1f} {y - _ROOM:.1f} {x + 12:.1f} {y:.1f}"
    return Line(box.state, box.state, path)
