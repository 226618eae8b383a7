"""Signatures, against the official library both ways, and against whatever a stranger may send."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks import signatures

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the specification's example
OTHER = signatures.make_secret(bytes(range(32)))
NOW = 1_778_000_000


@pytest.fixture
def library_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fixed(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Fixed":
            return cls.fromtimestamp(NOW, tz=UTC)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Fixed)


def test_the_specification_s_example_is_signed_as_there() -> None:
    signed = signatures.sign(
        secrets=[SECRET], message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.usefixtures("library_at_now")
@pytest.mark.parametrize("secrets", [[SECRET], [OTHER], [OTHER, SECRET], [SECRET, OTHER]])
def test_the_library_verifies_what_we_sign(secrets: list[str]) -> None:
    body = json.dumps({"note": "żółw €"}, ensure_ascii=False).encode()
    headers = signatures.headers(secrets=secrets, message_id="evt_1", timestamp=NOW, body=body)
    for secret in secrets:
        assert Webhook(secret).verify(body, headers) == {"note": "żółw €"}
    if len(secrets) == 1:
        wrong = OTHER if secrets == [SECRET] else SECRET
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong).verify(body, headers)


def test_we_verify_what_the_library_signs() -> None:
    signature = Webhook(SECRET).sign("evt_1", datetime.fromtimestamp(NOW, tz=UTC), '{"a":1}')
    headers = {"Webhook-Id": "evt_1", "Webhook-Timestamp": str(NOW), "Webhook-Signature": signature}
    assert signatures.verify(secrets=[OTHER, SECRET], headers=headers, body=b'{"a":1}', now=NOW + 299) == "evt_1"
    with pytest.raises(signatures.InvalidSignature):
        signatures.verify(secrets=[OTHER], headers=headers, body=b'{"a":1}', now=NOW)


GOOD = signatures.headers(secrets=[SECRET], message_id="evt_1", timestamp=NOW, body=b"{}")


@pytest.mark.parametrize(
    "changed, body, now",
    [
        ({}, b"{} ", NOW),
        ({}, b"", NOW),
        ({}, b"{}", NOW + 301),
        ({}, b"{}", NOW - 301),
        ({"webhook-id": "evt_2"}, b"{}", NOW),
        ({"webhook-id": ""}, b"{}", NOW),
        ({"webhook-timestamp": str(NOW + 1)}, b"{}", NOW),
        ({"webhook-timestamp": ""}, b"{}", NOW),
        ({"webhook-timestamp": "now"}, b"{}", NOW),
        ({"webhook-timestamp": f"{NOW}.0"}, b"{}", NOW),
        ({"webhook-timestamp": f"-{NOW}"}, b"{}", NOW),
        ({"webhook-timestamp": "９９９"}, b"{}", NOW),
        ({"webhook-timestamp": "1" * 400}, b"{}", NOW),
        ({"webhook-timestamp": "nan"}, b"{}", NOW),
        ({"webhook-signature": ""}, b"{}", NOW),
        ({"webhook-signature": "v1"}, b"{}", NOW),
        ({"webhook-signature": "v1,"}, b"{}", NOW),
        ({"webhook-signature": "v1,====="}, b"{}", NOW),
        ({"webhook-signature": "v1,ż"}, b"{}", NOW),
        ({"webhook-signature": GOOD["webhook-signature"].replace("v1,", "v2,")}, b"{}", NOW),
        ({"webhook-signature": GOOD["webhook-signature"].replace("v1,", "v1a,")}, b"{}", NOW),
        ({"webhook-signature": GOOD["webhook-signature"][:-4]}, b"{}", NOW),
        ({"webhook-signature": " ".join(["v1,AAAA"] * 16 + [GOOD["webhook-signature"]])}, b"{}", NOW),
    ],
)
def test_anything_else_is_refused(changed: dict[str, str], body: bytes, now: int) -> None:
    with pytest.raises(signatures.InvalidSignature):
        signatures.verify(secrets=[SECRET], headers={**GOOD, **changed}, body=body, now=now)


@given(st.text(), st.text(), st.text(), st.binary())
def test_a_stranger_s_headers_raise_nothing_else(message_id: str, timestamp: str, signature: str, body: bytes) -> None:
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    with pytest.raises(signatures.InvalidSignature):
        signatures.verify(secrets=[SECRET], headers=headers, body=body, now=NOW)
    headers["webhook-timestamp"] = str(NOW)
    with pytest.raises(signatures.InvalidSignature):
        signatures.verify(secrets=[SECRET], headers=headers, body=body, now=NOW)


def test_one_of_several_signatures_is_enough() -> None:
    several = {**GOOD, "webhook-signature": f"v1,AAAA v2,BBBB {GOOD['webhook-signature']}"}
    assert signatures.verify(secrets=[SECRET], headers=several, body=b"{}", now=NOW) == "evt_1"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!!!",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_ż",
    ],
)
def test_a_malformed_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(signatures.MalformedSecret):
        signatures.sign(secrets=[secret], message_id="evt_1", timestamp=NOW, body=b"")


def test_a_new_secret_has_the_prefix_and_32_octets() -> None:
    assert OTHER.startswith("whsec_")
    assert base64.b64decode(OTHER.removeprefix("whsec_")) == bytes(range(32))
