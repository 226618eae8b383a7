"""One execution: the variables' values, what is taken and not yet given, and what has moved so far."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ledger.numscript.values import Value

BalanceSource = Mapping[tuple[str, ...], int]
"""Credits less debits less pending debits in minor units, by (address, asset), or (address, asset, color). What is not
there is zero."""

MetadataSource = Mapping[str, Mapping[str, str]]
"""The accounts' stored metadata: by address, by key."""

Unbounded = Callable[[str], bool]
"""Says whether an account may be debited without a look at its balance."""

Key = tuple[str, str, str]


class Sent(NamedTuple):
    """A posting: `source` is debited, `destination` credited. A tuple, because thousands are made a second."""

    source: str
    destination: str
    asset: str
    amount: int
    color: str = ""


class Piece(NamedTuple):
    """Funds that were taken from an account and wait for their destination."""

    address: str
    amount: int
    color: str


class Snapshot(NamedTuple):
    queue: deque[Piece]
    moved: dict[Key, int]
    posted: int


class Run(list[Value]):
    """The values of the variables in order of declaration (a list, read by index), and the state beside them."""

    __slots__ = (
        "account_metadata",
        "asset",
        "balances",
        "metadata",
        "moved",
        "postings",
        "probing",
        "queue",
        "read",
        "transaction_metadata",
        "unbounded",
    )

    def __init__(
        self, balances: BalanceSource, metadata: MetadataSource, unbounded: Unbounded, *, probing: bool = False
    ) -> None:
        self.balances = balances
        self.metadata = metadata
        self.unbounded = unbounded
        self.probing = probing
        """Only to learn which balances would be asked: each is zero."""
        self.asset = ""
        """The asset of the send that is being executed."""
        self.postings: list[Sent] = []
        self.queue: deque[Piece] = deque()
        self.moved: dict[Key, int] = {}
        """What this execution added to balances, or took or saved from them."""
        self.read: dict[tuple[str, str], None] = {}
        self.transaction_metadata: dict[str, Value] = {}
        self.account_metadata: dict[str, dict[str, Value]] = {}

    def balance(self, address: str, asset: str, color: str = "") -> int:
        """Return an account's balance as this execution has left it so far."""
        self.read[address, asset] = None
        if self.probing:
            return 0
        stored = self.balances.get((address, asset, color) if color else (address, asset), 0)
        return stored + self.moved.get((address, asset, color), 0)

    def move(self, address: str, asset: str, color: str, amount: int) -> None:
        """Add to a balance, for the statements that follow."""
        key = (address, asset, color)
        self.moved[key] = self.moved.get(key, 0) + amount

    def take(self, address: str, amount: int, color: str) -> None:
        """Take funds from an account into the queue. Neighbours of one account and color become one piece."""
        if amount == 0:
            return
        self.move(address, self.asset, color, -amount)
        queue = self.queue
        if queue and queue[-1].address == address and queue[-1].color == color:
            amount += queue.pop().amount
        queue.append(Piece(address, amount, color))

    def give(self, destination: str, amount: int) -> None:
        """Send the next `amount` of the queue to an account."""
        for piece in self._next(amount):
            self.move(destination, self.asset, piece.color, piece.amount)
            self.postings.append(Sent(piece.address, destination, self.asset, piece.amount, piece.color))

    def keep(self, amount: int) -> None:
        """Give the next `amount` of the queue back to where it was taken from."""
        for piece in self._next(amount):
            self.move(piece.address, self.asset, piece.color, piece.amount)

    def _next(self, amount: int) -> list[Piece]:
        pieces: list[Piece] = []
        while amount > 0 and self.queue:
            piece = self.queue.popleft()
            if piece.amount > amount:
                self.queue.appendleft(Piece(piece.address, piece.amount - amount, piece.color))
                piece = Piece(piece.address, amount, piece.color)
            amount -= piece.amount
            pieces.append(piece)
        return pieces

    def post(self, source: str, destination: str, asset: str, amount: int) -> None:
        """Post at once, whatever the balances are; nothing for an amount of zero."""
        if amount:
            self.move(source, asset, "", -amount)
            self.move(destination, asset, "", amount)
            self.postings.append(Sent(source, destination, asset, amount))

    def snapshot(self) -> Snapshot:
        return Snapshot(self.queue.copy(), self.moved.copy(), len(self.postings))

    def restore(self, snapshot: Snapshot) -> None:
        self.queue = snapshot.queue
        self.moved = snapshot.moved
        del self.postings[snapshot.posted :]
