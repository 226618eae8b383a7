"""Other people: they freeze orders, halt pools, pause the wallet, take trades back, and end the market. And undo it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.money import Money
from orders.models import Freeze, Intent, Market, Order, Pool, PoolHalt, Trade
from orders.operations import freeze_order, halt_pool, resolve_market
from orders.operations.fund_maker import fund_maker
from orders.operations.return_trade import return_trade
from tests.simulation.repricing import reprice
from tests.simulation.scene import MARKET, PEOPLE
from tests.simulation.terms import MARKET as MARKET_THEME
from tests.simulation.terms import REVIEW, VENUE
from tests.simulation.venues import LANES
from wallets import pauses
from webhooks import inbox_worker

if TYPE_CHECKING:
    from tests.simulation.world import World


class Staff:
    """One ops lead or another, by chance."""

    name = "staff"
    rest = timedelta(seconds=30)
    weight = 1

    def __init__(self, world: "World") -> None:
        self._world = world
        self._replayed: set[str] = set()
        if world.terms.theme in (MARKET_THEME, REVIEW):
            self.rest = timedelta(seconds=8)

    def turn(self) -> None:
        if self._world.terms.pays:
            self._act([self._freeze_intent, self._lift_freezes, self._pause, self._lift_pause, *[self._reprice] * 2])
            return
        acts: list[Callable[[], None]] = [self._freeze, self._lift_freezes, self._halt, self._lift_halts, self._pause]
        acts += [self._lift_pause]
        if self._world.terms.theme != VENUE:  # there the venue says so itself
            acts += [self._take_back]
        if self._world.terms.has_market:
            acts += [self._market] * (30 if self._world.terms.theme == MARKET_THEME else 4)
        if self._world.terms.theme == REVIEW:
            acts += [self._halt] * 6
        self._act(acts)

    def _act(self, acts: Sequence[Callable[[], None]]) -> None:
        act = self._world.chance.choice(acts)
        act()
        self._world.note(self.name, act.__name__.strip("_"))

    def calm(self) -> None:
        """Undo what holds things up."""
        self._lift_freezes()
        self._lift_halts()
        for pause in pauses.current(clock.now()):
            self._lift_pause({"operator_slug": pause.gateway.operator.slug, "channel": pause.gateway.channel})

    def replay_dead(self) -> int:
        """Send dead inbound events round again, each once; return how many."""
        again = [row["reference"] for row in inbox_worker.dead() if row["reference"] not in self._replayed]
        for reference in again:
            with db_transaction.atomic():
                inbox_worker.replay(reference=reference, actor=self._who(), now=clock.now())
            self._replayed.add(reference)
            self._world.met("staff", "replay")
        return len(again)

    def _who(self) -> str:
        return f"user:{self._world.chance.choice(PEOPLE)}"

    def _freeze(self) -> None:
        living = list(Order.objects.order_by("-pk").values_list("reference", flat=True)[:5])
        if living:
            reference = self._world.chance.choice(living)
            with db_transaction.atomic():
                freeze_order.freeze_order(
                    order_reference=reference, reason="to be looked at", actor=self._who(), now=clock.now()
                )
            self._world.met("staff", "freeze")

    def _freeze_intent(self) -> None:
        living = Intent.objects.filter(state__in=("created", "validated", "authorized")).order_by("-pk")
        found = list(living.values_list("reference", flat=True)[:5])
        if found:
            with db_transaction.atomic():
                freeze_order.freeze_intent(
                    intent_reference=self._world.chance.choice(found),
                    reason="to be looked at",
                    actor=self._who(),
                    now=clock.now(),
                )
            self._world.met("staff", "freeze an intent")

    def _reprice(self) -> None:
        reprice(self._world)

    def _lift_freezes(self) -> None:
        for reference in list(Freeze.objects.filter(lifted_at__isnull=True).values_list("subject", flat=True)):
            with db_transaction.atomic():
                if reference.startswith("int_"):
                    freeze_order.lift_intent_freeze(intent_reference=reference, actor=self._who(), now=clock.now())
                else:
                    freeze_order.lift_freeze(order_reference=reference, actor=self._who(), now=clock.now())
            self._world.met("staff", "lift freeze")

    def _halt(self) -> None:
        pools = list(Pool.objects.filter(environment="test").order_by("pk"))
        pool = self._world.chance.choice(pools)
        with db_transaction.atomic():
            halt_pool.halt_pool(pool=pool, reason="a look", actor=self._who(), now=clock.now())
        self._world.met("staff", "halt")

    def _lift_halts(self) -> None:
        for halt in list(PoolHalt.objects.filter(lifted_at__isnull=True).select_related("pool").order_by("pk")):
            with db_transaction.atomic():
                halt_pool.lift_halt(pool=halt.pool, actor=self._who(), now=clock.now())
            self._world.met("staff", "lift halt")

    def _pause(self) -> None:
        with db_transaction.atomic():
            pauses.pause_gateway(
                **self._gateway(),
                environment="test",
                reason="their maintenance",
                lasts=timedelta(seconds=self._world.chance.choice((5, 20, 20, 1_800))),
                actor=self._who(),
                now=clock.now(),
            )
        self._world.met("staff", "pause")

    def _gateway(self) -> dict[str, str]:
        """Name the door that is meant: the operator's wallet, or a channel of the house."""
        if self._world.terms.pays:
            return {"operator_slug": "house", "channel": self._world.chance.choice(("promptpay", "bank_transfer"))}
        if self._world.terms.theme == VENUE and self._world.chance.random() < 0.5:
            return {"operator_slug": "house", "channel": f"venue:{self._world.chance.choice(LANES).venue}"}
        return {"operator_slug": "acme"}

    def _lift_pause(self, gateway: dict[str, str] | None = None) -> None:
        with db_transaction.atomic():
            pauses.lift_pause(**(gateway or self._gateway()), environment="test", actor=self._who(), now=clock.now())
        self._world.met("staff", "lift pause")

    def _take_back(self) -> None:
        settled = list(
            Trade.objects.filter(state=Trade.State.SETTLED).order_by("pk").values_list("reference", flat=True)
        )
        if settled:
            return_trade(
                trade_reference=self._world.chance.choice(settled),
                reason="the venue says so",
                actor=self._who(),
                now=clock.now(),
            )
            self._world.met("staff", "trade taken back")

    def _market(self) -> None:
        """The market's next step: close, propose an outcome, decide on it."""
        state = Market.objects.values_list("state", flat=True).get(code=MARKET)
        now = clock.now()
        if state == Market.State.OPEN:
            if self._world.chance.random() < (0.9 if self._world.terms.theme == MARKET_THEME else 0.4):
                with db_transaction.atomic():
                    resolve_market.close_market(
                        environment="test", code=MARKET, reason="over", actor=self._who(), now=now
                    )
        elif state == Market.State.CLOSED:
            self._outcome()

    def _outcome(self) -> None:
        chance, now = self._world.chance, clock.now()
        named = {"environment": "test", "code": MARKET}
        try:
            with db_transaction.atomic():
                if chance.random() < 0.2:
                    resolve_market.refuse_outcome(**named, reason="not so", actor=self._who(), now=now)
                else:
                    resolve_market.approve_outcome(**named, reason="so it is", actor=self._who(), now=now)
            self._world.met("staff", "market decided")
        except resolve_market.MakerLacksFunds:
            with db_transaction.atomic():
                fund_maker(**named, amount=Money(100_000, "EUR"), key=f"more-{now:%H%M%S%f}", actor=self._who())
            self._world.met("staff", "maker funded")
        except resolve_market.NothingProposed:
            with db_transaction.atomic():
                resolve_market.propose_outcome(
                    **named,
                    price_yes=chance.choice(("1", "0", "0.37", "void")),
                    evidence="the weather office",
                    actor=self._who(),
                    now=now,
                )
