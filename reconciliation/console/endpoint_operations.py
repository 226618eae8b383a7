"""The console's operations on webhook endpoints: what an operator can do over REST, done for it, and a little more."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.controls import clock
from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.roles import Ability
from ledger.environments import Environment
from reconciliation.console.operation import Form, Operation
from wallets.models import Operator
from webhooks import endpoints, notices, resends, rotation
from webhooks.models import Delivery, Endpoint

_MOST_LISTED: Final = 200
_UNDELIVERED: Final = "what it never took"
_ALL: Final = "everything again"


def _endpoint(form: Form) -> Endpoint:
    found = Endpoint.objects.filter(reference=form.get("reference", "")).first()
    if found is None:
        raise NotFound("There is no such endpoint.")
    return found


def _instant(form: Form, name: str) -> datetime | None:
    text = form.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Malformed("An instant is YYYY-MM-DD HH:MM, in UTC.") from None


def _topics(form: Form) -> list[str]:
    return [topic for topic in form.get("topics", "").replace(",", " ").split() if topic][:20]


def _create(form: Form, actor: str) -> str:
    operator = Operator.objects.filter(slug=form.get("slug", "")).first()
    if operator is None:
        raise NotFound("There is no such operator.")
    environment, kind = form.get("environment", "test"), form.get("kind", Endpoint.Kind.HTTP.value)
    if environment not in Environment.values or kind not in Endpoint.Kind.values:
        raise Malformed("There is no such environment, or no such kind.")
    row = endpoints.create(
        operator_id=operator.pk,
        environment=environment,
        kind=kind,
        url=form.get("url", ""),
        topics=_topics(form),
        description=form.get("description", "")[:200],
        now=clock.now(),
    )
    return f"{row.reference} is made. Its secret, shown this once: {row.secret}"


def _rotate(form: Form, actor: str) -> str:
    row = _endpoint(form)
    hours = form.get("hours", "") or "24"
    if not (hours.isascii() and hours.isdigit() and len(hours) <= 4):
        raise Malformed("The overlap is a whole number of hours, 0 to 168.")
    made = rotation.rotate(
        operator_id=row.operator_id,
        environment=row.environment,
        reference=row.reference,
        overlap=timedelta(hours=int(hours)),
        now=clock.now(),
    )
    return f"The new secret of {made.reference}, shown this once: {made.secret}"


def _set_topics(form: Form, actor: str) -> str:
    row = _endpoint(form)
    endpoints.update(
        operator_id=row.operator_id, environment=row.environment, reference=row.reference, topics=_topics(form)
    )
    return f"{row.reference} gets {', '.join(_topics(form)) or 'every public topic'}."


def _disable(form: Form, actor: str) -> str:
    row = _endpoint(form)
    if not form.get("reason"):
        raise Malformed("A reason is needed.")
    endpoints.disable(
        operator_id=row.operator_id,
        environment=row.environment,
        reference=row.reference,
        reason=form["reason"],
        now=clock.now(),
    )
    return f"{row.reference} is disabled; what waited for it is given up."


def _enable(form: Form, actor: str) -> str:
    row = _endpoint(form)
    since, now = _instant(form, "since"), clock.now()
    endpoints.enable(
        operator_id=row.operator_id, environment=row.environment, reference=row.reference, actor=actor, now=now
    )
    if since is None:
        return f"{row.reference} is enabled, from the next event on."
    done = _resent(row, resends.Selection(since=since), actor, now)
    return f"{row.reference} is enabled. {done}"


def _test(form: Form, actor: str) -> str:
    row = _endpoint(form)
    delivery = endpoints.send_test(
        operator_id=row.operator_id,
        environment=row.environment,
        reference=row.reference,
        actor=actor,
        now=clock.now(),
    )
    return f"A test event is on its way to {row.reference}: {delivery.reference}."


def _resend_one(form: Form, actor: str) -> str:
    delivery = Delivery.objects.filter(reference=form.get("delivery", "")).first()
    if delivery is None:
        raise NotFound("There is no such delivery.")
    row = Endpoint.objects.get(pk=delivery.endpoint_id)
    again = endpoints.redeliver(
        operator_id=row.operator_id,
        environment=row.environment,
        reference=row.reference,
        delivery_reference=delivery.reference,
        actor=actor,
        now=clock.now(),
    )
    return f"{delivery.event_reference} is sent again: {again.reference}."


def _resend_many(form: Form, actor: str) -> str:
    row = _endpoint(form)
    selection = resends.Selection(
        since=_instant(form, "since"),
        until=_instant(form, "until"),
        first=form.get("first", ""),
        last=form.get("last", ""),
        undelivered_only=form.get("which", _UNDELIVERED) != _ALL,
    )
    return _resent(row, selection, actor, clock.now())


def _resent(row: Endpoint, selection: resends.Selection, actor: str, now: datetime) -> str:
    done = resends.resend(
        operator_id=row.operator_id,
        environment=row.environment,
        reference=row.reference,
        selection=selection,
        actor=actor,
        now=now,
    )
    more = f" More are left: go on from {done.goes_on_at}." if done.goes_on_at else ""
    return f"{done.number} events are sent to {row.reference} again.{more}"


def _settle(form: Form, actor: str) -> str:
    row = _endpoint(form)
    number = notices.settle(endpoint_reference=row.reference, actor=actor, now=clock.now())
    return f"{number} notices about {row.reference} are settled; it stays as it is."


def _references() -> Iterable[str]:
    """Return them unread: a dialog on an endpoint's own page does not offer them."""
    return Endpoint.objects.order_by("-pk").values_list("reference", flat=True)[:_MOST_LISTED]


