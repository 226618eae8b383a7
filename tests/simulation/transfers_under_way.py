"""What stands in a world of payments besides its wallets: scheduled transfers that hold their funds, their worker dead since.

The world begins when those 300 s have passed, or soon will have: whoever comes first settles them, or finds the hold expired.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction as db_transaction

from ledger.controls import drains
from orders.models import Intent
from orders.operations import schedule_transfer
from orders.sagas import runner, transfer
from orders.transfers import requests
from tests.simulation.bank_service import ASSET

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

_AMOUNTS: Final = ("120.00", "80.00")


def set_up(scene: "Scene") -> None:
    clock = scene.world.clock
    for place, amount in enumerate(_AMOUNTS):
        payer, payee = scene.wallets[place], scene.wallets[place + 2]
        due = clock.shown() + timedelta(seconds=1)
        asked = requests.read_one(
            {
                "payer_wallet_id": payer,
                "payee_wallet_id": payee,
                "asset": ASSET,
                "amount": amount,
                "scheduled_for": due.isoformat(),
            }
        )
        with db_transaction.atomic():
            schedule_transfer.schedule_transfer(caller=scene.caller, asked=asked, now=clock.now())
    clock.advance(timedelta(seconds=2))
    for reference in sorted(runner._claim(len(_AMOUNTS), token="died")):
        transfer.advance(Intent.objects.get(reference=reference))
    drains.drain("relay")
