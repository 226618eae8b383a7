"""What a payout asks for, read and checked: the wallet that pays, how much, through which channel, to whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger import assets
from ledger.controls.refusals import Malformed
from ledger.money import InvalidAmount, Money, parse
from orders.models import Intent

_PARTNER_REFERENCE: Final = re.compile(r"[A-Za-z0-9._:@/#-]{1,80}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_PROXIES: Final = {"mobile": 10, "national_id": 13, "ewallet": 15}
_BANK_CODE: Final = re.compile(r"[A-Z0-9]{2,11}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Z0-9]{4,34}", re.ASCII)
_LONGEST_NAME: Final = 140
_LONGEST_NOTE: Final = 140
CHANNELS: Final = (Intent.Channel.PROMPTPAY.value, Intent.Channel.BANK_TRANSFER.value)


@dataclass(frozen=True, slots=True)
class PayoutRequest:
    """One payout as it was asked for. `recipient` is in the channel's words."""

    wallet: str
    amount: Money
    channel: str
    recipient: Mapping[str, str]
    partner_reference: str
    note: str


def read(
    *,
    wallet: str,
    amount: str,
    asset: str,
    channel: str,
    recipient: Mapping[str, Any],
    partner_reference: str = "",
    note: str = "",
) -> PayoutRequest:
    """Check a payout's shape. Raises Malformed or UnknownAsset."""
    errors: dict[str, list[str]] = {}
    known = assets.named(asset)
    money = Money(0, known.code)
    try:
        money = parse(amount, known)
    except InvalidAmount as problem:
        errors["amount"] = [str(problem)]
    else:
        if money.minor <= 0:
            errors["amount"] = ["An amount above zero is needed."]
    if channel not in CHANNELS:
        errors["channel"] = [f"Not one of: {', '.join(CHANNELS)}."]
    elif problems := _recipient_problems(channel, recipient):
        errors["recipient"] = problems
    if partner_reference and not _PARTNER_REFERENCE.fullmatch(partner_reference):
        errors["partner_reference"] = ["1 to 80 of the characters A-Z a-z 0-9 . _ : @ / # -"]
    if len(note) > _LONGEST_NOTE or (note and not note.isprintable()):
        errors["note"] = [f"At most {_LONGEST_NOTE} printable characters."]
    if errors:
        raise Malformed("The payout is malformed.", errors=errors)
    return PayoutRequest(wallet, money, channel, dict(recipient), partner_reference, note)


def _recipient_problems(channel: str, recipient: Mapping[str, Any]) -> list[str]:
    names = {"proxy_type", "proxy_value"} if channel == CHANNELS[0] else {"bank_code", "account_number", "name"}
    if set(recipient) != names or not all(isinstance(value, str) for value in recipient.values()):
        return [f"{channel} takes the texts {', '.join(sorted(names))}, and no others."]
    if channel == CHANNELS[0]:
        length = _PROXIES.get(recipient["proxy_type"])
        if length is None:
            return [f"proxy_type is one of {', '.join(_PROXIES)}."]
        value = recipient["proxy_value"]
        right = len(value) == length and _DIGITS.fullmatch(value)
        return [] if right else [f"A {recipient['proxy_type']} has {length} digits."]
    problems = []
    if not _BANK_CODE.fullmatch(recipient["bank_code"]):
        problems.append("bank_code is 2 to 11 of the characters A-Z 0-9.")
    if not _ACCOUNT.fullmatch(recipient["account_number"]):
        problems.append("account_number is 4 to 34 of the characters A-Z 0-9.")
    name = recipient["name"]
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        problems.append(f"name is 1 to {_LONGEST_NAME} printable characters.")
    return problems
