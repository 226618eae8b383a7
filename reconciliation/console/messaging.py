"""The console's operations at the messaging edge: providers (admin), and what was given up (ops)."""

from datetime import timedelta

from ledger.controls import clock
from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.roles import Ability
from ledger.environments import Environment
from reconciliation.console.operation import Form, Operation
from wallets.models import Operator
from webhooks import dead_letters, inbox_worker, providers
from webhooks.models import InboundEvent, Provider

_HOUSE = "(the house)"


def _create(form: Form, actor: str) -> str:
    scheme = form.get("scheme", "")
    if scheme not in providers.Scheme.values:
        raise Malformed("The scheme is one of the list.")
    made = providers.create(
        code=form.get("provider", ""),
        environment=Environment(form.get("environment", "test")),
        operator_id=_operator_id(form.get("slug", _HOUSE)),
        terms=providers.Terms(
            scheme=providers.Scheme(scheme),
            kind=form.get("kind") or "type",
            subjects=_listed(form.get("subjects", "")),
            kinds=_listed(form.get("kinds", "")),
            event_id=form.get("event_id", ""),
            transaction=form.get("transaction", ""),
            fields=_fields(form.get("fields", "")),
            signature_header=form.get("signature_header", ""),
            timestamp_header=form.get("timestamp_header", ""),
            tolerance_seconds=_whole(form.get("tolerance") or "300", "The tolerance is a whole number of seconds."),
        ),
        secret=form.get("secret", ""),
        now=clock.now(),
    )
    return f"It sends to /v1/inbox/{made.provider.code}. {_shown(form, made)}"


def _fields(text: str) -> dict[str, str]:
    """Read name=path pairs. Raises Malformed."""
    named = [pair.partition("=") for pair in _listed(text)]
    if not all(path for _, _, path in named):
        raise Malformed("A field is name=path, such as amount=data.sum.")
    return {name: path for name, _, path in named}


def _listed(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _allow(form: Form, actor: str) -> str:
    kinds = _listed(form.get("kinds", ""))
    providers.allow(code=form.get("provider", ""), kinds=kinds)
    return f"{form['provider']} may bring {', '.join(sorted(set(kinds)))} from now on; all else is parked."


def _rotate(form: Form, actor: str) -> str:
    hours = _whole(form.get("hours") or "24", "The overlap is a whole number of hours.")
    made = providers.rotate(
        code=form.get("provider", ""),
        overlap=timedelta(hours=hours),
        secret=form.get("secret", ""),
        now=clock.now(),
    )
    return f"The older secrets end in {hours} hours. {_shown(form, made)}"


def _whole(text: str, otherwise: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise Malformed(otherwise)
    return int(text)


def _shown(form: Form, made: providers.Made) -> str:
    return "It has the secret that you gave." if form.get("secret") else f"The secret, shown this once: {made.secret}"


def _disable(form: Form, actor: str) -> str:
    if not form.get("reason"):
        raise Malformed("A reason is needed.")
    providers.disable(code=form.get("provider", ""), reason=form["reason"], now=clock.now())
    return f"{form['provider']} is answered 401 from now on."


def _enable(form: Form, actor: str) -> str:
    providers.enable(code=form.get("provider", ""))
    return f"{form['provider']} is heard again."


def _replay(form: Form, actor: str) -> str:
    inbox_worker.replay(reference=form.get("reference", ""), actor=actor, now=clock.now())
    return f"{form['reference']} is judged again."


def _resend(form: Form, actor: str) -> str:
    dead_letters.resend(reference=form.get("reference", ""), actor=actor, now=clock.now())
    return f"{form['reference']} is passed on again."


def _resend_all(form: Form, actor: str) -> str:
    count = dead_letters.resend_all(actor=actor, now=clock.now())
    more = f" More are left than {dead_letters.MOST}: do it again." if count == dead_letters.MOST else ""
    return f"{count} dead letters are passed on again.{more}"


def _operator_id(slug: str) -> int | None:
    if slug == _HOUSE:
        return None
    operator = Operator.objects.filter(slug=slug).first()
    if operator is None:
        raise NotFound("There is no such operator.")
    return operator.pk


def _codes() -> list[str]:
    return list(Provider.objects.order_by("code").values_list("code", flat=True))


def _dead_inbound() -> list[str]:
    dead = InboundEvent.objects.filter(state=InboundEvent.State.DEAD).order_by("judged_at")
    return list(dead.values_list("reference", flat=True)[:200])


def _dead_events() -> list[str]:
    return [letter.reference for letter in dead_letters.waiting()[:200]]


OPERATIONS: dict[str, Operation] = {
    "create-provider": Operation(
        "Create a provider",
        "Who may send events to the inbox. Paths name members of its JSON body, such as data.object.id.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("provider", "Code, part of its path", []),
            ("environment", "Environment", [environment.value for environment in Environment]),
            ("slug", "Operator", [_HOUSE, *Operator.objects.values_list("slug", flat=True)]),
            ("scheme", "Signing scheme", list(providers.Scheme.values)),
            ("secret", "Secret, if the provider has chosen one", []),
            ("signature_header", "Signature's header (HMAC schemes)", []),
            ("timestamp_header", "Timestamp's header (plain HMAC schemes)", []),
            ("event_id", "Path of the event id (HMAC schemes)", []),
            ("kind", "Path of the kind", []),
            ("subjects", "Paths of the ids that it is about", []),
            ("transaction", f"Path of the provider's own reference ({providers.USUAL_TRANSACTION})", []),
            ("fields", "Where else members are than a handler expects: amount=object.sum asset=object.currency", []),
            ("tolerance", "Tolerance of the timestamp in seconds (300)", []),
            ("kinds", "Kinds of news it may bring: payin.*, trade.settled, …; * for all", []),
        ],
        _create,
    ),
    "allow-provider": Operation(
        "Say what a provider may bring",
        "News of other kinds is parked, with the reason on the event's page. The list replaces the one that stands.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("provider", "Provider", _codes()),
            ("kinds", "Kinds of news it may bring: payin.*, trade.settled, …; * for all", []),
        ],
        _allow,
    ),
    "rotate-provider": Operation(
        "Rotate a provider's secret",
        "The new secret is valid at once, the older ones until the overlap ends.",
        Ability.MANAGE_KEYS,
        lambda: [
            ("provider", "Provider", _codes()),
            ("secret", "Secret, if the provider has chosen one", []),
            ("hours", "Overlap in hours (24)", []),
        ],
        _rotate,
    ),
    "disable-provider": Operation(
        "Disable a provider",
        "Its messages are answered 401 and not stored.",
        Ability.MANAGE_KEYS,
        lambda: [("provider", "Provider", _codes()), ("reason", "Reason", [])],
        _disable,
    ),
    "enable-provider": Operation(
        "Enable a provider",
        "Its messages are taken again.",
        Ability.MANAGE_KEYS,
        lambda: [("provider", "Provider", _codes())],
        _enable,
    ),
    "replay-inbound": Operation(
        "Replay an inbound event",
        "A dead event goes round again: it is judged as if it had just come.",
        Ability.REPLAY,
        lambda: [("reference", "Dead event", _dead_inbound())],
        _replay,
    ),
    "resend-event": Operation(
        "Resend a dead letter",
        "The relay tries the event again, before those of its aggregate that still wait.",
        Ability.REPLAY,
        lambda: [("reference", "Dead letter", _dead_events())],
        _resend,
    ),
    "resend-all-events": Operation(
        "Resend all dead letters",
        "The relay tries each again, before those of its aggregate that still wait; the oldest thousand at once.",
        Ability.REPLAY,
        list,
        _resend_all,
    ),
}
