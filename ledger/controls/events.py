"""Events: what happened, recorded in the transaction that caused it. `moves` writes them; this reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

Payload = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a move says to the outside: its topic (`order.processed`) and the data of its payload.

    `public` ones may leave to the operator's endpoints; internal ones never do.
    """

    topic: str
    payload: Payload
    public: bool
