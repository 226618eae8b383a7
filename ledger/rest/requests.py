"""Reads what a house key asks to be posted, strictly and without a serializer: a list holds up to 10,000 of them.

Every fault of a request is named by its place (`transactions.3.amounts.net`), up to a limit; nothing is guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ledger import assets
from ledger.controls.refusals import Malformed
from ledger.direct_posting import MOST_POSTINGS, TooManyPostings
from ledger.drafts import Draft
from ledger.money import InvalidAmount, Money, parse

_FIELDS: Final = frozenset(
    {
        "event_type",
        "key",
        "amounts",
        "accounts",
        "subject",
        "refs",
        "metadata",
        "effective_at",
        "timeout",
        "hold_key",
    }
)
_MOST_NAMES: Final = 50
_MOST_FAULTS: Final = 50
_LONGEST_TIMEOUT: Final = 4_294_967_295
_YEARS: Final = (2000, 2200)

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_KEY = re.compile(r"[A-Za-z0-9._:@-]{1,255}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_EVENT_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,59}", re.ASCII)


@dataclass(slots=True)
class _Faults:
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: str, message: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.setdefault(place, []).append(message)

    def stop_if_any(self) -> None:
        if self.found:
            raise Malformed(errors=self.found)


@dataclass(frozen=True, slots=True)
class Asked:
    """One draft, and the reason that comes with it where two people decide."""

    draft: Draft
    reason: str


def read_one(body: object) -> Asked:
    """Read the body of a single transaction. Raises Malformed, which names each fault."""
    faults = _Faults()
    if not isinstance(body, Mapping):
        raise Malformed(errors={"non_field_errors": ["A JSON object is needed."]})
    reason = _text(body, "reason", "reason", faults, longest=1000)
    draft = _draft({name: value for name, value in body.items() if name != "reason"}, "", _FIELDS, faults)
    faults.stop_if_any()
    return Asked(draft, reason)


def read_list(body: object) -> list[Draft]:
    """Read the body of a list. Raises Malformed or TooManyPostings."""
    if not isinstance(body, Mapping) or set(body) != {"transactions"} or not isinstance(body["transactions"], list):
        raise Malformed(
            errors={"transactions": ["A JSON object with a list `transactions`, and nothing else, is needed."]}
        )
    items = body["transactions"]
    if not items:
        raise Malformed(errors={"transactions": ["The list is empty."]})
    if len(items) > MOST_POSTINGS:
        raise TooManyPostings
    faults = _Faults()
    drafts = []
    for place, item in enumerate(items):
        if isinstance(item, Mapping):
            drafts.append(_draft(item, f"transactions.{place}.", _FIELDS | {"linked"}, faults))
        else:
            faults.add(f"transactions.{place}", "A JSON object is needed.")
    faults.stop_if_any()
    return drafts


def _draft(item: Mapping[str, object], place: str, known: frozenset[str], faults: _Faults) -> Draft:
    for name in item:
        if name not in known:
            faults.add(place + name[:80], "This route does not know this field.")
    return Draft(
        event_type=_matching(item, "event_type", place, faults, _EVENT_TYPE, "The name of an event type is needed."),
        key=_matching(item, "key", place, faults, _KEY, "1 to 255 of the characters A-Z a-z 0-9 . _ : @ -"),
        subject=_text(item, "subject", place + "subject", faults, longest=64),
        amounts=_amounts(item, place, faults),
        accounts=_texts(item, "accounts", place, faults, longest=255),
        refs=_texts(item, "refs", place, faults, longest=255),
        metadata=_texts(item, "metadata", place, faults, longest=1000),
        effective_at=_instant(item, place, faults),
        timeout=_seconds(item, place, faults),
        hold_key=_hold_key(item, place, faults),
        linked=_flag(item, "linked", place, faults),
    )


def _matching(
    item: Mapping[str, object], name: str, place: str, faults: _Faults, pattern: re.Pattern[str], message: str
) -> str:
    value = item.get(name)
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    faults.add(place + name, message)
    return ""


def _hold_key(item: Mapping[str, object], place: str, faults: _Faults) -> str | None:
    if item.get("hold_key") is None:
        return None
    return _matching(
        item, "hold_key", place, faults, _KEY, "The key of the transaction that placed the hold is needed."
    )


def _text(item: Mapping[str, object], name: str, place: str, faults: _Faults, *, longest: int) -> str:
    value = item.get(name, "")
    if isinstance(value, str) and len(value) <= longest and "\x00" not in value:
        return value
    faults.add(place, f"A JSON string of at most {longest} characters, without null characters, is needed.")
    return ""


def _texts(item: Mapping[str, object], name: str, place: str, faults: _Faults, *, longest: int) -> dict[str, str]:
    return {
        word: _text(value, word, f"{place}{name}.{word}", faults, longest=longest)
        for value in [_object(item, name, place, faults)]
        for word in value
    }


def _object(item: Mapping[str, object], name: str, place: str, faults: _Faults) -> Mapping[str, object]:
    value = item.get(name, {})
    if not isinstance(value, Mapping) or len(value) > _MOST_NAMES:
        faults.add(place + name, f"A JSON object of at most {_MOST_NAMES} members is needed.")
        return {}
    for word in value:
        if not _NAME.fullmatch(word):
            faults.add(
                f"{place}{name}.{word[:80]}", "A name is a letter, then letters, digits and underscores, at most 40."
            )
    return {word: one for word, one in value.items() if _NAME.fullmatch(word)}


def _amounts(item: Mapping[str, object], place: str, faults: _Faults) -> dict[str, Money]:
    found: dict[str, Money] = {}
    for name, value in _object(item, "amounts", place, faults).items():
        where = f"{place}amounts.{name}"
        if not isinstance(value, Mapping) or set(value) != {"amount", "asset"}:
            faults.add(where, "An object with `amount` and `asset`, and nothing else, is needed.")
        elif not isinstance(value["asset"], str) or "\x00" in value["asset"]:
            faults.add(f"{where}.asset", "An asset's code is needed.")
        else:
            try:
                found[name] = parse(value["amount"], assets.named(value["asset"]))
            except InvalidAmount as error:
                faults.add(f"{where}.amount", str(error))
            except assets.UnknownAsset as error:
                faults.add(f"{where}.asset", error.message)
    return found


def _instant(item: Mapping[str, object], place: str, faults: _Faults) -> datetime | None:
    value = item.get("effective_at")
    if value is None:
        return None
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value).astimezone(UTC)  # the database knows no offset of 16 hours
        except (ValueError, OverflowError):
            instant = None
        if instant is not None and _YEARS[0] <= instant.year <= _YEARS[1]:
            return instant
    faults.add(f"{place}effective_at", "An instant as RFC 3339 writes it is needed: 2026-01-31T12:00:00Z.")
    return None


def _seconds(item: Mapping[str, object], place: str, faults: _Faults) -> int:
    value = item.get("timeout", 0)
    if type(value) is int and 0 <= value <= _LONGEST_TIMEOUT:
        return value
    faults.add(f"{place}timeout", f"A whole number of seconds from 0 (never) to {_LONGEST_TIMEOUT} is needed.")
    return 0


def _flag(item: Mapping[str, object], name: str, place: str, faults: _Faults) -> bool:
    value = item.get(name, False)
    if isinstance(value, bool):
        return value
    faults.add(place + name, "true or false is needed.")
    return False
