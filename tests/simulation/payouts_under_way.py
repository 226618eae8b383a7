"""What stands in a world of payouts besides its wallets: payouts whose funds are held, and one that waits to be confirmed.

So the bank is asked from the first turn on.
"""

from typing import TYPE_CHECKING, Final

from django.db import transaction as db_transaction

from ledger.controls import drains
from orders import payout_requests
from orders.operations import create_payout
from tests.simulation.bank_service import ASSET
from tests.simulation.payers import RECIPIENTS

if TYPE_CHECKING:
    from tests.simulation.scene import Scene

_HELD: Final = ("promptpay", "bank_transfer", "promptpay", "bank_transfer")
_AMOUNT: Final = "300.00"


def set_up(scene: "Scene") -> None:
    for wallet, channel in zip(scene.wallets, _HELD, strict=True):
        _pay_out(scene, wallet, channel, confirm=True)
    _pay_out(scene, scene.wallets[0], "promptpay", confirm=False)
    drains.drain("relay")


def _pay_out(scene: "Scene", wallet: str, channel: str, *, confirm: bool) -> None:
    now, caller = scene.world.clock.now, scene.caller
    asked = payout_requests.read(
        wallet=wallet, amount=_AMOUNT, asset=ASSET, channel=channel, recipient=RECIPIENTS[channel]
    )
    with db_transaction.atomic():
        reference = create_payout.begin_payout(caller=caller, asked=asked, now=now()).reference
    told = create_payout.ask_who(reference)
    with db_transaction.atomic():
        create_payout.finish_payout(reference=reference, told=told, confirm=confirm, actor=caller.actor, now=now())
