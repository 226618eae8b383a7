"""The body's reader alone: every malformed text is a refusal, never a defect."""

import json

import pytest

from ledger.controls.rest.bodies import MalformedJson, NotJsonNumber, read_json


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {"b": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"\xff\xfe",
        b'{"a": "\xc3\x28"}',
        b"\xef\xbb\xbf{}",
        '{"a": "ä"}'.encode("utf-16"),
        b"[" * 60_000,
        b"[" * 17 + b"]" * 17,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"1" * 5_000,
    ],
)
def test_json_is_refused_when_it_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        read_json(raw)


def test_json_is_read_when_it_is_well_formed() -> None:
    value = {"a": [1, -2, True, None, "ä\u0000\U0001f600"], "b": {}}
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value
    assert read_json(b"[" * 16 + b"]" * 16)


@pytest.mark.parametrize("number", [b"1.0", b"1e3", b"1E999999999", b"-0.1"])
def test_a_number_is_no_value_when_it_is_not_whole(number: bytes) -> None:
    assert isinstance(read_json(number), NotJsonNumber)
