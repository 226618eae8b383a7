"""Faults of trades at outside venues that worlds must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from unittest.mock import patch

from orders.sagas import releasing
from tests.simulation.planted_fault import Fault
from wallets import evidence
from wallets.gateway_port import Reply
from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import Confirmed, Outcome, Unknown


@contextmanager
def _settled_without_its_venue() -> Iterator[None]:
    """An execution that nobody knows the end of is taken for done."""
    original = evidence._judged

    def hopeful(operation: RemoteOperation, gateway: Gateway, reply: Reply, *, looked_at: datetime) -> Outcome:
        outcome = original(operation, gateway, reply, looked_at=looked_at)
        return Confirmed("surely") if operation.leg == "execute" and isinstance(outcome, Unknown) else outcome

    with patch.object(evidence, "_judged", hopeful):
        yield


@contextmanager
def _never_released() -> Iterator[None]:
    """A reservation that is given up here stands at its venue for ever."""
    with patch.object(releasing, "given_up", lambda order, trade, *, now: []):
        yield


OF_VENUES: Final = (
    Fault("a trade settled without its venue's word", _settled_without_its_venue, frozenset({"R1", "R3"}), 19),
    Fault("a reservation that is never released", _never_released, frozenset({"book and venue"}), 99),
)
