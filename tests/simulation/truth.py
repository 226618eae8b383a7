"""What the book says of the outside, held against what really happened there (rules R1 to R4)."""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.wallet_service import Movement
    from tests.simulation.world import World

_ASKED: Final = "SELECT ask_until, state FROM wallets_remoteoperation WHERE key = %s"


class Known(NamedTuple):
    """One operation as our rows have it, with its order's and trade's state, or its intent's."""

    key: str
    owner: str
    leg: str
    state: str
    order_state: str
    trade_state: str
    intent_state: str


class Truth:
    """Compares, at each movement and after each commit."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def moved(self, movement: "Movement") -> None:
        """Money moved at the wallet: was it asked, in time, and is it the only one of its leg?"""
        world = self._world
        row = world.stage.looking.execute(_ASKED, [movement.key], prepare=True).fetchone()
        if row is None:
            world.found("R4", movement.key, "moved, and never written down")
            return
        ask_until, state = row
        if not movement.late and (ask_until is None or movement.at > ask_until):
            world.found("R2", movement.key, f"moved at {movement.at}, and was asked until {ask_until} ({state})")
        same = [one for one in world.scene.movements if (one.owner, one.leg) == (movement.owner, movement.leg)]
        timely = [one for one in same if not one.late]
        if len(timely) > 1:
            world.found(
                "R2", movement.owner, f"its {movement.leg} moved {len(timely)} times: {[m.key for m in timely]}"
            )

    def compare(self, known: list[Known]) -> None:
        """After a commit: what we hold for certain is so, and what rests on it stands."""
        movements = self._world.scene.movements
        moved = {(movement.owner, movement.leg) for movement in movements}
        keys = {movement.key for movement in movements}
        timely = {movement.key for movement in movements if not movement.late}
        for one in known:
            if one.state == "confirmed" and one.key not in keys:
                self._world.found("R3", one.key, "confirmed, and it never moved")
            elif one.state in ("rejected", "withdrawn") and one.key in keys:
                self._world.found("R3", one.key, f"{one.state}, and it moved")
            elif one.state == "absent" and one.key in timely:
                self._world.found("R3", one.key, "absent, and it moved in time")
            if one.intent_state == "settled" and one.key not in keys:
                self._world.found("R1", one.owner, "its intent is settled, and nothing was paid")
            if one.intent_state == "failed" and one.key in timely:
                self._world.found("R2", one.owner, "its intent has failed, and it was paid")
            if one.leg == "debit" and one.trade_state in ("settled", "returned") and (one.owner, "debit") not in moved:
                self._world.found("R1", one.owner, "its trade is settled, and its debit never moved")
            if (one.owner, "reverse") in moved and one.trade_state in ("settled", "returned"):
                self._world.found("R2", one.owner, "its debit was reversed, and its trade is settled")
            if (
                one.leg == "credit"
                and one.order_state
                and (one.owner, "credit") in moved
                and one.trade_state == "reserved"
            ):
                self._world.found("R2", one.owner, "credited, and its trade is not settled")
