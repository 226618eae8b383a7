"""Webhook endpoints of an operator, one environment each: what the operator, and the console for it, can do.

All run in the caller's transaction. The secret is shown once, by whoever calls `create`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from django.db.models import QuerySet

from ledger.controls import bell, event_log, randomness, references
from ledger.controls.moves import Why
from ledger.controls.refusals import Malformed, NotFound, Refusal
from webhooks import delivery_kinds, destinations, event_types, notices, signatures, transitions
from webhooks.models import Delivery, Endpoint

log = structlog.get_logger(__name__)

MOST: Final = 20
LONGEST_URL: Final = 500
TEST_TOPIC: Final = "webhook_endpoint.test"


class TooManyEndpoints(Refusal):
    """An operator has at most 20 webhook endpoints in an environment."""

    code = "too_many_endpoints"


class EndpointDisabled(Refusal):
    """This webhook endpoint is disabled; enable it first."""

    code = "endpoint_disabled"
    status = 409


def of_operator(*, operator_id: int, environment: str) -> QuerySet[Endpoint]:
    """Return the operator's endpoints of one environment, oldest first."""
    return Endpoint.objects.filter(operator_id=operator_id, environment=environment).order_by("pk")


def find(*, operator_id: int, environment: str, reference: str) -> Endpoint:
    """Return one endpoint. Raises NotFound, also for another operator's."""
    endpoint = of_operator(operator_id=operator_id, environment=environment).filter(reference=reference).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def create(
    *,
    operator_id: int,
    environment: str,
    url: str,
    topics: Sequence[str],
    description: str,
    now: datetime,
    kind: str = Endpoint.Kind.HTTP,
) -> Endpoint:
    """Create an endpoint with a secret of its own. Raises Malformed or TooManyEndpoints."""
    _check(kind=kind, url=url, topics=topics, environment=environment)
    if of_operator(operator_id=operator_id, environment=environment).count() >= MOST:
        raise TooManyEndpoints
    endpoint = Endpoint.objects.create(
        reference=references.new(references.Prefix.ENDPOINT),
        operator_id=operator_id,
        environment=environment,
        kind=kind,
        url=url,
        topics=list(topics),
        secret=signatures.make_secret(randomness.octets(32)),
        description=description,
        created_at=now,
    )
    log.info("endpoint.created", endpoint=endpoint.reference)
    return endpoint


def update(
    *,
    operator_id: int,
    environment: str,
    reference: str,
    url: str | None = None,
    topics: Sequence[str] | None = None,
    description: str | None = None,
) -> Endpoint:
    """Change what is not None. What waits goes to the new URL. Raises NotFound or Malformed."""
    endpoint = locked(operator_id=operator_id, environment=environment, reference=reference)
    if url not in (None, endpoint.url) and endpoint.kind != Endpoint.Kind.HTTP:
        raise Malformed(errors={"url": ["Where this endpoint leads is set up by us; ask us to change it."]})
    endpoint.url = endpoint.url if url is None else url
    endpoint.topics = endpoint.topics if topics is None else list(topics)
    endpoint.description = endpoint.description if description is None else description
    _check(kind=endpoint.kind, url=endpoint.url, topics=endpoint.topics, environment=environment)
    endpoint.save(update_fields=["url", "topics", "description"])
    log.info("endpoint.updated", endpoint=reference)
    return endpoint


def disable(*, operator_id: int, environment: str, reference: str, reason: str, now: datetime) -> Endpoint:
    """Send nothing more there; what waits is given up. One that is disabled stays as it is. Raises NotFound."""
    endpoint = find(operator_id=operator_id, environment=environment, reference=reference)
    if endpoint.disabled_at is None:
        transitions.hasten(endpoint_ids=[endpoint.pk])  # deliveries are locked before endpoints, everywhere
        Endpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=True).update(
            disabled_at=now, disabled_reason=reason[:200]
        )
        endpoint.refresh_from_db()
        bell.ring_after_commit("deliveries")
        log.info("endpoint.disabled", endpoint=reference, reason=reason[:200])
    return endpoint


def enable(*, operator_id: int, environment: str, reference: str, actor: str, now: datetime) -> Endpoint:
    """Send there again, from the next event on. What was missed can be resent. Raises NotFound."""
    endpoint = locked(operator_id=operator_id, environment=environment, reference=reference)
    endpoint.disabled_at, endpoint.disabled_reason, endpoint.failing_since = None, "", None
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "failing_since"])
    notices.settle(endpoint_reference=reference, actor=actor, now=now)
    log.info("endpoint.enabled", endpoint=reference)
    return endpoint


