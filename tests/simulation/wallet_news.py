"""What the wallet tells our inbox by itself: late, twice, in any order, and sometimes about nothing of ours."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.simulation.terms import NEWS
from webhooks import inbox, inbox_worker, signatures

if TYPE_CHECKING:
    from tests.simulation.world import World


class WalletNews:
    """An actor: sends one message of those that wait, whichever, and leaves it there at times to send it again."""

    name = "news"
    rest = timedelta(seconds=10)
    weight = 1

    def __init__(self, world: "World") -> None:
        self._world = world
        self.provider = ""
        self.secret = ""
        self.waiting: list[tuple[str, str, str]] = []
        self._told = 0
        if world.terms.theme == NEWS:
            self.rest = timedelta(seconds=2)

    def tell(self, key: str, status: str) -> None:
        self._told += 1
        self.waiting.append((f"news-{self._told}", key, status))

    def turn(self) -> None:
        world = self._world
        if world.faulty and world.chance.random() < 0.05:
            self.tell(
                world.chance.choice(("ord_nobody:debit:v1", self._some_key())),
                world.chance.choice(("confirmed", "rejected")),
            )
            world.met("news", "false")
        if self.waiting and world.chance.random() < 0.8:
            self.send_one()
        inbox_worker.work()

    def send_one(self) -> None:
        """Send one; the others may overtake it, or it them."""
        world = self._world
        place = world.chance.randrange(len(self.waiting))
        if place:
            world.met("news", "reordered")
        event_id, key, status = self.waiting[place]
        body = json.dumps({"type": "operation.updated", "data": {"idempotency_key": key, "status": status}}).encode()
        sent = signatures.headers(
            secrets=[self.secret], message_id=event_id, timestamp=int(world.clock.shown().timestamp()), body=body
        )
        reception = inbox.receive(
            inbox.provider_for(self.provider), headers={"content-type": "application/json", **sent}, body=body
        )
        world.note(self.name, f"{event_id} {key} {status}: {reception.value}")
        if reception is inbox.Reception.REPEATED:
            world.met("news", "duplicate")
        if not (world.faulty and world.chance.random() < 0.3):
            self.waiting.pop(place)

    def _some_key(self) -> str:
        keys = list(self._world.scene.wallet.operations)
        return self._world.chance.choice(keys) if keys else "ord_nobody:debit:v1"
