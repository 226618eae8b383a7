"""The ledger as a small dict: what the write door should answer and leave behind, written a second time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.ledger.door import MAXIMUM, Item

TRANSIENT = {
    "debit_account_not_found",
    "credit_account_not_found",
    "pending_transfer_not_found",
    "exceeds_credits",
    "exceeds_debits",
    "debit_account_already_closed",
    "credit_account_already_closed",
}


class Refused(Exception):
    """The item is refused with this code."""

    @property
    def code(self) -> str:
        return str(self.args[0])


@dataclass
class Account:
    """Four balances; `rule` is "", "debits" (they must not exceed credits) or "credits"."""

    rule: str = ""
    dp: int = 0
    cp: int = 0
    dq: int = 0
    cq: int = 0
    closed_by: str | None = None

    @property
    def balances(self) -> tuple[int, int, int, int]:
        return (self.dp, self.cp, self.dq, self.cq)


@dataclass
class Hold:
    expires: datetime | None
    state: str = "open"


@dataclass
class Model:
    accounts: dict[str, Account]
    keys: dict[str, Item | None] = field(default_factory=dict)
    """A key's transaction; None for a key that failed for a transient reason."""
    holds: dict[str, Hold] = field(default_factory=dict)
    posted: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    """What each settle posted of each pair of accounts."""
    taken: dict[str, list[int]] = field(default_factory=dict)
    """What each plain or reserve moved, posting by posting: of a balancing one perhaps less than it asked."""

    def post(self, items: Sequence[Item], now: datetime) -> list[str]:
        """Post a list and return a code per item."""
        codes: list[str] = []
        chain: list[int] = []
        before: Model | None = None
        broken = False
        for n, item in enumerate(items):
            if item.linked and not chain:
                before, broken = self.copy(), False
            in_chain = item.linked or bool(chain)
            if in_chain:
                chain.append(n)
            if item.linked and n == len(items) - 1:
                code = "linked_event_chain_open"
            elif in_chain and broken:
                code = "linked_event_failed"
            else:
                code = self._one(item, now)
            codes.append(code)
            if in_chain and code != "created" and not broken:
                broken = True
                assert before is not None
                self._become(before)
                for earlier in chain[:-1]:
                    codes[earlier] = "linked_event_failed"
            if code in TRANSIENT:
                self.keys[str(item.key)] = None
            if not item.linked:
                chain = []
        return codes

    def copy(self) -> "Model":
        """Return one that goes its own way."""
        return Model(
            accounts={name: replace(account) for name, account in self.accounts.items()},
            keys=dict(self.keys),
            holds={key: replace(hold) for key, hold in self.holds.items()},
            posted=dict(self.posted),
            taken=dict(self.taken),
        )

    def sweep(self, now: datetime) -> None:
        """Expire what is due."""
        for key, hold in self.holds.items():
            if hold.state == "open" and hold.expires is not None and hold.expires <= now:
                self._end(key, "expired", Counter())

    def _become(self, other: "Model") -> None:
        self.accounts, self.keys, self.holds = other.accounts, other.keys, other.holds
        self.posted, self.taken = other.posted, other.taken

    def _one(self, item: Item, now: datetime) -> str:
        key = str(item.key)
        saved = self.copy()
        try:
            if key in self.keys:
                raise Refused(self._repeat(key, item))
            self._malformed(item)
            if item.phase in ("plain", "reserve"):
                self._apply(item)
            else:
                self._finish(item, now)
        except Refused as refused:
            self._become(saved)
            return refused.code
        self.keys[key] = item
        if item.phase == "reserve":
            self.holds[key] = Hold(now + timedelta(seconds=item.timeout) if item.timeout else None)
        return "created"

    def _malformed(self, item: Item) -> None:
        if item.flags and item.phase not in ("plain", "reserve"):
            raise Refused("flags_are_mutually_exclusive")
        if item.hold is not None and item.hold == item.key:
            raise Refused("pending_id_must_be_different")
        if item.timeout and item.phase != "reserve":
            raise Refused("timeout_reserved_for_pending_transfer")
        if item.phase == "plain" and {"closing_debit", "closing_credit"} & {*item.flags}:
            raise Refused("closing_transfer_must_be_pending")
        for posting in item.postings:
            if posting.debit == posting.credit:
                raise Refused("accounts_must_be_different")
            if posting.amount == 0 and not item.flags:
                raise Refused("amount_must_not_be_zero")
            if item.phase == "release":
                raise Refused("pending_transfer_has_different_amount")
        if not item.postings and item.phase in ("plain", "reserve"):
            raise Refused("amount_must_not_be_zero")

    def _apply(self, item: Item) -> None:
        taken = self.taken[str(item.key)] = []
        for posting in item.postings:
            amount = int(str(posting.amount))
            debited, credited = self._pair(posting.debit, posting.credit)
            _open(debited, credited)
            if "balancing_debit" in item.flags:
                amount = min(amount, max(debited.cp - debited.dp - debited.dq, 0))
            if "balancing_credit" in item.flags:
                amount = min(amount, max(credited.dp - credited.cp - credited.cq, 0))
            if debited.rule == "debits" and debited.dp + debited.dq + amount > debited.cp:
                raise Refused("exceeds_credits")
            if credited.rule == "credits" and credited.cp + credited.cq + amount > credited.dp:
                raise Refused("exceeds_debits")
            taken.append(amount)
            if "closing_debit" in item.flags:
                debited.closed_by = item.key
            if "closing_credit" in item.flags:
                credited.closed_by = item.key
            if item.phase == "plain":
                debited.dp += amount
                credited.cp += amount
            else:
                debited.dq += amount
                credited.cq += amount

    def _finish(self, item: Item, now: datetime) -> None:
        if item.hold not in self.holds:
            plain = item.hold is not None and self.keys.get(item.hold) is not None
            raise Refused("pending_transfer_not_pending" if plain else "pending_transfer_not_found")
        hold, pendings = self.holds[item.hold], self._pendings(item.hold)
        sends: Counter[tuple[str, str]] = Counter()
        for posting in item.postings:
            self._pair(posting.debit, posting.credit)
            pair, amount = (posting.debit, posting.credit), int(str(posting.amount))
            if posting.debit not in {debit for debit, _ in pendings} and pair not in pendings:
                raise Refused("pending_transfer_has_different_debit_account_id")
            if pair not in pendings:
                raise Refused("pending_transfer_has_different_credit_account_id")
            if amount == MAXIMUM:
                amount = pendings[pair] - sends[pair]
            sends[pair] += amount
            if sends[pair] > pendings[pair]:
                raise Refused("exceeds_pending_transfer_amount")
        if hold.state in ("posted", "voided"):
            raise Refused(f"pending_transfer_already_{hold.state}")
        if hold.state == "expired" or (hold.expires is not None and hold.expires <= now):
            raise Refused("pending_transfer_expired")
        for posting in item.postings:
            _open(*self._pair(posting.debit, posting.credit))
        self._end(item.hold, "posted" if item.phase == "settle" else "voided", sends)
        self.posted[str(item.key)] = sends

    def _end(self, key: str, state: str, sends: Counter[tuple[str, str]]) -> None:
        self.holds[key].state = state
        for account in self.accounts.values():
            if account.closed_by == key:
                account.closed_by = None
        for pair, whole in self._pendings(key).items():
            debited, credited = self._pair(*pair)
            debited.dq -= whole
            credited.cq -= whole
            debited.dp += sends[pair]
            credited.cp += sends[pair]

    def _pendings(self, key: str) -> Counter[tuple[str, str]]:
        placed = self.keys[key]
        assert placed is not None
        return _by_pair(placed, self.taken[key])

    def _pair(self, debit: str, credit: str) -> tuple[Account, Account]:
        if debit not in self.accounts:
            raise Refused("debit_account_not_found")
        if credit not in self.accounts:
            raise Refused("credit_account_not_found")
        return self.accounts[debit], self.accounts[credit]

    def _repeat(self, key: str, item: Item) -> str:
        stood = self.keys[key]
        if stood is None:
            return "id_already_failed"
        if stood.phase != item.phase or {*stood.flags} != {*item.flags}:
            return "exists_with_different_flags"
        if stood.hold != item.hold:
            return "exists_with_different_pending_id"
        if stood.timeout != item.timeout:
            return "exists_with_different_timeout"
        if stood.phase == "settle":
            return self._repeated_settle(key, item)
        if stood.phase == "release":
            return "exists"
        for side in ("debit", "credit"):
            if [getattr(p, side) for p in stood.postings] != [getattr(p, side) for p in item.postings]:
                return f"exists_with_different_{side}_account_id"
        taken, asked = self.taken[key], [int(str(p.amount)) for p in item.postings]
        balancing = {"balancing_debit", "balancing_credit"} & {*item.flags}
        fits = all(a >= t for a, t in zip(asked, taken, strict=True)) if balancing else asked == taken
        return "exists" if fits else "exists_with_different_amount"

    def _repeated_settle(self, key: str, item: Item) -> str:
        assert item.hold is not None
        pendings, posted, asked = self._pendings(item.hold), self.posted[key], _by_pair(item)
        strange = [pair for pair in asked if pair not in pendings]
        if any(debit not in {d for d, _ in pendings} and debit in self.accounts for debit, _ in strange):
            return "exists_with_different_debit_account_id"
        if strange:
            return "exists_with_different_credit_account_id"
        same = all(
            asked[pair] >= whole if posted[pair] == whole else asked[pair] == posted[pair]
            for pair, whole in pendings.items()
        )
        return "exists" if same else "exists_with_different_amount"


def _open(debited: Account, credited: Account) -> None:
    if debited.closed_by is not None:
        raise Refused("debit_account_already_closed")
    if credited.closed_by is not None:
        raise Refused("credit_account_already_closed")


def _by_pair(item: Item, taken: Sequence[int] | None = None) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    amounts = taken if taken is not None else [int(str(posting.amount)) for posting in item.postings]
    for posting, amount in zip(item.postings, amounts, strict=True):
        total[(posting.debit, posting.credit)] += amount
    return total
