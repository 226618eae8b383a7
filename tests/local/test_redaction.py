"""No secret reaches a log line."""

import json
import logging

import pytest
import structlog

from config.logging import formatter
from ledger.controls.redaction import REDACTED, redacted

KEY = "hf_test_" + "Zm9vYmFyYmF6"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"secret": "x"}, {"secret": REDACTED}),
        ({"client_secret": "x", "asset": "EUR"}, {"client_secret": REDACTED, "asset": "EUR"}),
        ({"Authorization": "Bearer abc"}, {"Authorization": REDACTED}),
        ({"password": "x"}, {"password": REDACTED}),
        ({"access_token": "x"}, {"access_token": REDACTED}),
        ({"webhook-signature": "v1,abc"}, {"webhook-signature": REDACTED}),
        ({"api_key": "x"}, {"api_key": REDACTED}),
        ({"secret": None}, {"secret": None}),
        ({"headers": [{"X-Api-Key": "x"}]}, {"headers": [{"X-Api-Key": REDACTED}]}),
        ({"idempotency_key": "ord_1:debit:v1"}, {"idempotency_key": "ord_1:debit:v1"}),
        (f"the key {KEY} was used", f"the key hf_test_{REDACTED} was used"),
        ("hf_live_abc", f"hf_live_{REDACTED}"),
        (f"signed with {SECRET}.", f"signed with whsec_{REDACTED}."),
        ("Authorization: bearer abc.def", f"Authorization: bearer {REDACTED}"),
        ("redis://:word@127.0.0.1:1/0", f"redis://:{REDACTED}@127.0.0.1:1/0"),
        ("postgresql://role:word@/holdfast", f"postgresql://role:{REDACTED}@/holdfast"),
        ({"amount_minor": 12, "ok": True, "none": None}, {"amount_minor": 12, "ok": True, "none": None}),
    ],
)
def test_secret_is_replaced_and_the_rest_is_kept(value: object, shown: object) -> None:
    assert redacted(value) == shown


@pytest.mark.parametrize("format", ["json", "console"])
def test_line_of_the_standard_library_shows_no_secret(format: str) -> None:
    line = formatter(format=format).format(_record("calling with %s", KEY, password="hunter2"))
    assert KEY not in line
    assert "hunter2" not in line
    assert "calling with" in line


def test_traceback_shows_no_secret() -> None:
    try:
        raise ValueError(f"cannot verify with {SECRET}")
    except ValueError as error:
        record = _record("failed")
        record.exc_info = (type(error), error, error.__traceback__)
    line = formatter(format="json").format(record)
    assert SECRET not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_line_carries_request_id_and_order_reference_when_they_are_bound() -> None:
    with structlog.contextvars.bound_contextvars(request_id="req_1", order_reference="ord_1"):
        line = json.loads(formatter(format="json").format(_record("moved")))
    assert (line["request_id"], line["order_reference"]) == ("req_1", "ord_1")
    assert (line["event"], line["level"], line["logger"]) == ("moved", "info", "tests.redaction")


def _record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("tests.redaction", logging.INFO, __file__, 1, message, arguments, None)
    record.__dict__.update(extra)
    return record
