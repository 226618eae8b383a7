"""The bank behind both payout channels, as the world plays it: its own truth, and the wallet service's faults.

`promptpay` is asked who is paid, and confirms; `bank_transfer` takes a transfer on. Both are looked up by key. A payment that
was made may come back days later: news of it, once or more often.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ledger import assets, money
from tests.simulation.wallet_service import Movement, Operation, WalletService, said
from webhooks.outbound import Broken, NotSent, OutboundRequest, OutboundResponse, TimedOut

if TYPE_CHECKING:
    from tests.simulation.world import World

ASSET: Final = "THB"
QUERY_FAULTS: Final = ("not sent", "timeout", "reset", "500", "garbled", "recipient not found")
_SETTLES: Final = "2026-03-16"
_WORDS: Final = {"confirmed": "settled", "rejected": "rejected", "pending": "pending"}
_KEYS: Final = {"promptpay": "idempotencyKey", "transfers": "idempotency_key"}
_RESPONSES: Final = {"promptpay": "responseId", "transfers": "response_id"}
_CAME_BACK: Final = {"promptpay": ("returnedAmount", "returnId"), "transfers": ("returned_amount", "return_id")}
_DATES: Final = {"promptpay": "settlementDate", "transfers": "settlement_date"}


@dataclass(frozen=True, slots=True)
class CameBack:
    """A payment that was made, and came back, whole or in part."""

    number: str
    key: str
    amount: str


class BankService(WalletService):
    """`returned` lists what came back."""

    name = "bank"
    kind = "bank "
    lookups_share = 2

    def __init__(self, world: "World", *, told: Callable[[str, str], None]) -> None:
        super().__init__(world, told=told)
        self.returned: list[CameBack] = []
        self._lanes: dict[str, str] = {}
        self._queries = 0

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        path = urlsplit(request.url).path
        if path == "/promptpay/query":
            return self._query(json.loads(request.body))
        lane = path.split("/")[1]
        self._lanes[request.headers.get("idempotency-key") or path.rpartition("/")[2]] = lane
        return super().answer(request)

    def may_come_back(self) -> list[Movement]:
        """Return the payments that were made in time and have not come back."""
        back = {one.key for one in self.returned}
        return [one for one in self.movements if not one.late and one.key not in back]

    def comes_back(self, movement: Movement, amount: str) -> CameBack:
        self.returned.append(CameBack(f"back-{len(self.returned) + 1}", movement.key, amount))
        return self.returned[-1]

    def read(self, request: OutboundRequest) -> dict[str, str]:
        content = json.loads(request.body)
        return {
            "operation": "submit",
            "reference": content["reference"],
            "asset": content["currency"],
            "amount": content["amount"],
        }

    def absence(self, request: OutboundRequest, key: str) -> dict[str, str]:
        return {"code": "not_found", _KEYS[self._lane(key)]: key}

    def lateness(self, key: str) -> dict[str, str]:
        return {"status": "rejected", "code": "too_late", _KEYS[self._lane(key)]: key}

    def _query(self, content: dict[str, str]) -> OutboundResponse:
        match self._fault("query", QUERY_FAULTS):
            case "not sent":
                raise NotSent("refused")
            case "timeout":
                raise TimedOut("silence")
            case "reset":
                raise Broken("reset")
            case "500":
                return OutboundResponse(500, {}, b"oops")
            case "garbled":
                return OutboundResponse(200, {}, b"<html>")
            case "recipient not found":
                return said(422, {"code": "recipient_not_found"})
        self._queries += 1
        asked = money.parse(content["amount"], assets.named(content["currency"])).minor
        fee = self._world.chance.choice((0, 0, min(500, asked)))
        shown = assets.text(fee, content["currency"])
        return said(
            200,
            {
                "lookupRef": f"lookup-{self._queries}",
                "receiverName": "Somchai J.",
                "fee": shown,
                "currency": content["currency"],
            },
        )

    def _shown(self, operation: Operation, *, amount: str = "", looked_up: bool = False) -> OutboundResponse:
        lane = self._lane(operation.key)
        content = {
            "status": _WORDS[operation.status],
            _KEYS[lane]: operation.key,
            "currency": operation.asset,
            "amount": amount or operation.amount,
        }
        if operation.status == "rejected":
            return said(200 if looked_up else 422, {**content, "code": operation.code})
        if operation.status == "pending":
            return said(200 if looked_up else 202, content)
        content["status"] = "settled"
        for back in self.returned:
            if back.key == operation.key:
                returned, number = _CAME_BACK[lane]
                content |= {"status": "returned", returned: back.amount, number: back.number}
        return said(200, {**content, _RESPONSES[lane]: f"b-{operation.key}"[:120], _DATES[lane]: _SETTLES})

    def _lane(self, key: str) -> str:
        return self._lanes.get(key, "transfers")
