"""The operator's two servers, as the world's theme has them: they pay, or they trade."""

from typing import TYPE_CHECKING

from tests.simulation.clients import Client
from tests.simulation.payers import Payer

if TYPE_CHECKING:
    from tests.simulation.world import World


def servers(world: "World", *, first: int = 1) -> list[Client | Payer]:
    kind = Payer if world.terms.pays else Client
    return [kind(world, number) for number in (first, first + 1)]
