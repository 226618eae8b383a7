"""A till for tests of transfers: an operator, funded wallets, transfers made as the routes make them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction as db_transaction

from ledger import assets, balances
from ledger.balances import Balance
from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from ledger.money import parse
from orders.models import Intent, WalletEntry
from orders.operations import cancel_transfer, schedule_transfer, transfer_now
from orders.transfers.requests import Asked
from tests.wallets import people
from wallets import holders, operators
from wallets.models import Wallet


@dataclass
class Till:
    caller: Caller
    clock: FixedClock

    def wallet(self, name: str, *, kind: str = "user", funds: int = 0, asset: str = "THB") -> Wallet:
        """Open a wallet, or find it, and fund it once."""
        found = people.wallet(name, owner=people.operator(self.caller.operator_slug), kind=kind, assets=[asset])
        if funds:
            people.fund(found, funds, asset)
        return found

    def asked(self, payer: Wallet, payee: Wallet, amount: str, *, asset: str = "THB", **more: Any) -> Asked:
        return Asked(payer.reference, payee.reference, parse(amount, assets.named(asset)), **more)

    def pay(self, payer: Wallet, payee: Wallet, amount: str, *, asset: str = "THB", **more: str) -> Intent:
        with db_transaction.atomic():
            return transfer_now.transfer_now(
                caller=self.caller, asked=self.asked(payer, payee, amount, asset=asset, **more), now=clock.now()
            )

    def pay_list(self, asked: Sequence[Asked], *, atomic: bool = False) -> list[Intent | Refusal]:
        with db_transaction.atomic():
            return transfer_now.transfer_list(caller=self.caller, asked=asked, atomic=atomic, now=clock.now())

    def schedule(
        self, payer: Wallet, payee: Wallet, amount: str, *, at: datetime | None = None, asset: str = "THB", **more: str
    ) -> Intent:
        due = at or clock.now() + timedelta(hours=1)
        asked = replace(self.asked(payer, payee, amount, asset=asset, **more), scheduled_for=due)
        with db_transaction.atomic():
            return schedule_transfer.schedule_transfer(caller=self.caller, asked=asked, now=clock.now())

    def cancel(self, intent: Intent) -> Intent:
        with db_transaction.atomic():
            return cancel_transfer.cancel_transfer(caller=self.caller, reference=intent.reference, now=clock.now())

    def later(self, **time: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**time))

    def drive(self) -> None:
        drains.drain("sagas")


def open_till(fixed: FixedClock, *, slug: str = "acme") -> Till:
    """Set up an operator of the test environment. Call under `clock.use(fixed)`."""
    operator = people.operator(slug)
    caller = Caller(
        operator_id=operator.pk,
        operator_reference=operator.reference,
        operator_slug=operator.slug,
        is_house=False,
        environment="test",
        key_id=0,
        scopes=frozenset(operators.OPERATOR_SCOPES),
    )
    return Till(caller=caller, clock=fixed)


def balance_of(wallet: Wallet, asset: str = "THB") -> Balance:
    address = holders.available_address(wallet)
    return balances.read(environment=wallet.environment, accounts=[(address, asset)])[address, asset]


def standing(address: str, asset: str = "THB") -> tuple[int, int, int]:
    """Return an account's posted balance, pending debits and pending credits."""
    found = balances.read(environment="test", accounts=[(address, asset)])[address, asset]
    return found.posted, found.debits_pending, found.credits_pending


def history(wallet: Wallet) -> list[tuple[str, int, int, int]]:
    """Return a wallet's history, but how it was funded: kind, amount, and the balances posted and held after it."""
    rows = WalletEntry.objects.filter(wallet=wallet.reference).exclude(kind="opening_balance").order_by("pk")
    return [(row.kind, int(row.amount_minor), int(row.posted_minor), int(row.held_minor)) for row in rows]
