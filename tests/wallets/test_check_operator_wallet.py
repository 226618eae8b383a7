"""`manage.py check_operator_wallet`: it passes a wallet that obeys, and names the rule that another breaks."""

import io
import re
from dataclasses import dataclass

import pytest
from django.core.management import CommandError, call_command

from tests.sandbox import RunningSandbox
from tests.wallets.partner_wallet import SECRET, PartnerWallet
from wallets.protocol_check.cases import CASES, run_all
from wallets.protocol_check.partner import Partner
from webhooks import outbound

pytestmark = pytest.mark.usefixtures("database")


@dataclass(frozen=True)
class Broken:
    """A wallet that breaks one rule, and the cases that say so."""

    fault: str
    fails: str


BROKEN = [
    #      what it does wrong        the cases that fail
    Broken("applies again", "repeat at_once other_content credit"),
    Broken("races", "at_once"),
    Broken("takes another body", "other_content"),
    Broken("reads no Not-After", "too_late"),
    Broken("refuses late with 400", "too_late"),
    Broken("burns the key", "too_late too_late_key"),
    Broken("lookups lag", "other_content known_key exact_large"),
    Broken("a bare 404", "too_late unknown_key forged old_signature other_key other_operation no_json"),
    Broken("reverses anything", "repeat at_once reverse_again reverse_nothing"),
    Broken("floats", "exact_large"),
    Broken(
        "numbers",
        "debit repeat at_once other_content too_late_key known_key reverse credit exact_small exact_large",
    ),
    Broken("checks no signature", "forged forged_lookup old_signature other_key"),
    Broken("checks no lookup", "forged_lookup"),
    Broken("takes old signatures", "old_signature"),
    Broken("looks at no webhook-id", "other_key"),
    Broken("looks at no operation", "other_operation"),
    Broken("takes anything", "no_json"),
    Broken("credits nothing large", ""),
    Broken("is down", " ".join(case.name for case in CASES)),
]


def _partner(**changed: object) -> Partner:
    options: dict[str, object] = {
        "base_url": "https://wallet.example.com",
        "secret": SECRET,
        "user_reference": "tester",
        "asset": "EUR",
        "scale": 2,
        "timeout_seconds": 2.0,
        "patience_seconds": 0.1,
    }
    return Partner(**{**options, **changed})  # type: ignore[arg-type]  # a table of options


def test_a_wallet_that_obeys_passes_every_case_and_gets_its_money_back() -> None:
    wallet = PartnerWallet()
    with outbound.use(wallet):
        ends = list(run_all(_partner()))
    assert [(case.name, found.got) for case, found in ends if not found.passed] == []
    assert len(ends) == len(CASES) == 20
    given_back = {reference for reference, left in wallet.balance.items() if left == 0}
    others = sorted(left for reference, left in wallet.balance.items() if reference not in given_back)
    assert others == [2, 2**53 + 1], "a credit is taken back by a debit"
    assert wallet.requests < 100


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.fault)
def test_a_wallet_that_breaks_a_rule_fails_the_cases_of_that_rule(broken: Broken) -> None:
    with outbound.use(PartnerWallet([broken.fault])):
        failed = [case.name for case, found in run_all(_partner()) if not found.passed]
    assert sorted(failed) == sorted(broken.fails.split())


def test_every_case_is_failed_by_some_wallet() -> None:
    named = {name for one in BROKEN if one.fault != "is down" for name in one.fails.split()}
    assert named == {case.name for case in CASES}


def test_the_sandbox_passes_over_http_and_the_report_says_so(sandbox: RunningSandbox) -> None:
    sandbox.wallet_secret(SECRET)
    told = io.StringIO()
    call_command("check_operator_wallet", url=sandbox.url, secret=SECRET, stdout=told)
    text = told.getvalue()
    assert "20 of 20 cases pass." in text
    assert "FAIL" not in text
    assert re.search(r"pass .*Reverse without a debit .*422 nothing_to_reverse", text)
    assert sum(row["did"] == "unauthorized" for row in sandbox.requests("check_")) >= 3


def test_the_exit_status_is_1_and_the_report_names_the_case_when_a_rule_is_broken(sandbox: RunningSandbox) -> None:
    told = io.StringIO()
    with pytest.raises(CommandError, match="4 of 20 cases fail") as failure:
        call_command("check_operator_wallet", url=sandbox.url, secret=SECRET, stdout=told)  # it knows no secret
    assert failure.value.returncode == 1
    lines = [line for line in told.getvalue().splitlines() if "FAIL" in line]
    assert len(lines) == 4
    assert "A signature of another secret" in lines[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "http://10.0.0.1:8100"}, "OUTBOUND_ALLOW"),
        ({"secret": "hunter2"}, "whsec_"),
        ({"timeout": 0.0}, "--timeout"),
        ({"patience": float("nan")}, "--patience"),
        ({"scale": 19}, "--scale"),
    ],
    ids=str,
)
def test_what_cannot_be_tried_is_said_in_a_sentence(options: dict[str, object], says: str) -> None:
    asked = {"url": "https://wallet.example.com", "secret": SECRET, **options}
    with pytest.raises(CommandError, match=says):
        call_command("check_operator_wallet", stdout=io.StringIO(), **asked)


def test_pending_answers_are_waited_for(sandbox: RunningSandbox) -> None:
    """A wallet may answer *pending*; what it becomes in time counts."""
    sandbox.wallet_secret(SECRET)
    sandbox.plan("ask", "pending", prefix="check_", times=1)
    partner = _partner(base_url=sandbox.url, patience_seconds=10.0)
    case, found = next(run_all(partner))
    assert (case.name, found.passed) == ("debit", True)
    assert sandbox.asked("check_")[:2] == ["debit pending", "lookup found"]
