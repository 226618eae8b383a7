"""The console's other operations: one page, one POST dialog each. A GET shows the form; only a POST does anything."""

from datetime import date, timedelta
from typing import Final

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db import transaction as db_transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ledger.assets import named
from ledger.controls import clock
from ledger.controls.console import actor_of
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.controls.roles import Ability, may, need
from ledger.environments import Environment
from orders.models import Pool
from orders.operations import freeze_order, halt_pool, return_trade
from reconciliation import exception_cases
from reconciliation.console import endpoint_operations, messaging, wallet_operations
from reconciliation.console.markets import MARKET_OPERATIONS
from reconciliation.console.operation import Form, Operation
from reconciliation.console.people import exception_workers
from reconciliation.models import ExceptionCase
from wallets import inbox_provider, operators, pauses, payout_channels
from wallets.gateway_terms import WALLET
from wallets.models import Gateway, Operator, OperatorKey


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show an operation's form, or carry it out: refused, the form keeps what was typed, but no secret.

    A secret that is made is shown in this answer and nowhere else.
    """
    operation = OPERATIONS.get(name)
    if operation is None:
        raise Http404
    if not may(request.user, operation.ability):
        raise PermissionDenied
    told = ""
    if request.method == "POST":
        try:
            need(request.user, operation.ability)
            with db_transaction.atomic():
                told = operation.run(
                    {key: str(value).strip() for key, value in request.POST.items()}, actor_of(request)
                )
                _log(request, operation)
        except Refusal as refusal:
            messages.error(request, refusal.message)
        except IntegrityError:
            messages.error(request, "There is one like it already.")
    asked = request.GET if told or request.method == "GET" else request.POST
    fields = [
        {"name": key, "label": label, "choices": choices, "asked": "" if "secret" in key else asked.get(key, "")}
        for key, label, choices in operation.fields()
    ]
    context = {
        **admin.site.each_context(request),
        "title": operation.title,
        "operation": operation,
        "fields": fields,
        "told": told,
    }
    response = render(request, "console/operation.html", context)
    response["Cache-Control"] = "no-store"
    return response


_SUBJECT_FIELDS = ("reference", "provider", "slug", "pool", "market", "wallet")


def _log(request: HttpRequest, operation: Operation) -> None:
    """Write the audit entry: who did what to what, without secrets."""
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(Operator),
        object_id=next(filter(None, (request.POST.get(name, "")[:100] for name in _SUBJECT_FIELDS)), ""),
        object_repr=operation.title[:200],
        action_flag=CHANGE,
        change_message=request.POST.get("reason", "")[:500],
    )


def _environments() -> list[str]:
    return [environment.value for environment in Environment]


def _create_operator(form: Form, actor: str) -> str:
    slug = form.get("slug", "")
    if not slug.replace("-", "").isalnum() or not slug.isascii() or len(slug) > 40 or not form.get("name"):
        raise Malformed("A name, and a slug of letters, digits and hyphens, are needed.")
    operator = operators.create_operator(name=form["name"][:120], slug=slug, kind="operator", now=clock.now())
    if url := form.get("wallet_url", ""):
        asset = named(form.get("asset", "")).code
        environment = Environment(form.get("environment", "test"))
        if not form.get("wallet_secret", "").startswith("whsec_"):
            raise Malformed("The wallet's secret begins with whsec_.")
        gateway = Gateway.objects.create(
            operator=operator,
            environment=environment,
            base_url=url[:500],
            secret=form["wallet_secret"][:100],
            wallet_asset=asset,
        )
        operators.open_operator_accounts(operator=operator, environment=environment, wallet_asset=asset)
        made = inbox_provider.ensure(gateway, now=clock.now())
        assert made is not None, "a new operator has no provider yet"
        return (
            f"{operator.name} is {operator.reference}. Its wallet may send events to /v1/inbox/{made.provider.code};"
            f" the secret, shown this once: {made.secret}"
        )
    return f"{operator.name} is {operator.reference}."


def _connect_channel(form: Form, actor: str) -> str:
    operator = Operator.objects.filter(slug=form.get("slug", "")).first()
    if operator is None:
        raise NotFound("There is no such operator.")
    connected = payout_channels.connect(
        operator=operator,
        environment=form.get("environment", ""),
        channel=form.get("channel", ""),
        base_url=form.get("url", ""),
        secret=form.get("secret", ""),
        asset=form.get("asset", ""),
        now=clock.now(),
    )
    told = f"{connected.gateway} is connected. The bank sends its events to {connected.inbox_path}"
    return f"{told}; the secret, shown this once: {connected.inbox.secret}" if connected.inbox else f"{told}."


def _create_key(form: Form, actor: str) -> str:
    operator = Operator.objects.filter(slug=form.get("slug", "")).first()
    if operator is None:
        raise NotFound("There is no such operator.")
    house = operator.kind == Operator.Kind.HOUSE
    scopes = operators.HOUSE_ONLY if house else operators.OPERATOR_SCOPES
    issued = operators.issue_key(
        operator=operator,
        environment=Environment(form.get("environment", "test")),
        label=form.get("label", "")[:80] or "made in the console",
        scopes=[str(scope) for scope in scopes],
        created_by=actor,
        now=clock.now(),
    )
    return f"The key, shown this once: {issued.secret}"


def _revoke_key(form: Form, actor: str) -> str:
    key = OperatorKey.objects.filter(hint=form.get("hint", ""), revoked_at__isnull=True).first()
    if key is None:
        raise NotFound("There is no such key.")
    operators.revoke_key(key=key, now=clock.now())
    return f"{key.hint}… is revoked."


def _pool(form: Form) -> Pool:
    environment, _, code = form.get("pool", "").partition(" ")
    pool = Pool.objects.filter(environment=environment, code=code).first()
    if pool is None:
        raise NotFound("There is no such pool.")
    return pool


def _reason(form: Form) -> str:
    if not form.get("reason"):
        raise Malformed("A reason is needed.")
    return form["reason"][:200]


def _halt(form: Form, actor: str) -> str:
    pool = _pool(form)
    halt_pool.halt_pool(pool=pool, reason=_reason(form), actor=actor, now=clock.now())
    return f"{pool.code} is halted: its open reservations fail."


def _lift_halt(form: Form, actor: str) -> str:
    pool = _pool(form)
    halt_pool.lift_halt(pool=pool, actor=actor, now=clock.now())
    return f"{pool.code} is open again."


def _pause(form: Form, actor: str) -> str:
    slug, environment, channel = _door(form)
    hours = form.get("hours", "")
    if not (hours.isascii() and hours.isdigit() and len(hours) <= 3):
        raise Malformed("A pause expires after a whole number of hours.")
    pause = pauses.pause_gateway(
        operator_slug=slug,
        environment=environment,
        reason=_reason(form),
        lasts=timedelta(hours=int(hours)),
        actor=actor,
        now=clock.now(),
        channel=channel,
    )
    return (
        f"{slug}'s {channel} ({environment}) is not asked until {pause.expires_at:%Y-%m-%d %H:%M} UTC; lookups go on."
    )


def _lift_pause(form: Form, actor: str) -> str:
    slug, environment, channel = _door(form)
    pauses.lift_pause(operator_slug=slug, environment=environment, actor=actor, now=clock.now(), channel=channel)
    return f"{slug}'s {channel} ({environment}) is asked again."


def _door(form: Form) -> tuple[str, str, str]:
    """Read which door is meant: “slug environment” is the operator's wallet, a third word another channel."""
    slug, environment, channel = (*form.get("gateway", "").split(" "), "", "", "")[:3]
    return slug, environment, channel or WALLET


