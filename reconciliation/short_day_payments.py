"""The short day's payments: a provider pays in, users pay each other, merchants are paid out, and some of it goes wrong."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciliation.short_day import Api, DayInterrupted

_ASSET: Final = "THB"
_SHOP: Final = "day-shop"
_USERS: Final = ("day-ann", "day-ben")
_PAID_IN: Final = (("day-shop", "25000.00"), ("day-ann", "9000.00"), ("day-ben", "1500.00"))
_TRANSFERS: Final = (
    ("day-ann", "day-ben", "1000.00"),
    ("day-ann", "day-shop", "349.50"),
    ("day-ben", "day-ann", "120.00"),
    ("day-ben", "day-shop", "99999.00"),
)
"""The last is refused: it has not so much."""
_PAYOUTS: Final = (
    ("0812345678", "1000.00"),
    ("0899990000", "500.00"),
    ("0899990003", "750.00"),
    ("0899990026", "200.00"),
)
"""PromptPay numbers: one that goes well, one declined, one found by a lookup, one that nobody has (docs/sandbox.md)."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the sandbox's payment provider, to be signed and sent by whoever knows its secret."""

    event_id: str
    kind: str
    data: dict[str, str]


def play(
    api: Api,
    *,
    run: str,
    tell: Callable[[Sequence[Told]], None],
    funded: Callable[[str], None],
    say: Callable[[str], None],
) -> int:
    """Play all of it once. `tell` sends the provider's events; `funded` waits until a wallet has money. Returns how many."""
    wallets = {name: _wallet(api, name, run=run) for name in (_SHOP, *_USERS)}
    tell(
        [
            Told(f"day-payin-{name}", "payin.collected", _collected(f"day-txn-{name}", wallets[name], amount))
            for name, amount in _PAID_IN
        ]
    )
    for wallet in wallets.values():
        funded(wallet)
    refund = {"transaction_id": "day-txn-refund", "collection": "day-txn-day-shop", "amount": "450.00", "asset": _ASSET}
    again = _collected("day-txn-day-ben", wallets["day-ben"], "1500.00")
    tell([Told("day-refund", "payin.refunded", refund), Told("day-payin-again", "payin.collected", again)])
    done = 0
    for number, (payer, payee, amount) in enumerate(_TRANSFERS):
        body: dict[str, object] = {
            "payer_wallet_id": wallets[payer],
            "payee_wallet_id": wallets[payee],
            "asset": _ASSET,
            "amount": amount,
            "partner_reference": f"day-transfer-{number}",
        }
        done += _post(api, "/v1/transfers", body, key=f"day-transfer-{number}:{run}", say=say) is not None
    for number, (mobile, amount) in enumerate(_PAYOUTS):
        body = {
            "payer_wallet_id": wallets[_SHOP],
            "asset": _ASSET,
            "amount": amount,
            "channel": "promptpay",
            "recipient": {"proxy_type": "mobile", "proxy_value": mobile},
            "partner_reference": f"day-payout-{number}",
        }
        done += _post(api, "/v1/payouts", body, key=f"day-payout-{number}:{run}", say=say) is not None
    return done


def _wallet(api: Api, name: str, *, run: str) -> str:
    kind = "merchant" if name == _SHOP else "user"
    body: dict[str, object] = {"kind": kind, "user_reference": name, "assets": [_ASSET]}
    made = _post(api, "/v1/wallets", body, key=f"{name}:{run}:wallet", say=lambda _: None)
    if made is None:
        raise DayInterrupted(f"the wallet of {name} was not opened")
    return str(made["wallet_id"])


def _collected(transaction: str, wallet: str, amount: str) -> dict[str, str]:
    return {"transaction_id": transaction, "wallet_id": wallet, "amount": amount, "asset": _ASSET}


def _post(
    api: Api, path: str, body: dict[str, object], *, key: str, say: Callable[[str], None]
) -> dict[str, Any] | None:
    status, content = api.call("POST", path, json.dumps(body).encode(), idempotency_key=key)
    answer: dict[str, Any] = json.loads(content)
    if status in (200, 201, 202):
        return answer
    say(f"  {key.partition(':')[0]}: {answer.get('code')}")
    return None
