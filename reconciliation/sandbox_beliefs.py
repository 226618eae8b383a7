"""What the sandbox's wallet believes beside what we believe, key by key. Test environment only; changes nothing.

1 our newest movements at gateways that are the sandbox; its own newest movements
2 whatever only one side named is asked of the other, by exact key: absence is a finding, not a page's end
3 each key gets a verdict: it agrees, we do not know yet, or it contradicts
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings

from ledger import assets, money
from ledger.assets import UnknownAsset
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from wallets.models import Gateway, RemoteOperation
from webhooks import outbound

MOST: Final = 50

_PATIENCE_SECONDS: Final = 5.0
_LARGEST: Final = 1024 * 1024
_LEGS: Final = ("debit", "credit", "reverse")
_LOST: Final = (outbound.NotSent, outbound.Broken, outbound.TimedOut, outbound.OutboundRefused)

AGREES, OPEN, DIFFERS = "agrees", "not known yet", "differs"

Theirs = Mapping[str, Any]


class SandboxSilent(Refusal):
    """The sandbox does not answer."""

    code = "sandbox_silent"
    status = 503


@dataclass(frozen=True, slots=True)
class Belief:
    """One key on both sides; None where a side knows nothing of it. `why` says what differs, or why it is open."""

    key: str
    ours: RemoteOperation | None
    theirs: Theirs | None
    verdict: str
    why: str


def beliefs(*, about: str = "") -> list[Belief]:
    """Return both sides' newest movements, whose keys begin with `about`: those that differ first, then the newest.

    Raises SandboxSilent. Asks over HTTP, outside any transaction.
    """
    ours = {row.key: row for row in _ours().filter(key__startswith=about).order_by("-pk")[:MOST]}
    theirs = {row["key"]: row for row in _asked(f"newest=true&limit={MOST}&prefix={quote(about)}")}
    missing_there = [key for key in ours if key not in theirs]
    if missing_there:
        theirs |= {row["key"]: row for row in _asked(f"keys={quote(','.join(missing_there), safe=',')}")}
    missing_here = [key for key in theirs if key not in ours]
    ours |= {row.key: row for row in _ours().filter(key__in=missing_here)}
    found = [_belief(key, ours.get(key), theirs.get(key)) for key in dict.fromkeys([*ours, *theirs])]
    order = (DIFFERS, OPEN, AGREES)
    return sorted(found, key=lambda one: (order.index(one.verdict), -(one.ours.pk if one.ours else 0)))


def _ours() -> Any:
    gateways = Gateway.objects.filter(environment=Environment.TEST, base_url=str(settings.SANDBOX_URL).rstrip("/"))
    return RemoteOperation.objects.filter(
        environment=Environment.TEST, leg__in=_LEGS, gateway_id__in=gateways.values_list("pk", flat=True)
    )


def _asked(query: str) -> list[Theirs]:
    url = f"{str(settings.SANDBOX_URL).rstrip('/')}/inspect/operations?{query}"
    request = outbound.OutboundRequest(
        method="GET", url=url, environment="test", timeout=_PATIENCE_SECONDS, max_response_bytes=_LARGEST
    )
    try:
        answer = outbound.send(request)
    except _LOST as error:
        raise SandboxSilent(f"The sandbox does not answer at {settings.SANDBOX_URL}.") from error
    try:
        rows: list[Theirs] = json.loads(answer.body)["operations"] if answer.status == 200 else []
    except (ValueError, KeyError, TypeError) as error:
        raise SandboxSilent(f"What answers at {settings.SANDBOX_URL} is not the sandbox.") from error
    if answer.status != 200:
        raise SandboxSilent(f"The sandbox answered {answer.status} at {settings.SANDBOX_URL}.")
    return rows


def _belief(key: str, ours: RemoteOperation | None, theirs: Theirs | None) -> Belief:
    if ours is None:
        return Belief(key, ours, theirs, DIFFERS, "We never wrote this down: it is not ours, or our books are older.")
    if theirs is None:
        return Belief(key, ours, theirs, *_unknown_there(ours))
    if terms := _other_terms(ours, theirs):
        return Belief(key, ours, theirs, DIFFERS, terms)
    return Belief(key, ours, theirs, *_compared(ours.state, str(theirs["status"])))


def _unknown_there(ours: RemoteOperation) -> tuple[str, str]:
    match ours.state:
        case "confirmed":
            return DIFFERS, "We believe that it happened; they know nothing of it."
        case "asked" | "unknown":
            return OPEN, "They know nothing of it; it may still arrive until the not-found horizon."
        case _:
            return AGREES, ""


def _compared(ours: str, theirs: str) -> tuple[str, str]:
    if theirs == ours:
        return AGREES, ""
    if ours in ("asked", "unknown"):
        return OPEN, f"They believe that it is {theirs}; a lookup will tell us."
    if ours == "absent" and theirs == "confirmed":
        return DIFFERS, "It was proven absent here, and happened there after all: a late effect."
    return DIFFERS, f"We believe that it is {ours}; they believe that it is {theirs}."


def _other_terms(ours: RemoteOperation, theirs: Theirs) -> str:
    """Return what differs in the terms themselves, compared as exact minor units, or nothing."""
    if str(theirs["operation"]) != ours.leg or str(theirs["reference"]) != ours.owner:
        return f"They have a {theirs['operation']} of {theirs['reference']} under this key."
    try:
        amount = money.parse(theirs["amount"], assets.named(str(theirs["asset"])))
    except (UnknownAsset, money.InvalidAmount):
        return f"They have {theirs['amount']} {theirs['asset']}, which is no amount here."
    if (str(theirs["asset"]), amount.minor) != (ours.asset, int(ours.amount_minor)):
        return f"They have {theirs['amount']} {theirs['asset']}."
    return ""


def counted(found: Sequence[Belief]) -> dict[str, int]:
    """Return how many keys have each verdict."""
    return {verdict: sum(one.verdict == verdict for one in found) for verdict in (DIFFERS, OPEN, AGREES)}
