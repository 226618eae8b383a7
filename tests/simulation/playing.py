"""Live through the worlds of some seeds, one after the other, and gather what they reached and what broke."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from tests.simulation.cast import cast
from tests.simulation.played import Played
from tests.simulation.stage import Stage
from tests.simulation.world import World


def play(
    stage: Stage,
    seeds: Iterable[int],
    *,
    say: Callable[[str], None] = print,
    trace: bool = False,
    most_failures: int = 10,
) -> Played:
    played = Played()
    for seed in seeds:
        world = live(stage, seed)
        played.worlds += 1
        played.checks += world.checks
        played.reach.add(world.reach)
        if trace:
            say("\n".join(world.trace))
        if world.breaks:
            played.failed.append(seed)
            played.breaks[seed] = world.breaks
            say(f"seed {seed} broke {'; '.join(map(str, world.breaks))}\n  replay it: {replay(seed)}")
            if len(played.failed) >= most_failures:
                break
    return played


def live(stage: Stage, seed: int, *, turns: int | None = None) -> World:
    """Live through one world; for longer than its seed says, where `turns` does."""
    world = World(seed, stage)
    if turns is not None:
        world.terms = replace(world.terms, turns=turns, faults=0.7)
    world.live(cast)
    return world


def replay(seed: int) -> str:
    """Return the command that plays a seed again."""
    return f"make simulate SEEDS={seed}"
