"""What encrypts secrets, and what it makes of them, reaches no log line either."""

import base64
import json
import logging

import pytest
from django.conf import settings

from config.logging import formatter
from ledger.controls import ciphers
from ledger.controls.redaction import REDACTED, redacted

SECRET = "whsec_" + base64.b64encode(b"planted planted planted planted!").decode()


def line_of(message: str, *arguments: object) -> str:
    record = logging.LogRecord("tests.redaction", logging.INFO, __file__, 1, message, arguments, None)
    return formatter(format="json").format(record)


def test_no_line_shows_a_key_of_the_settings() -> None:
    assert settings.SECRETS_KEYS
    for key in settings.SECRETS_KEYS:
        assert key not in line_of("opening with %s", f"key={key}.")
        assert key not in str(redacted({"environment": f"SECRETS_KEYS={key}"}))


def test_no_line_shows_an_encrypted_secret() -> None:
    kept = ciphers.encrypt(SECRET.encode())
    line = line_of("row %s", {"column": kept})
    assert kept.removeprefix("enc1:") not in line
    assert f"enc1:{REDACTED}" in line


@pytest.mark.parametrize("text", [f"a{SECRET}", f"x_{SECRET}", f'{{"secret":"{SECRET}"}}', f"{SECRET},{SECRET}"])
def test_a_secret_is_found_whatever_stands_before_it(text: str) -> None:
    assert SECRET.removeprefix("whsec_") not in line_of(text)


@pytest.mark.usefixtures("database")
def test_no_line_shows_a_secret_when_a_message_is_refused_or_its_handler_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from ledger.controls import drains
    from tests.webhooks.provider import KIND, Sender, event, make_sender
    from webhooks import routing
    from webhooks.routing import InboundMessage, Judgement

    def broken(_: InboundMessage) -> Judgement:
        raise RuntimeError(f"cannot read {SECRET}")

    caplog.set_level(logging.DEBUG)
    sender = make_sender(secret=SECRET)
    Sender("acme", "whsec_" + base64.b64encode(b"another another another another!").decode()).send("evt_0")
    sender.send("evt_1", data={"note": SECRET})
    routing.handle(KIND, broken)
    try:
        drains.drain("inbox")
    finally:
        routing.unhandle(KIND)
    assert event().state == "parked"
    assert len(caplog.records) > 2
    written = "\n".join(formatter(format="json").format(record) for record in caplog.records)
    assert SECRET.removeprefix("whsec_") not in written
    assert all(json.loads(line) for line in written.splitlines())