def send_test(*, operator_id: int, environment: str, reference: str, actor: str, now: datetime) -> Delivery:
    """Send a test event to this endpoint alone, whatever its topics. Raises NotFound or EndpointDisabled."""
    endpoint = locked_and_enabled(operator_id=operator_id, environment=environment, reference=reference)
    event = event_log.record_unqueued(
        environment=environment,
        operator_id=operator_id,
        topic=TEST_TOPIC,
        aggregate=endpoint.reference,
        payload={"endpoint_id": endpoint.reference},
        now=now,
    )
    delivery = transitions.deliver_to(
        endpoint=endpoint, event=event, why=Why(actor=actor, cause="test event asked"), now=now
    )
    bell.ring_after_commit("deliveries")
    return delivery


def deliveries(*, operator_id: int, environment: str, reference: str) -> QuerySet[Delivery]:
    """Return the endpoint's deliveries. Raises NotFound."""
    endpoint = find(operator_id=operator_id, environment=environment, reference=reference)
    return Delivery.objects.filter(endpoint_id=endpoint.pk)


def deliveries_of_event(*, operator_id: int, environment: str, event_id: int) -> list[Delivery]:
    """Return an event's newest deliveries to the operator's endpoints, at most 100, the newest first."""
    mine = of_operator(operator_id=operator_id, environment=environment).values("pk")
    return list(Delivery.objects.filter(event_id=event_id, endpoint_id__in=mine).order_by("-pk")[:100])


def redeliver(
    *, operator_id: int, environment: str, reference: str, delivery_reference: str, actor: str, now: datetime
) -> Delivery:
    """Start a new delivery of an event that was delivered or given up; one that still waits is tried now, and returned.

    Raises NotFound or EndpointDisabled.
    """
    endpoint = find(operator_id=operator_id, environment=environment, reference=reference)
    delivery = Delivery.objects.filter(endpoint_id=endpoint.pk, reference=delivery_reference).first()
    if delivery is None:
        raise NotFound
    waiting = Delivery.objects.filter(
        endpoint_id=endpoint.pk, event_id=delivery.event_id, state=Delivery.State.PENDING
    ).order_by("pk")
    # deliveries are locked before endpoints, everywhere
    waiting.filter(lease_token="", available_at__gt=now).update(available_at=now)
    locked_and_enabled(operator_id=operator_id, environment=environment, reference=reference)
    if (one := waiting.first()) is not None:
        bell.ring_after_commit("deliveries")
        return one
    again = transitions.deliver_again(
        delivery=delivery,
        why=Why(actor=actor, cause="redelivery asked", evidence={"of": delivery.reference}),
        now=now,
    )
    bell.ring_after_commit("deliveries")
    return again


def locked_and_enabled(*, operator_id: int, environment: str, reference: str) -> Endpoint:
    """Lock one endpoint. Raises NotFound or EndpointDisabled."""
    endpoint = locked(operator_id=operator_id, environment=environment, reference=reference)
    if endpoint.disabled_at is not None:
        raise EndpointDisabled(endpoint_id=reference)
    return endpoint


def locked(*, operator_id: int, environment: str, reference: str) -> Endpoint:
    """Lock one endpoint. Raises NotFound, also for another operator's."""
    mine = of_operator(operator_id=operator_id, environment=environment).select_for_update()
    endpoint = mine.filter(reference=reference).first()
    if endpoint is None:
        raise NotFound
    return endpoint


def _check(*, kind: str, url: str, topics: Sequence[str], environment: str) -> None:
    errors: dict[str, list[str]] = {}
    try:
        if len(url) > LONGEST_URL:
            raise destinations.OutboundRefused(f"the URL is longer than {LONGEST_URL} characters")
        delivery_kinds.adapter(kind).refuse_unless_possible(url, environment=environment)
    except destinations.OutboundRefused as error:
        errors["url"] = [str(error)]
    for topic in topics:
        if not event_types.is_wanted(topic):
            errors["topics"] = [f"{topic!r} is no topic: GET /v1/event-types lists them; order.* is a whole family"]
    if errors:
        raise Malformed("The webhook endpoint cannot be like that.", errors=errors)
