"""Whatever is sent to the inbox, the answer is 2xx or a quick refusal, and never a 5xx."""

import contextlib
import json
import time
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.provider import KIND, Sender, hmac_of, hmac_terms, make_sender
from webhooks import provider_signatures, signatures
from webhooks.models import InboundEvent, Provider
from webhooks.provider_signatures import Signed
from webhooks.signatures import InvalidSignature

_FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_BODIES = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"type": st.sampled_from([KIND, "operation.updated", "x"])},
        optional={
            "data": st.dictionaries(
                st.sampled_from(["quote_id", "transact_id", "reference"]), st.text() | st.integers()
            )
        },
    ).map(lambda value: json.dumps(value).encode()),
)
_HEADER_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "x-request-id",
            "user-agent",
            "content-encoding",
            "x-acme-signature",
            "transfer-encoding",
            "authorization",
            "cookie",
            "host",
        ]
    ),
    _HEADER_TEXT,
    max_size=6,
)
_TYPES = st.sampled_from(
    ["application/json", "application/json; charset=utf-16", "text/plain", "", "application/x+json"]
)
_ALLOWED = {200, 202, 400, 401, 413}


@pytest.mark.usefixtures("database")
@_FUZZ
@given(body=_BODIES, headers=_HEADERS, content_type=_TYPES, signed=st.booleans())
def test_no_request_is_answered_5xx(body: bytes, headers: dict[str, str], content_type: str, signed: bool) -> None:
    sender = _sender("fuzzed")
    if signed:
        headers = {**headers, **sender.signed("evt_fuzz", body)}
    answer = sender.post(body, headers, content_type=content_type)
    assert answer.status_code in _ALLOWED
    if answer.status_code < 300:
        assert signed
        assert InboundEvent.objects.filter(provider_event_id="evt_fuzz").count() == 1


@pytest.mark.usefixtures("database")
@_FUZZ
@given(code=st.text(max_size=80), body=st.binary(max_size=40))
def test_no_path_is_answered_5xx(code: str, body: bytes) -> None:
    answer = Client().post(f"/v1/inbox/{quote(code, safe='')}", body, content_type="application/json")
    assert answer.status_code in {401, 404}
    assert InboundEvent.objects.count() == 0


@settings(max_examples=200, deadline=None)
@given(
    body=st.text(), message_id=st.from_regex(r"[!-~]{1,60}", fullmatch=True), octets=st.binary(min_size=24, max_size=64)
)
def test_what_we_sign_the_official_library_verifies_and_the_other_way_round(
    body: str, message_id: str, octets: bytes
) -> None:
    body = body.encode("utf-8", "replace").decode()
    secret = signatures.make_secret(octets)
    now = int(time.time())  # the library reads the process's clock
    ours = signatures.headers(secrets=[secret], message_id=message_id, timestamp=now, body=body.encode())
    library = Webhook(secret)
    with contextlib.suppress(json.JSONDecodeError):  # the signature fits: only then is the body read as JSON
        library.verify(body, ours)
    theirs = {**ours, "webhook-signature": library.sign(message_id, datetime.fromtimestamp(now, UTC), body)}
    assert signatures.verify(secrets=[secret], headers=theirs, body=body.encode(), now=now) == message_id
    assert theirs == ours
    with pytest.raises(InvalidSignature):
        signatures.verify(secrets=[secret], headers=theirs, body=body.encode() + b" ", now=now)
    with pytest.raises(WebhookVerificationError):
        library.verify(body + " ", ours)


def test_the_library_s_known_vector() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signatures.sign(
        secrets=[secret], message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@_FUZZ
@given(
    scheme=st.sampled_from(list(Provider.Scheme)),
    headers=st.dictionaries(
        st.sampled_from(["X-Sig", "x-sig", "X-Time", "webhook-id", "webhook-signature", "webhook-timestamp"]), st.text()
    ),
    body=st.binary(max_size=60),
    timestamp_header=st.sampled_from(["", "X-Time"]),
)
def test_no_header_gets_past_a_scheme_without_its_secret(
    scheme: Provider.Scheme, headers: dict[str, str], body: bytes, timestamp_header: str
) -> None:
    signed = Signed(scheme=scheme, signature_header="X-Sig", timestamp_header=timestamp_header, tolerance_seconds=300)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    with pytest.raises(InvalidSignature):
        provider_signatures.verify(signed, secrets=[secret], headers=headers, body=body, now=1_778_000_000)


@_FUZZ
@given(body=st.binary(max_size=200), flipped=st.integers(0, 10**6))
def test_one_flipped_bit_is_refused_by_each_scheme(body: bytes, flipped: int) -> None:
    body = body or b"x"
    spoilt = bytearray(body)
    spoilt[flipped % len(body)] ^= 1 << (flipped % 8)
    terms = hmac_terms(Provider.Scheme.HMAC_HEX)
    signed = Signed(Provider.Scheme.HMAC_HEX, terms.signature_header, "", 300)
    headers = {terms.signature_header: hmac_of(body)}
    secrets = ["a shared secret of some length"]
    assert provider_signatures.verify(signed, secrets=secrets, headers=headers, body=body, now=0) == ""
    with pytest.raises(InvalidSignature):
        provider_signatures.verify(signed, secrets=secrets, headers=headers, body=bytes(spoilt), now=0)


def _sender(code: str) -> Sender:
    found = Provider.objects.filter(code=code).first()
    if found is None:
        return make_sender(code)
    return Sender(code, found.secrets.get().secret)
