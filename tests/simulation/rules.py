"""Looks whether the rules hold, after each commit: those of the book in one statement, those of the outside beside it."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg

from tests.simulation.states import States
from tests.simulation.terms import VENUE
from tests.simulation.truth import Known

if TYPE_CHECKING:
    from tests.simulation.world import World

_HERE: Final = Path(__file__).parent
_BOOK, _STATES, _OUTSIDE, _PEOPLE, _INTENTS, _EFFECTS, _VENUE = (
    (_HERE / f"{name}.sql").read_text(encoding="utf-8")
    for name in ("book", "states", "outside", "people", "intents", "effects", "venue")
)
_WRITTEN: Final = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text, m.last, m.of_money, m.of_operations, e.last,
       (SELECT count(*) FROM ledger_transaction), (SELECT count(*) FROM ledger_delta),
       (SELECT count(*) FROM wallets_remoteattempt), (SELECT count(*) FROM ledger_claim)
FROM (SELECT max(id) AS last, max(id) FILTER (WHERE machine IN ('order', 'trade', 'return', 'intent', 'payout')) AS of_money,
             max(id) FILTER (WHERE machine IN ('order', 'trade', 'intent', 'remote_operation')) AS of_operations
      FROM ledger_move) AS m
CROSS JOIN (SELECT max(id) AS last FROM ledger_event) AS e
"""
_OPERATIONS: Final = (
    "SELECT p.key, p.owner, p.leg, p.state, coalesce(o.state, ''), coalesce(t.state, ''), coalesce(i.state, '')"
    " FROM wallets_remoteoperation p LEFT JOIN orders_order o ON o.reference = p.owner"
    " LEFT JOIN orders_trade t ON t.order_reference = p.owner"
    " LEFT JOIN orders_payout q ON q.reference = p.owner LEFT JOIN orders_intent i ON i.reference = q.intent_reference"
)
_POOLS: Final = (
    "SELECT p.code, sum(b.credits_posted - b.debits_posted) FILTER (WHERE b.asset = p.cash_asset),"
    " sum(b.credits_posted - b.debits_posted) FILTER (WHERE b.asset = p.position_asset),"
    " (SELECT count(*) FROM ledger_transaction WHERE event_type IN ('TRADE_RETURN', 'ORDER_REVERSAL'))"
    " FROM orders_pool p JOIN ledger_balance b ON b.address = 'pools:' || p.code"
    " WHERE p.kind = 'constant_product' GROUP BY p.code"
)
_LEASES: Final = (
    "SELECT key, lease_token, lease_until FROM wallets_remoteoperation"
    " UNION ALL SELECT subject, lease_token, lease_until FROM orders_sagarun"
    " UNION ALL SELECT reference, lease_token, lease_until FROM webhooks_delivery"
)
_VENUE_TRADES: Final = "SELECT reference, order_reference, state FROM orders_trade WHERE terms ? 'venue_quote'"
_EDGES: Final = "SELECT machine, from_state, to_state FROM ledger_move"


class _Written(NamedTuple):
    """How far each kind of row has come."""

    mark: str = ""
    moves: int = 0
    of_money: int = 0
    of_operations: int = 0
    events: int = 0
    transactions: int = 0
    deltas: int = 0
    attempts: int = 0
    claims: int = 0


class Watch:
    """Looks on; remembers what must not fall."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._looking = world.stage.looking
        self._written = _Written()
        self._of_payments = world.terms.pays
        self._of_venues = world.terms.theme == VENUE
        self._states = States()
        self._products: dict[str, int] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}

    def look(self) -> bool:
        """Look at all that what was written since can have broken; tell whether anything was written."""
        row = self._looking.execute(_WRITTEN, prepare=True).fetchone()
        assert row is not None
        written = _Written(*row)
        before, self._written = self._written, written
        if before.mark == written.mark:
            return False
        self._states.look(self._world, moves=written.moves != before.moves, events=written.events != before.events)
        self._leases_are_kept()
        if (before.of_money, before.transactions, before.deltas) != (
            written.of_money,
            written.transactions,
            written.deltas,
        ):
            self._ask(_BOOK)
            if self._of_payments:
                self._ask(_INTENTS)
                self._ask(_EFFECTS)
            elif self._of_venues:
                self._ask(_VENUE)
                self._venues_confirm()
            else:
                self._pools_have_not_lost()
        if (before.of_operations, before.attempts) != (written.of_operations, written.attempts):
            self._ask(_OUTSIDE)
            known = [Known(*row) for row in self._looking.execute(_OPERATIONS, prepare=True).fetchall()]
            self._world.scene.truth.compare(known)
        if (before.moves, before.claims) != (written.moves, written.claims):
            self._ask(_PEOPLE)
        return True

    def look_once_more(self) -> None:
        """Look at everything, whatever was written: the last look."""
        for rules in (_STATES, _BOOK, _OUTSIDE, _PEOPLE, _INTENTS, _VENUE):
            self._ask(rules)
        if self._of_payments:
            self._ask(_EFFECTS)

    def _ask(self, rules: str) -> None:
        for rule, subject, detail in self._looking.execute(rules, prepare=True).fetchall():
            self._world.found(rule, subject, detail)

    def _leases_are_kept(self) -> None:
        """Nobody takes what another holds under a lease that runs."""
        now = self._world.clock.shown()
        found = self._looking.execute(_LEASES, prepare=True).fetchall()
        for subject, token, _ in found:
            before, ends = self._leases.get(subject, ("", now))
            if token not in ("", before) and before and ends > now:
                self._world.found("a lease", subject, f"taken at {now} from one who holds it until {ends}")
        self._leases = {subject: (token, until) for subject, token, until in found if token and until}

    def _venues_confirm(self) -> None:
        """No trade is settled here that its venue has not executed, and none is executed twice under one order."""
        theirs = self._world.scene.venue.states()
        executed: Counter[str] = Counter()
        for trade, order, state in self._looking.execute(_VENUE_TRADES, prepare=True).fetchall():
            has = theirs.get(trade) in ("settled", "returned")
            executed[order] += has
            if state in ("settled", "returned") and not has:
                self._world.found("R1", trade, f"it is {state}, its venue says {theirs.get(trade, 'nothing')}")
        for order, times in executed.items():
            if times > 1:
                self._world.found("R2", order, f"its venue executed {times} trades of it")

    def _pools_have_not_lost(self) -> None:
        """The product of a pool's reserves is never less than at first, as long as no trade was turned round.

        (It may fall from one settlement to the next: who was quoted while another's reservation stood paid for both.)
        """
        for code, cash, position, turned in self._looking.execute(_POOLS, prepare=True).fetchall():
            product = int(cash) * int(position)
            if not turned and product < self._products.setdefault(code, product):
                self._world.found("the pool", code, f"lost to rounding: {self._products[code]} became {product}")


def edges(looking: "psycopg.Connection[Any]") -> list[tuple[str, str, str]]:
    """Return every move that was made, as edges of its machine."""
    return looking.execute(_EDGES).fetchall()