_WHICH: Final = ("which", "Which events", [_UNDELIVERED, _ALL])

OPERATIONS: Final[Mapping[str, Operation]] = {
    "create-endpoint": Operation(
        "Create a webhook endpoint",
        "Its secret is shown once, on the next page. An SNS endpoint's address is the topic's ARN.",
        Ability.MANAGE_ENDPOINTS,
        lambda: [
            ("slug", "Operator", list(Operator.objects.values_list("slug", flat=True))),
            ("environment", "Environment", [environment.value for environment in Environment]),
            ("kind", "Kind", [kind.value for kind in Endpoint.Kind]),
            ("url", "Address", []),
            ("topics", "Topics, none for all: order.processed, order.*", []),
            ("description", "Description", []),
        ],
        _create,
    ),
    "rotate-endpoint": Operation(
        "Rotate an endpoint's secret",
        "The new secret is shown once, on the next page. The old one signs beside it for the overlap; 0 ends it now.",
        Ability.MANAGE_ENDPOINTS,
        lambda: [("reference", "Endpoint", _references()), ("hours", "Overlap in hours, 24 unless said", [])],
        _rotate,
    ),
    "set-endpoint-topics": Operation(
        "Change an endpoint's topics",
        "From the next event on. No topic means every public one.",
        Ability.MANAGE_ENDPOINTS,
        lambda: [("reference", "Endpoint", _references()), ("topics", "Topics: order.processed, order.*", [])],
        _set_topics,
    ),
    "disable-endpoint": Operation(
        "Disable an endpoint",
        "Nothing more is sent there; what waits is given up.",
        Ability.MANAGE_ENDPOINTS,
        lambda: [("reference", "Endpoint", _references()), ("reason", "Reason", [])],
        _disable,
    ),
    "enable-endpoint": Operation(
        "Enable an endpoint",
        "From the next event on; with an instant, also what it never took of the events since then.",
        Ability.MANAGE_ENDPOINTS,
        lambda: [("reference", "Endpoint", _references()), ("since", "Resend since (YYYY-MM-DD HH:MM, UTC)", [])],
        _enable,
    ),
    "test-endpoint": Operation(
        "Send a test event",
        "To this endpoint alone, whatever its topics.",
        Ability.REPLAY,
        lambda: [("reference", "Endpoint", _references())],
        _test,
    ),
    "resend-delivery": Operation(
        "Resend a delivery",
        "A new delivery of the same event, with the same webhook-id.",
        Ability.REPLAY,
        lambda: [("delivery", "Delivery", [])],
        _resend_one,
    ),
    "resend-events": Operation(
        "Resend a range of events",
        "By time or by ids, at most 1000 at once. What still waits for its attempt is left alone.",
        Ability.REPLAY,
        lambda: [
            ("reference", "Endpoint", _references()),
            ("since", "Since (YYYY-MM-DD HH:MM, UTC)", []),
            ("until", "Until", []),
            ("first", "First event", []),
            ("last", "Last event", []),
            _WHICH,
        ],
        _resend_many,
    ),
    "settle-notice": Operation(
        "Settle an endpoint's notice",
        "Its operator knows; the endpoint stays disabled.",
        Ability.REPLAY,
        lambda: [
            ("reference", "Endpoint", list(dict.fromkeys(one.endpoint_reference for one in notices.open_notices())))
        ],
        _settle,
    ),
}
