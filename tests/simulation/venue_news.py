"""What the venues tell our inbox by themselves: signed `trade.*` events, again until they are taken; and a trade taken back."""

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wallets.sandbox.news import Message
from webhooks import inbox, inbox_worker

if TYPE_CHECKING:
    from tests.simulation.world import World


class VenueNews:
    """An actor: a venue takes a trade back at times, and one message of those that are due is sent."""

    name = "venue news"
    rest = timedelta(seconds=5)
    weight = 1

    def __init__(self, world: "World") -> None:
        self._world = world

    @property
    def waiting(self) -> list[Message]:
        return self._world.scene.venue.sandbox.messenger.due()

    def turn(self) -> None:
        world = self._world
        if world.faulty and world.chance.random() < 0.15:
            self._take_back()
        if world.chance.random() < 0.8 and self.waiting:
            self.send_one()
        inbox_worker.work()

    def send_one(self) -> None:
        """Send one, whichever; at times its answer is lost, and it is sent again."""
        world = self._world
        message = world.chance.choice(self.waiting)
        reception = inbox.receive(
            inbox.provider_for(urlsplit(message.url).path.rpartition("/")[2]),
            headers=message.headers,
            body=message.body,
        )
        heard = not (world.faulty and world.chance.random() < 0.3)
        world.scene.venue.sandbox.messenger.told(message, 200 if heard else None)
        world.note(self.name, f"{message.headers['webhook-id']}: {reception.value}")
        if reception is not inbox.Reception.RECEIVED:
            world.met("venue news", "duplicate")

    def _take_back(self) -> None:
        venue = self._world.scene.venue
        settled = [trade for trade, state in venue.states().items() if state == "settled"]
        if settled and venue.sandbox.venue.take_back(self._world.chance.choice(settled)):
            self._world.met("venue news", "a trade taken back")
