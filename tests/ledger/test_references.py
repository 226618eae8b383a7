"""Public references: typed, sortable by the time of their making, never twice."""

import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ledger.controls import clock, randomness, references
from ledger.controls.references import Prefix

START = datetime(2025, 3, 12, tzinfo=UTC)


def test_reference_has_its_prefix_and_26_characters() -> None:
    for prefix in Prefix:
        assert re.fullmatch(f"{prefix.value}_[0-9a-hjkmnp-tv-z]{{26}}", references.new(prefix))
    assert len(set(Prefix)) == len(Prefix)


def test_references_are_unique() -> None:
    made = [references.new(Prefix.ORDER) for _ in range(20_000)]
    assert len(set(made)) == len(made)


@given(st.lists(st.integers(0, 10**11), min_size=2, max_size=20, unique=True))
def test_references_sort_by_the_time_of_their_making(milliseconds: list[int]) -> None:
    made = []
    for moment in sorted(milliseconds):
        with clock.use(clock.FixedClock(START + timedelta(milliseconds=moment))):
            made.append(references.new(Prefix.EVENT))
    assert made == sorted(made)


def test_references_sort_across_real_milliseconds() -> None:
    made = [references.new(Prefix.EVENT)[:14] for _ in range(5_000)]  # the part that is time
    assert made == sorted(made)


def test_references_repeat_when_clock_and_randomness_do() -> None:
    def three() -> list[str]:
        with clock.use(clock.FixedClock(START)), randomness.use(randomness.SeededSource(7)):
            return [references.new(Prefix.ORDER) for _ in range(3)]

    assert three() == three()
    assert len(set(three())) == 3


def test_several_are_what_so_many_calls_make() -> None:
    def seeded() -> AbstractContextManager[object]:
        return randomness.use(randomness.SeededSource(7))

    with clock.use(clock.FixedClock(START)):
        with seeded():
            one_by_one = [references.new(Prefix.EVENT) for _ in range(5)]
        with seeded():
            assert references.several(Prefix.EVENT, 5) == one_by_one
    made = references.several(Prefix.EVENT, 5_000)
    assert len(set(made)) == 5_000
    assert {len(reference) for reference in made} == {len(one_by_one[0])}
    assert references.several(Prefix.EVENT, 0) == []
