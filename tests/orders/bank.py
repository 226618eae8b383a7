"""A scripted bank: the payout channel's port as a test owns it. It keeps what really was paid."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from tests.orders.wallet import ScriptedWallet, true_state
from wallets.gateway_port import (
    GatewayConnection,
    Payable,
    RecipientAnswer,
    RecipientHeard,
    RecipientQuery,
    RemoteRequest,
    Reply,
)
from wallets.outcomes import Confirmed

SETTLES = date(2026, 3, 15)


@dataclass
class ScriptedBank(ScriptedWallet):
    """`queries` answers recipient queries in turn (the last repeats); `asked` lists them."""

    queries: list[RecipientAnswer] = field(default_factory=lambda: [Payable("lkp_1", "Somchai J.", 0)])
    asked: list[RecipientQuery] = field(default_factory=list)
    during_query: Callable[[], None] | None = None
    knows_recipients: bool = True

    def query(
        self, query: RecipientQuery, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> RecipientHeard:
        self.asked.append(query)
        if self.during_query is not None:
            self.during_query()
        return RecipientHeard(self.queries.pop(0) if len(self.queries) > 1 else self.queries[0])

    def _answer(self, kind: str, request: RemoteRequest) -> Reply:
        reply = super()._answer(kind, request)
        if isinstance(reply.outcome, Confirmed):
            return Reply(Confirmed(f"bnk-{request.key}", SETTLES), reply.http_status)
        return reply


__all__ = ["SETTLES", "ScriptedBank", "true_state"]
