"""Who lives in a world. A flow of its own brings its actors by one more line here."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tests.simulation.processes import Actor
from tests.simulation.reviewers import reviewers
from tests.simulation.servers import servers
from tests.simulation.staff import Staff
from tests.simulation.workers import workers

if TYPE_CHECKING:
    from tests.simulation.world import World

ACTORS: Final[list[Callable[["World"], Sequence[Actor]]]] = [
    servers,
    workers,
    reviewers,
    lambda world: [Staff(world)],
    lambda world: world.scene.tellers,
]


def cast(world: "World") -> list[Actor]:
    return [actor for actors in ACTORS for actor in actors(world)]
