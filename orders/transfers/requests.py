"""Reads what a caller asks to be transferred, strictly and without a serializer: a list holds up to 1,000 of them.

Every fault of a request is named by its place (`transfers.3.amount`), up to a limit; nothing is guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ledger import assets
from ledger.assets import UnknownAsset
from ledger.controls.refusals import Malformed
from ledger.money import InvalidAmount, Money, parse

MOST_TRANSFERS: Final = 1000
PARTNER_REFERENCE: Final = r"[A-Za-z0-9._:@/#-]{1,80}"
WALLET_ID: Final = r"wal_[0-9a-z]{26}"
LONGEST_NOTE: Final = 140

_FIELDS: Final = frozenset({"payer_wallet_id", "payee_wallet_id", "asset", "amount", "partner_reference", "note"})
_MOST_FAULTS: Final = 50
_LONGEST_NAME: Final = 80
_YEARS: Final = (2000, 2200)

_WALLET = re.compile(WALLET_ID, re.ASCII)
_PARTNER = re.compile(PARTNER_REFERENCE, re.ASCII)
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One transfer as its caller asks for it. `scheduled_for` is None for one that happens now."""

    payer: str
    payee: str
    amount: Money
    partner_reference: str = ""
    note: str = ""
    scheduled_for: datetime | None = None


@dataclass(slots=True)
class _Faults:
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: str, message: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.setdefault(place, []).append(message)

    def stop_if_any(self) -> None:
        if self.found:
            raise Malformed(errors=self.found)


def read_one(body: object) -> Asked:
    """Read the body of a single transfer. Raises Malformed, which names each fault."""
    faults = _Faults()
    if not isinstance(body, Mapping):
        raise Malformed(errors={"non_field_errors": ["A JSON object is needed."]})
    scheduled_for = _instant(body.get("scheduled_for"), faults)
    asked = _transfer({name: value for name, value in body.items() if name != "scheduled_for"}, "", faults)
    faults.stop_if_any()
    assert asked is not None
    return Asked(asked.payer, asked.payee, asked.amount, asked.partner_reference, asked.note, scheduled_for)


def read_list(body: object) -> tuple[list[Asked], bool]:
    """Read the body of a list, and whether all stand or fall together. Raises Malformed, which names each fault."""
    if not isinstance(body, Mapping) or not isinstance(body.get("transfers"), list):
        raise Malformed(errors={"transfers": ["A JSON object with a list `transfers` is needed."]})
    faults = _Faults()
    for name in sorted(set(body) - {"transfers", "atomic"})[:_MOST_FAULTS]:
        faults.add(name[:_LONGEST_NAME], "This route does not know this field.")
    atomic = body.get("atomic", False)
    if not isinstance(atomic, bool):
        faults.add("atomic", "true or false is needed.")
    items = body["transfers"]
    if not 0 < len(items) <= MOST_TRANSFERS:
        faults.add("transfers", f"A list has 1 to {MOST_TRANSFERS} transfers.")
        items = []
    read = [_item(item, f"transfers.{place}", faults) for place, item in enumerate(items)]
    faults.stop_if_any()
    asked = [one for one in read if one is not None]
    _refuse_twice(asked, faults)
    return asked, bool(atomic)


def _item(item: object, place: str, faults: _Faults) -> Asked | None:
    if not isinstance(item, Mapping):
        faults.add(place, "A JSON object is needed.")
        return None
    return _transfer(item, f"{place}.", faults)


def _transfer(item: Mapping[str, object], place: str, faults: _Faults) -> Asked | None:
    """Read one; None when something is off, and `faults` says what."""
    if not item.keys() <= _FIELDS:
        for name in sorted(set(item) - _FIELDS)[:_MOST_FAULTS]:
            faults.add(f"{place}{name[:_LONGEST_NAME]}", "This route does not know this field.")
    payer = _word(item, "payer_wallet_id", place, _WALLET, "A wallet's id is needed: wal_…", faults)
    payee = _word(item, "payee_wallet_id", place, _WALLET, "A wallet's id is needed: wal_…", faults)
    partner = ""
    if "partner_reference" in item:
        message = "1 to 80 of the characters A-Z a-z 0-9 . _ : @ / # -"
        partner = _word(item, "partner_reference", place, _PARTNER, message, faults)
    note = item.get("note", "")
    if not isinstance(note, str) or len(note) > LONGEST_NOTE or "\0" in note:
        faults.add(f"{place}note", f"A JSON string of at most {LONGEST_NOTE} characters is needed.")
        note = ""
    amount = _amount(item, place, faults)
    return Asked(payer, payee, amount, partner, note) if amount is not None else None


def _word(
    item: Mapping[str, object], name: str, place: str, shape: re.Pattern[str], message: str, faults: _Faults
) -> str:
    value = item.get(name)
    if isinstance(value, str) and shape.fullmatch(value):
        return value
    faults.add(f"{place}{name}", message)
    return ""


def _amount(item: Mapping[str, object], place: str, faults: _Faults) -> Money | None:
    code = item.get("asset")
    try:
        asset = assets.named(code if isinstance(code, str) and len(code) <= _LONGEST_NAME else "")
    except UnknownAsset:
        faults.add(f"{place}asset", "There is no such asset.")
        return None
    try:
        amount = parse(item.get("amount"), asset)
    except InvalidAmount as error:
        faults.add(f"{place}amount", str(error))
        return None
    if amount.minor == 0:
        faults.add(f"{place}amount", "An amount is more than zero.")
        return None
    return amount


def _instant(value: object, faults: _Faults) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            found = datetime.fromisoformat(value).astimezone(UTC)  # the database knows no offset of 16 hours
        except (ValueError, OverflowError):
            found = None
        if found is not None and _YEARS[0] <= found.year < _YEARS[1]:
            return found
    faults.add("scheduled_for", "An instant is needed, for example “2026-01-31T12:00:00Z”.")
    return None


def _refuse_twice(asked: list[Asked], faults: _Faults) -> None:
    """Refuse a list that gives one partner reference to two transfers."""
    seen = set[str]()
    for place, one in enumerate(asked):
        if one.partner_reference and one.partner_reference in seen:
            faults.add(f"transfers.{place}.partner_reference", "Given twice in this list.")
        seen.add(one.partner_reference)
    faults.stop_if_any()
