"""The same seed is always the same world, and a world that fails says how it is played again."""

import subprocess
import sys

import pytest

from config.local.places import ROOT
from tests.simulation import planted
from tests.simulation.playing import live, play, replay
from tests.simulation.stage import Stage


@pytest.mark.parametrize("seed", [3, 7, 11])
def test_same_seed_is_the_same_trace(seed: int, played_on: Stage) -> None:
    first, again = live(played_on, seed), live(played_on, seed)
    assert first.trace == again.trace
    assert first.digest() == again.digest()
    assert first.checks > 20


def test_other_seed_is_another_trace(played_on: Stage) -> None:
    assert live(played_on, 3).digest() != live(played_on, 4).digest()


def test_failing_world_says_how_it_is_replayed_and_fails_again(played_on: Stage) -> None:
    (fault,) = (one for one in planted.FAULTS if one.name == "publishing before commit")
    said: list[str] = []
    with fault.plant():
        played = play(played_on, [fault.by], say=said.append)
        again = live(played_on, fault.by)
    assert played.failed == [fault.by]
    assert replay(fault.by) in said[0]
    assert again.breaks == played.breaks[fault.by]


def test_command_refuses_what_is_no_range() -> None:
    for given in ("x", "9-3", "0", "1-"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", given], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, (given, done.stderr)
