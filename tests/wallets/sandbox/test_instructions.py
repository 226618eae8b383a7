"""Faults that are planned instead of spelled, and time that is brought forward."""

import pytest

from tests.wallets.sandbox.calls import Desk
from tests.wallets.sandbox.test_magic_words import told


def test_a_planned_fault_befalls_keys_with_its_prefix_so_many_times(desk: Desk) -> None:
    desk.instruct("faults", question="ask", fault="error-before", prefix="ord_1:", times=2)
    answers = [told(desk.ask(reference=reference)) for reference in ("ord_1", "ord_10", "ord_1", "ord_1")]
    assert answers == ["500 internal_error", "200 confirmed", "500 internal_error", "200 confirmed"]
    assert desk.did() == ["not_applied", "confirmed", "not_applied", "confirmed"]


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("truth", "200 confirmed"),
        ("hidden", "404 not_found"),
        ("pending", "200 pending"),
        ("error", "500 internal_error"),
        ("silence", "silence"),
        ("reset", "reset"),
        ("garbled", "200 unreadable"),
        ("other-amount", "200 confirmed of 10.09"),
    ],
)
def test_a_planned_lookup_fault_changes_what_is_seen_and_not_what_is(fault: str, seen: str, desk: Desk) -> None:
    desk.ask()
    desk.instruct("faults", question="lookup", fault=fault, prefix="ord_", times=1)
    assert told(desk.look_up()) == seen
    assert told(desk.look_up()) == "200 confirmed"
    assert desk.statuses() == ["confirmed"]


def test_advance_brings_pending_and_hidden_to_their_end(desk: Desk) -> None:
    desk.ask("magic-pending")
    desk.ask("magic-not-found-for-a-while", reference="ord_2")
    desk.instruct("advance", seconds=5)
    assert told(desk.look_up("ord_1:debit:v1")) == "200 confirmed"
    assert told(desk.look_up("ord_2:debit:v1")) == "200 confirmed"


@pytest.mark.parametrize(
    ("instruction", "content"),
    [
        ("faults", {"question": "ask", "fault": "hidden"}),
        ("faults", {"question": "never", "fault": "lost"}),
        ("faults", {"question": "ask", "fault": "lost", "times": 0}),
        ("faults", {"question": "ask", "fault": "lost", "times": True}),
        ("faults", {"question": "ask", "fault": "lost", "prefix": 1}),
        ("advance", {"seconds": "5"}),
        ("advance", {}),
        ("wallet-secret", {"secret": "whsec_"}),
        ("wallet-secret", {"secret": "whsec_é"}),
        ("webhook-secret", {"secret": "whsec_MDEyMzQ1"}),
    ],
)
def test_an_instruction_that_is_not_understood_changes_nothing(
    instruction: str, content: dict[str, object], desk: Desk
) -> None:
    assert told(desk.instruct(instruction, **content)) == "400 malformed"
    assert told(desk.ask()) == "200 confirmed"


def test_a_secret_is_never_shown(desk: Desk) -> None:
    secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    desk.instruct("wallet-secret", secret=secret)
    desk.instruct("webhook-secret", name="shop", secret=secret)
    desk.ask()
    desk.send("POST", "/webhooks/shop", b"{}")
    for path in ("/", "/inspect/operations", "/inspect/requests", "/inspect/webhooks"):
        answer = desk.send("GET", path)
        assert answer.status == 200
        assert b"MDEyMzQ1" not in answer.body
