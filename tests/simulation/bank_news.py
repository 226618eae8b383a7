"""What the bank and a payment provider tell our inbox by themselves: late, twice, in any order, under new ids.

The bank tells how a payment stands and that one came back; the payment provider tells what it collected for a wallet, gave
back, and had taken back. `pay_ins` is the provider's own truth.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ledger import assets, money
from tests.simulation.bank_service import ASSET
from webhooks import inbox, inbox_worker, signatures

if TYPE_CHECKING:
    from tests.simulation.world import World

_STATUSES: Final = {"confirmed": "settled", "rejected": "rejected", "pending": "pending"}


@dataclass(slots=True)
class _Message:
    event_id: str
    provider: str
    kind: str
    data: dict[str, Any]


class BankNews:
    """An actor: something happens at the bank or the provider, and one message of those that wait is sent."""

    name = "bank news"
    rest = timedelta(seconds=6)
    weight = 2

    def __init__(self, world: "World") -> None:
        self._world = world
        self.secrets: dict[str, str] = {}
        self.waiting: list[_Message] = []
        self.pay_ins: dict[str, tuple[str, str, int]] = {}
        """By the provider's transaction: what it was, of which collection, and its minor units."""
        self._told = 0

    def tell(self, key: str, status: str) -> None:
        lane = "promptpay" if self._world.scene.bank._lane(key) == "promptpay" else "bank_transfer"
        self._wait(f"house-{lane}-test", "payout.updated", {"idempotency_key": key, "status": _STATUSES[status]})

    def turn(self) -> None:
        chance = self._world.chance
        if self._world.faulty and chance.random() < 0.5:
            chance.choice((self._collected, self._collected, self._given_back, self._came_back))()
        if self.waiting and chance.random() < 0.9:
            self.send_one()
        inbox_worker.work()

    def send_one(self) -> None:
        """Send one; the others may overtake it, or it them."""
        world = self._world
        place = world.chance.randrange(len(self.waiting))
        message = self.waiting[place]
        body = json.dumps({"type": message.kind, "data": message.data}).encode()
        sent = signatures.headers(
            secrets=[self.secrets[message.provider]],
            message_id=message.event_id,
            timestamp=int(world.clock.shown().timestamp()),
            body=body,
        )
        reception = inbox.receive(
            inbox.provider_for(message.provider), headers={"content-type": "application/json", **sent}, body=body
        )
        world.note(self.name, f"{message.event_id} {message.kind}: {reception.value}")
        again = world.chance.random() if world.faulty else 1.0
        if again < 0.2:
            return
        self.waiting.pop(place)
        if again < 0.4:  # the same under another event id
            world.met("news", "under a new event id")
            self._wait(message.provider, message.kind, message.data)

    def _wait(self, provider: str, kind: str, data: dict[str, Any]) -> None:
        self._told += 1
        self.waiting.append(_Message(f"bank-news-{self._told}", provider, kind, data))

    def _collected(self) -> None:
        chance = self._world.chance
        number, minor = f"txn-{len(self.pay_ins) + 1}", chance.randrange(1_000, 90_000)
        self.pay_ins[number] = ("collected", "", minor)
        wallet = chance.choice(self._world.scene.wallets)
        self._provider_tells(number, "collected", minor, {"wallet_id": wallet})

    def _given_back(self) -> None:
        """The provider gives a collection back, or has it taken back: whole or in part, at most what is left of it."""
        chance = self._world.chance
        collections = [number for number, (kind, _, _) in self.pay_ins.items() if kind == "collected"]
        if not collections:
            return
        of = chance.choice(collections)
        left = self.pay_ins[of][2] - sum(minor for _, given, minor in self.pay_ins.values() if given == of)
        if left <= 0:
            return
        kind = chance.choice(("refunded", "charged_back"))
        minor = left if chance.random() < 0.5 else chance.randint(1, left)
        number = f"txn-{len(self.pay_ins) + 1}"
        self.pay_ins[number] = (kind, of, minor)
        self._provider_tells(number, kind, minor, {"collection": of})

    def _provider_tells(self, number: str, kind: str, minor: int, data: dict[str, Any]) -> None:
        self._world.met("news", f"pay-in {kind}")
        content = {"asset": ASSET, "amount": assets.text(minor, ASSET), "transaction_id": number, **data}
        self._wait("psp", f"payin.{kind}", content)

    def _came_back(self) -> None:
        """A payment that the bank made comes back, whole or in part."""
        world = self._world
        paid = world.scene.bank.may_come_back()
        if not paid:
            return
        movement = world.chance.choice(paid)
        minor = money.parse(movement.amount, assets.named(ASSET)).minor
        part = minor if world.chance.random() < 0.7 else world.chance.randint(1, minor)
        back = world.scene.bank.comes_back(movement, assets.text(part, ASSET))
        world.met("news", "a payment came back")
        lane = "promptpay" if world.scene.bank._lane(movement.key) == "promptpay" else "bank_transfer"
        self._wait(
            f"house-{lane}-test",
            "payout.returned",
            {
                "idempotency_key": back.key,
                "return_id": back.number,
                "status": "returned",
                "amount": back.amount,
                "currency": ASSET,
                "reason": "account_closed",
            },
        )
