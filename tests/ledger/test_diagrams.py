"""The layout of machines: every state and edge once, nothing on top of anything, always the same picture."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.controls import machines
from ledger.controls.diagrams import Box, Diagram, Edge, laid_out
from tests.ledger.test_machines import MACHINES


def _overlap(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    above = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (beside or above)


def _ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    numbers = [float(word) for word in path.replace("M", " ").replace("C", " ").replace("L", " ").split()]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def _touches(box: Box, point: tuple[float, float]) -> bool:
    x, y = point
    return box.x - 0.2 <= x <= box.x + box.width + 0.2 and box.y - 0.2 <= y <= box.y + box.height + 0.2


def _check(diagram: Diagram, states: Sequence[str], edges: Sequence[Edge]) -> None:
    boxes = {box.state: box for box in diagram.boxes}
    assert list(boxes) == list(states)
    assert sorted((line.source, line.target) for line in diagram.lines) == sorted(set(edges))
    assert [pair for pair in combinations(diagram.boxes, 2) if _overlap(*pair)] == []
    for box in diagram.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= diagram.width
        assert box.y + box.height <= diagram.height
        assert "".join(box.lines) == box.state
    for line in diagram.lines:
        start, end = _ends(line.path)
        assert _touches(boxes[line.source], start), line
        assert _touches(boxes[line.target], end), line
    meetings = [(round(x, 1), round(y, 1)) for line in diagram.lines for x, y in _ends(line.path)]
    assert len(meetings) == len(set(meetings)), "two lines share a point of a box"


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_of_the_house_can_be_drawn(name: str) -> None:
    machine = machines.named(name)
    states, edges = machine.states(), machine.edges()[1:]
    drawn = laid_out(states=states, edges=edges)
    _check(drawn, states, edges)
    assert laid_out(states=states, edges=edges) == drawn
    assert drawn.width < 1200


@given(
    st.integers(1, 9).flatmap(
        lambda size: st.tuples(st.just(size), st.lists(st.tuples(*[st.integers(0, size - 1)] * 2)))
    )
)
def test_any_machine_can_be_drawn(made: tuple[int, list[tuple[int, int]]]) -> None:
    size, pairs = made
    states = [f"state_{'long_' * (n % 3)}{n}" for n in range(size)]
    edges = [(states[source], states[target]) for source, target in pairs]
    _check(laid_out(states=states, edges=edges), states, edges)


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not in list"):
        laid_out(states=["here"], edges=[("here", "elsewhere")])


def test_the_flow_of_a_story_goes_to_the_right_when_states_are_declared_in_its_order() -> None:
    drawn = laid_out(states=["made", "sent", "done"], edges=[("made", "sent"), ("sent", "made"), ("sent", "done")])
    assert [box.x for box in drawn.boxes] == sorted({box.x for box in drawn.boxes})
    assert {box.middle[1] for box in drawn.boxes} == {drawn.boxes[0].middle[1]}
