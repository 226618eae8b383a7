"""Rules S1 and S2, kept up with move by move: what the audit says of each subject, held against its row.

`states.sql` says the same of everything at once; it is asked at the end of each world.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.simulation.world import World

_LEGAL: Final = "SELECT machine, from_state, to_state FROM legal_move"
_MOVES: Final = "SELECT id, machine, subject, sequence, from_state, to_state FROM ledger_move WHERE id > %s ORDER BY id"
_EVENTS: Final = "SELECT id, aggregate FROM ledger_event WHERE id > %s ORDER BY id"
_TELL: Final = ("order", "quote", "trade", "return", "review_case", "market", "intent", "payout", "pay_in")
_TABLES: Final = {
    "order": "orders_order",
    "quote": "orders_quote",
    "trade": "orders_trade",
    "return": "orders_return",
    "review_case": "orders_reviewcase",
    "market": "orders_market",
    "intent": "orders_intent",
    "payout": "orders_payout",
    "pay_in": "orders_payin",
    "remote_operation": "wallets_remoteoperation",
    "delivery": "webhooks_delivery",
    "inbound_event": "webhooks_inboundevent",
}
_SUBJECTS: Final = " UNION ALL ".join(
    f"SELECT '{machine}', reference, state, version FROM {table}" for machine, table in _TABLES.items()
)


class States:
    """Where each subject is by its audit rows, and how many events told of it."""

    def __init__(self) -> None:
        self._legal: set[tuple[str, str, str]] = set()
        self._last_move = 0
        self._last_event = 0
        self._at: dict[str, tuple[str, int]] = {}
        self._told: Counter[str] = Counter()

    def look(self, world: "World", *, moves: bool, events: bool) -> None:
        looking = world.stage.looking
        self._legal = self._legal or set(looking.execute(_LEGAL).fetchall())
        if moves:
            for number, machine, subject, sequence, source, target in looking.execute(
                _MOVES, [self._last_move], prepare=True
            ).fetchall():
                self._last_move = number
                state, version = self._at.get(subject, ("", 0))
                if (state, version + 1) != (source, sequence) or (machine, source, target) not in self._legal:
                    was = f'"{state}", version {version}'
                    world.found(
                        "S1", subject, f'{machine} moved from "{source}" to {target} as {sequence}, it was {was}'
                    )
                self._at[subject] = (target, sequence)
        if events:
            for number, aggregate in looking.execute(_EVENTS, [self._last_event], prepare=True).fetchall():
                self._last_event = number
                self._told[aggregate] += 1
        for machine, reference, state, version in looking.execute(_SUBJECTS, prepare=True).fetchall():
            if self._at.get(reference) != (state, version):
                world.found(
                    "S1", reference, f"{machine} is {state}, version {version}, by its audit {self._at.get(reference)}"
                )
            if machine in _TELL and self._told[reference] != version:
                world.found("S2", reference, f"{machine} has version {version} and {self._told[reference]} events")
