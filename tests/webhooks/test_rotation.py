"""Rotation: a message during the overlap verifies with either secret, and afterwards with the new one alone."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from ledger.controls import clock, drains
from ledger.controls.refusals import Malformed
from tests.webhooks.edge import column, make_endpoint, mine, record_events
from tests.webhooks.receiver import Receiver
from webhooks import rotation, signatures
from webhooks.models import Endpoint, RetiredSecret

pytestmark = pytest.mark.usefixtures("database")


def rotate(endpoint: Endpoint, overlap: timedelta = rotation.OVERLAP) -> str:
    """Rotate; return the new secret."""
    with db_transaction.atomic():
        return rotation.rotate(**mine(endpoint), overlap=overlap, now=clock.now()).secret


def sent_now(receiver: Receiver, order: str) -> tuple[dict[str, str], bytes]:
    """Deliver an event; return its headers and body."""
    record_events(order, range(1, 2))
    drains.drain("relay")
    drains.drain("deliveries")
    return receiver.received[-1].headers, receiver.received[-1].body


def fits(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        signatures.verify(secrets=[secret], headers=headers, body=body, now=int(headers["webhook-timestamp"]))
    except signatures.InvalidSignature:
        return False
    return True


def test_old_and_new_sign_during_the_overlap_and_the_new_alone_afterwards(
    receiver: Receiver, fixed_clock: clock.FixedClock
) -> None:
    endpoint = make_endpoint(receiver.url())
    old = endpoint.secret
    new = rotate(endpoint, timedelta(hours=2))
    assert new != old

    headers, body = sent_now(receiver, "ord_1")
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert (fits(new, headers, body), fits(old, headers, body)) == (True, True)
    assert fits(signatures.make_secret(b"x" * 32), headers, body) is False

    fixed_clock.move_to(fixed_clock.now() + timedelta(hours=2))
    headers, body = sent_now(receiver, "ord_2")
    assert len(headers["webhook-signature"].split(" ")) == 1
    assert (fits(new, headers, body), fits(old, headers, body)) == (True, False)


def test_the_official_library_takes_a_message_of_a_rotation_with_either_secret(receiver: Receiver) -> None:
    endpoint = make_endpoint(receiver.url())
    old = endpoint.secret
    new = rotate(endpoint)
    headers, body = sent_now(receiver, "ord_1")
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signatures.make_secret(b"x" * 32)).verify(body, headers)


def test_an_overlap_of_nothing_ends_every_old_secret(receiver: Receiver, fixed_clock: clock.FixedClock) -> None:
    endpoint = make_endpoint(receiver.url())
    leaked = [endpoint.secret, rotate(endpoint), rotate(endpoint)]
    headers, body = sent_now(receiver, "ord_1")
    assert [fits(secret, headers, body) for secret in leaked] == [True] * 3
    new = rotate(endpoint, timedelta(0))
    headers, body = sent_now(receiver, "ord_2")
    assert [fits(secret, headers, body) for secret in (*leaked, new)] == [False, False, False, True]
    assert RetiredSecret.objects.count() == 0


def test_a_fourth_rotation_within_the_overlap_is_refused_and_changes_nothing(fixed_clock: clock.FixedClock) -> None:
    endpoint = make_endpoint()
    for _ in range(3):
        rotate(endpoint)
    kept = Endpoint.objects.get().secret
    with pytest.raises(rotation.TooManySecrets):
        rotate(endpoint)
    assert Endpoint.objects.get().secret == kept
    fixed_clock.move_to(fixed_clock.now() + rotation.OVERLAP)
    rotate(endpoint)
    assert RetiredSecret.objects.count() == 1, "those that have ended are deleted"


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=7, seconds=1)])
def test_an_overlap_out_of_bounds_is_refused(overlap: timedelta) -> None:
    endpoint = make_endpoint()
    with pytest.raises(Malformed):
        rotate(endpoint, overlap)
    assert Endpoint.objects.get().secret == endpoint.secret


def test_a_retired_secret_is_encrypted_at_rest() -> None:
    endpoint = make_endpoint()
    rotate(endpoint)
    (kept,) = column("SELECT secret FROM webhooks_retiredsecret")
    assert endpoint.secret.removeprefix("whsec_") not in kept
    assert RetiredSecret.objects.get().secret == endpoint.secret
    assert connection.in_atomic_block is False


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=600),
    octets=st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=4),
    message_id=st.from_regex(r"\A[A-Za-z0-9_]{1,40}\Z"),
)
def test_what_several_secrets_sign_is_verified_by_the_library_with_each(
    body: bytes, octets: list[bytes], message_id: str
) -> None:
    """Both directions, on random bodies: our header by their library, and theirs by ours."""
    secrets = [signatures.make_secret(one) for one in octets]
    now = clock.now()
    text = body.decode(errors="replace").encode()
    headers = signatures.headers(secrets=secrets, message_id=message_id, timestamp=int(now.timestamp()), body=text)
    for secret in secrets:
        library = Webhook(secret)
        assert library.sign(message_id, now, text.decode()) in headers["webhook-signature"].split(" ")
        theirs = {**headers, "webhook-signature": library.sign(message_id, now, text.decode())}
        assert signatures.verify(secrets=secrets, headers=theirs, body=text, now=int(now.timestamp())) == message_id
