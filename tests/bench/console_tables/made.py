"""How the rows of a table are made: its columns as SQL over what they are made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MANY: Final = 40
"""Rows of what has few: operators, gateways, pools, endpoints, sources, closes."""
ENDED: Final = "state IN ('processed', 'failed', 'compensated')"
WALLETS: Final = "100000"
EVENT: Final = 10_000_000
"""Event numbers from here on, so that deliveries can name theirs."""


@dataclass(frozen=True, slots=True)
class Rows:
    """`made_from` is `filled` (a row an order), `few` (MANY rows) or what joins them; `columns` are SQL over it."""

    table: str
    made_from: str
    columns: Mapping[str, str] = field(default_factory=dict)


def stateful(prefix: str, state: str, **columns: str) -> dict[str, str]:
    """Return the columns of a row with a machine."""
    kept = {"reference": f"'{prefix}_' || id", "environment": "'test'", "operator_id": "1", "version": "2"}
    return kept | {"created_at": "at", "updated_at": "at", "state": state} | columns
