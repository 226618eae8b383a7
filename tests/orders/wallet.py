"""A scripted operator wallet: the gateway port as a test owns it. It keeps what really happened to the money."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown


@dataclass
class ScriptedWallet:
    """Answers each question with the next entry of its script (the last repeats); None follows the true state.

    `legs` has scripts of single legs, which go before `script`. `applied` is what the operator's books say: keys that
    really moved money; `refused` those that surely never will. `calls` lists (kind, key).
    """

    script: list["Step | None"] = field(default_factory=list)
    legs: dict[str, list["Step | None"]] = field(default_factory=dict)
    applied: dict[str, RemoteRequest] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    now: Callable[[], datetime] | None = None

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        self.calls.append(("ask", request.key))
        if self.now is not None and self.now() > not_after:
            return Reply(Rejected("too_late"), 409)
        return self._answer("ask", request)

    def look_up(
        self, request: RemoteRequest, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> Reply:
        self.calls.append(("lookup", request.key))
        return self._answer("lookup", request)

    def _answer(self, kind: str, request: RemoteRequest) -> Reply:
        script = self.legs.get(request.leg, self.script)
        step = script.pop(0) if len(script) > 1 else (script[0] if script else None)
        return step(self, kind, request) if step else true_state(self, kind, request)


Step = Callable[[ScriptedWallet, str, RemoteRequest], Reply]


def true_state(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Confirm: an ask applies; a lookup tells what was applied."""
    if kind == "ask" and request.key not in wallet.refused:
        wallet.applied[request.key] = request
    if request.key in wallet.applied:
        return Reply(Confirmed(f"w-{request.key}"), 200)
    if request.key in wallet.refused:
        return Reply(Rejected(wallet.refused[request.key]), 200)
    return Reply(Unknown(Cause.NOT_FOUND), 404, absent=True)


def declined(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Refuse, and remember that."""
    wallet.refused[request.key] = "declined"
    return Reply(Rejected("declined"), 422)


def lost_before(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Time out without having applied anything."""
    return Reply(Unknown(Cause.TIMEOUT))


def lost_after(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Apply, then time out."""
    if kind == "ask":
        wallet.applied[request.key] = request
    return Reply(Unknown(Cause.TIMEOUT))


def contradictory(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Apply, and answer about another amount."""
    wallet.applied[request.key] = request
    return Reply(Unknown(Cause.CONTRADICTORY), 200)


def unreadable(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    """Apply, and answer what cannot be read."""
    wallet.applied[request.key] = request
    return Reply(Unknown(Cause.UNREADABLE), 200)


def server_error(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    return Reply(Unknown(Cause.SERVER_ERROR), 500)


def pending(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    wallet.applied[request.key] = request
    return Reply(Unknown(Cause.PENDING), 202)
