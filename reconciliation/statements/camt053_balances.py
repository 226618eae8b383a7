"""The balances of one statement in a camt.053 file, and whether its entries are what lies between them."""

from collections import Counter
from typing import Final

from ledger import assets
from ledger.assets import UnknownAsset
from reconciliation.statements import mapping as mappings
from reconciliation.statements.csv_lines import NotThisFormat
from reconciliation.statements.line import Unreadable

_OPENING: Final = ("OPBD", "PRCD")
"""Opening booked; else the closing of the statement before."""
_CLOSING: Final = "CLBD"


class Balances:
    """Of one statement. An entry or balance that cannot be read settles nothing: its line is wrong by itself."""

    def __init__(self) -> None:
        self.name = ""
        self._told: dict[tuple[str, str], int] = {}
        self._booked: Counter[str] = Counter()
        self._is_readable = True

    def tell(self, kind: str, *, amount: str, asset: str, side: str) -> None:
        """Take a balance of a kind (`OPBD`) as the statement says it."""
        self._told.setdefault((kind, asset), self._signed(amount, asset, side))

    def book(self, *, amount: str, asset: str, side: str) -> None:
        """Take a booked entry."""
        self._booked[asset] += self._signed(amount, asset, side)

    def check(self) -> None:
        """Raise NotThisFormat when opening, entries and closing of an asset do not agree; where one is missing, they do."""
        for kind, asset in self._told:
            opened = next((self._told[one, asset] for one in _OPENING if (one, asset) in self._told), None)
            if kind != _CLOSING or opened is None or not self._is_readable:
                continue
            closed = self._told[kind, asset]
            if opened + self._booked[asset] != closed:
                texts = (assets.text(one, asset) for one in (opened, self._booked[asset], closed))
                raise NotThisFormat(
                    "The entries of statement {} are not what lies between its balances: {} and {} are not {} {}.".format(
                        self.name or "without an id", *texts, asset
                    )
                )

    def _signed(self, amount: str, asset: str, side: str) -> int:
        try:
            minor = mappings.read_amount(amount, assets.named(asset))
        except (Unreadable, UnknownAsset):
            minor = 0
            self._is_readable = False
        if side not in ("CRDT", "DBIT"):
            self._is_readable = False
        return minor if side == "CRDT" else -minor
