"""The operator's servers that pay: transfers at once, in lists, scheduled and taken back; payouts by both channels."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse

from ledger import assets
from ledger.controls.refusals import Refusal
from ledger.controls.rest.answers import answer
from orders import intent_answers, payout_requests
from orders.models import Intent
from orders.operations import cancel_transfer, create_payout, schedule_transfer, transfer_now
from orders.transfers import requests
from tests.simulation.asking import Asking, InTwo
from tests.simulation.bank_service import ASSET
from tests.simulation.terms import PAYOUTS

if TYPE_CHECKING:
    from tests.simulation.world import World

RECIPIENTS: Final = {
    "promptpay": {"proxy_type": "mobile", "proxy_value": "0812345678"},
    "bank_transfer": {"bank_code": "KBANK", "account_number": "1234567890", "name": "Somchai J."},
}


class Payer(Asking):
    """One server of the operator's."""

    rest = timedelta(seconds=4)
    weight = 2

    def __init__(self, world: "World", number: int) -> None:
        super().__init__(world, f"payer {number}")
        if world.terms.theme == PAYOUTS:
            self.rest = timedelta(seconds=12)

    def turn(self) -> None:
        chance = self._world.chance
        waits = any(request.answer is None for request in self.sent)
        if self.sent and chance.random() < (0.4 if waits else 0.12):
            self.send_again()
            return
        acts: tuple[Callable[[], None], ...] = (self._transfer, self._list, self._schedule, self._decide, self._decide)
        if self._world.terms.theme == PAYOUTS:
            acts = (self._decide,)
        chance.choice((*acts, *[self._payout] * 4))()

    def _transfer(self) -> None:
        body = self._body()
        asked = requests.read_one(body)
        caller = self._world.scene.caller

        def work(now: datetime) -> HttpResponse:
            return _shown(transfer_now.transfer_now(caller=caller, asked=asked, now=now))

        self._said("transfer", self.send("/v1/transfers", body, work))

    def _list(self) -> None:
        chance = self._world.chance
        count = chance.randrange(2, 6)
        body = {"transfers": [self._body() for _ in range(count)], "atomic": chance.random() < 0.4}
        asked, atomic = requests.read_list(body)
        caller = self._world.scene.caller

        def work(now: datetime) -> HttpResponse:
            done = transfer_now.transfer_list(caller=caller, asked=asked, atomic=atomic, now=now)
            return answer(intent_answers.transfer_list(done))

        self._said("list, all or none" if atomic else "list", self.send("/v1/transfers/bulk", body, work))

    def _schedule(self) -> None:
        chance = self._world.chance
        due = self._world.clock.shown() + timedelta(seconds=chance.randrange(5, 90))
        body = {**self._body(), "scheduled_for": due.isoformat()}
        asked = requests.read_one(body)
        caller = self._world.scene.caller

        def work(now: datetime) -> HttpResponse:
            return _shown(schedule_transfer.schedule_transfer(caller=caller, asked=asked, now=now))

        self._said("scheduled transfer", self.send("/v1/transfers", body, work))

    def _payout(self) -> None:
        world, chance = self._world, self._world.chance
        channel = chance.choice(tuple(RECIPIENTS))
        confirm = chance.random() < 0.6
        body: dict[str, Any] = {
            "payer_wallet_id": chance.choice(world.scene.wallets),
            "amount": self._amount(),
            "asset": ASSET,
            "channel": channel,
            "recipient": RECIPIENTS[channel],
            "confirm": confirm,
        }
        asked = payout_requests.read(
            wallet=body["payer_wallet_id"],
            amount=body["amount"],
            asset=ASSET,
            channel=channel,
            recipient=RECIPIENTS[channel],
        )
        caller = world.scene.caller

        def begin(now: datetime) -> str:
            return create_payout.begin_payout(caller=caller, asked=asked, now=now).reference

        def finish(reference: str, told: Any, now: datetime) -> HttpResponse:
            return _shown(
                create_payout.finish_payout(
                    reference=reference, told=told, confirm=confirm, actor=caller.actor, now=now
                )
            )

        def refused(reference: str, refusal: Refusal, now: datetime) -> None:
            create_payout.end_refused(reference=reference, refusal=refusal, actor=caller.actor, now=now)

        work = InTwo(begin=begin, question=create_payout.ask_who, finish=finish, refused=refused)
        self._said(f"payout by {channel}", self.send("/v1/payouts", body, work))

    def _decide(self) -> None:
        """Confirm a payout that waits for it, or take it back; take back a transfer that is not due."""
        chance, caller = self._world.chance, self._world.scene.caller
        states = (Intent.State.CREATED, Intent.State.VALIDATED)
        waiting = list(Intent.objects.filter(state__in=states).order_by("pk").values_list("reference", "kind"))
        if not waiting:
            return
        reference, kind = chance.choice(waiting)
        confirms = kind == Intent.Kind.PAYOUT and chance.random() < 0.6

        def work(now: datetime) -> HttpResponse:
            if kind == Intent.Kind.TRANSFER:
                return _shown(cancel_transfer.cancel_transfer(caller=caller, reference=reference, now=now))
            act = create_payout.confirm_payout if confirms else create_payout.cancel_payout
            return _shown(act(caller=caller, reference=reference, now=now))

        path = f"/v1/{kind}s/{reference}/{'confirm' if confirms else 'cancel'}"
        self._said(f"{kind} {'confirmed' if confirms else 'taken back'}", self.send(path, {}, work))

    def _said(self, what: str, said: HttpResponse) -> None:
        self._world.met("payer", f"{what}{' refused' if said.status_code >= 400 else ''}")

    def _body(self) -> dict[str, Any]:
        payer, payee = self._world.chance.sample(self._world.scene.wallets, 2)
        return {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": ASSET, "amount": self._amount()}

    def _amount(self) -> str:
        chance = self._world.chance
        return assets.text(chance.choice((chance.randrange(2_000, 20_000), chance.randrange(20_000, 150_000))), ASSET)


def _shown(intent: Intent) -> HttpResponse:
    return answer(intent_answers.intent(intent), status=201 if intent.terminal else 202)