_WHICH_GATEWAY: Final = "Whose gateway, where: an operator's wallet, or a channel of the house (a bank, a venue)"


def _gateways() -> list[str]:
    rows = Gateway.objects.order_by("operator__slug", "environment", "channel")
    named = rows.values_list("operator__slug", "environment", "channel")
    return [f"{slug} {place}" if channel == WALLET else f"{slug} {place} {channel}" for slug, place, channel in named]


def _return_trade(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    found = return_trade.return_trade(trade_reference=reference, reason=_reason(form), actor=actor, now=clock.now())
    return f"{found.reference} is opened; its case waits in the queue."


def _freeze(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    freeze_order.freeze_order(order_reference=reference, reason=_reason(form), actor=actor, now=clock.now())
    return f"{reference} is frozen."


def _lift_freeze(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    freeze_order.lift_freeze(order_reference=reference, actor=actor, now=clock.now())
    return f"{reference} goes on."


def _assign_exception(form: Form, actor: str) -> str:
    case = ExceptionCase.objects.filter(reference=form.get("reference", "")).first()
    if case is None:
        raise NotFound("There is no such case.")
    try:
        review_on = date.fromisoformat(form.get("next_review_on", ""))
    except ValueError as error:
        raise Malformed("The next review date is YYYY-MM-DD.") from error
    exception_cases.assign_case(
        case_reference=case.reference,
        owner=form.get("owner", "") or actor.removeprefix("user:"),
        next_review_on=review_on,
        actor=actor,
        now=clock.now(),
    )
    return f"{case.reference} has an owner."


def _pools() -> list[str]:
    return [f"{environment} {code}" for environment, code in Pool.objects.values_list("environment", "code")]


OPERATIONS: dict[str, Operation] = {
    **MARKET_OPERATIONS,
    "create-operator": Operation(
        "Create an operator",
        "With a wallet address its gateway and accounts too.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("name", "Name", []),
            ("slug", "Slug, part of its account addresses", []),
            ("environment", "Environment", _environments()),
            ("wallet_url", "Wallet service address", []),
            ("wallet_secret", "Shared secret, whsec_…", []),
            ("asset", "Wallet's asset", []),
        ],
        _create_operator,
    ),
    "connect-channel": Operation(
        "Connect a payout channel",
        "A bank that pays out: for every operator (the house's), or for one. Connecting again changes its address and secret.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("slug", "Whose", list(Operator.objects.order_by("kind", "slug").values_list("slug", flat=True))),
            ("environment", "Environment", _environments()),
            ("channel", "Channel", list(payout_channels.ADAPTERS)),
            ("url", "Where the bank answers", []),
            ("secret", "Shared secret, whsec_…", []),
            ("asset", "Asset that it pays out", []),
        ],
        _connect_channel,
    ),
    "create-key": Operation(
        "Create an API key",
        "The key is shown once, on the next page, and stored nowhere.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("slug", "Operator", list(Operator.objects.values_list("slug", flat=True))),
            ("environment", "Environment", _environments()),
            ("label", "Label", []),
        ],
        _create_key,
    ),
    "revoke-key": Operation(
        "Revoke an API key",
        "It opens nothing from now on.",
        Ability.MANAGE_KEYS,
        lambda: [("hint", "Key", list(OperatorKey.objects.filter(revoked_at=None).values_list("hint", flat=True)))],
        _revoke_key,
    ),
    "halt-pool": Operation(
        "Halt a pool",
        "No quotes, no orders; open reservations fail, debited orders are compensated.",
        Ability.HALT_AND_FREEZE,
        lambda: [("pool", "Pool", _pools()), ("reason", "Reason", [])],
        _halt,
    ),
    "lift-halt": Operation(
        "Open a halted pool",
        "Quotes and orders are possible again.",
        Ability.HALT_AND_FREEZE,
        lambda: [("pool", "Pool", _pools())],
        _lift_halt,
    ),
    "pause-gateway": Operation(
        "Pause asks to a wallet, a bank or a venue",
        "Nothing new is asked there until the pause expires or is lifted; lookups go on.",
        Ability.HALT_AND_FREEZE,
        lambda: [
            ("gateway", _WHICH_GATEWAY, _gateways()),
            ("hours", "For how many hours", []),
            ("reason", "Reason", []),
        ],
        _pause,
    ),
    "lift-pause": Operation(
        "Lift a pause",
        "What waits is asked within seconds.",
        Ability.HALT_AND_FREEZE,
        lambda: [("gateway", _WHICH_GATEWAY, _gateways())],
        _lift_pause,
    ),
    "return-trade": Operation(
        "A venue took a trade back",
        "Opens a return with its case. Nothing is booked before people say there that it is so.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Trade", []), ("reason", "Reason and evidence", [])],
        _return_trade,
    ),
    "freeze-order": Operation(
        "Freeze an order",
        "No step and no ask until the freeze is lifted; lookups go on.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Order", []), ("reason", "Reason", [])],
        _freeze,
    ),
    "lift-freeze": Operation(
        "Lift a freeze",
        "The order goes on.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Order", [])],
        _lift_freeze,
    ),
    "assign-exception": Operation(
        "Assign an exception case",
        "Every break has an owner and a next review date.",
        Ability.WORK_EXCEPTIONS,
        lambda: [
            ("reference", "Case", []),
            ("owner", "Owner (empty: you)", ["", *exception_workers()]),
            ("next_review_on", "Next review (YYYY-MM-DD)", []),
        ],
        _assign_exception,
    ),
    **messaging.OPERATIONS,
    **endpoint_operations.OPERATIONS,
    **wallet_operations.OPERATIONS,
}
