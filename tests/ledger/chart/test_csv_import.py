"""Finance's granular chart: a dry run that can be read, row-wise messages, and nothing written before two people agree."""

import pytest

from ledger import accounts
from ledger.accounts import Opening
from ledger.chart import bundled, csv_import, stored, versions
from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.controls.refusals import Malformed
from ledger.models import Account, ChartVersion
from tests.ledger.chart.finance import ENVIRONMENT, FINANCE, LEAD, codes, collection, open_accounts

pytestmark = pytest.mark.usefixtures("database")

HEAD = "gl_code,name,account_class,normal_side,workflow_view,address,balance_rule\n"
GRANULAR = HEAD + (
    "2004.1,Funds of m1,liability,credit,key_accounts,merchants:m1:available,debits_must_not_exceed_credits\n"
    "4010.1,Revenue of pay-ins by card,income,credit,revenue,revenue:payin:card,none\n"
    "1000,Banks,asset,debit,banks,bank:{bank},none\n"
    "1100,Due from operators,asset,debit,operators,operators:{operator}:due,none\n"
)


def test_a_dry_run_shows_what_is_new_and_what_changes_and_writes_nothing() -> None:
    before = ChartVersion.objects.count()
    found = csv_import.dry_run(environment=ENVIRONMENT, text=GRANULAR)
    assert found.faults == []
    assert [(row.number, row.kind) for row in found.rows] == [(2, "new"), (3, "new"), (4, "changed"), (5, "unchanged")]
    assert found.counts == {"new": 2, "changed": 1, "unchanged": 1, "wrong": 0}
    name = str(found.rows[2].cells[1])
    assert "<del" in name
    assert "<ins" in name
    assert len(found.content) == 24
    assert ChartVersion.objects.count() == before


def test_an_import_is_applied_by_a_second_person_and_says_what_new_accounts_are() -> None:
    content = csv_import.dry_run(environment=ENVIRONMENT, text=GRANULAR).content
    row = versions.propose_chart(environment=ENVIRONMENT, rows=content, note="granular", actor=FINANCE, now=clock.now())
    assert not stored.chart_of(ENVIRONMENT).has("2004.1")
    with pytest.raises(SelfApproval):
        versions.activate(reference=row.reference, reason="mine", actor=FINANCE, now=clock.now())
    versions.activate(reference=row.reference, reason="agreed", actor=LEAD, now=clock.now())
    assert stored.chart_of(ENVIRONMENT).has("2004.1")
    assert stored.find(ENVIRONMENT) == []
    open_accounts()
    opened = {row.address: (row.gl_code, row.workflow_view) for row in Account.objects.all()}
    assert opened["merchants:m1:available"] == ("2004.1", "key_accounts")
    assert opened["bank:main"] == ("1000", "banks")
    assert codes(collection("one", 100, fee=3)) == ["created"]
    assert stored.find(ENVIRONMENT) == []


def test_an_account_opened_before_keeps_its_code_and_is_no_drift() -> None:
    accounts.open_accounts(
        environment=ENVIRONMENT, openings=[Opening("merchants:m1:available", "EUR", accounts.MERCHANT)]
    )
    text = GRANULAR.replace("key_accounts", "wallets")
    assert csv_import.dry_run(environment=ENVIRONMENT, text=text).faults == []
    found = csv_import.dry_run(environment=ENVIRONMENT, text=GRANULAR)
    assert found.faults == [
        "account: merchants:m1:available EUR: workflow view wallets, the chart says key_accounts",
    ]


@pytest.mark.parametrize(
    "line, number, errors",
    [
        (
            "20x4,Funds,liabilty,credit,wallets,merchants:{a}:{a},none",
            2,
            [
                "gl_code '20x4' is not digits, with dots before sub-codes",
                "account_class 'liabilty' is none of asset, liability, equity, income, expense",
                "address 'merchants:{a}:{a}' names a parameter twice",
            ],
        ),
        (
            "5000,,expense,dr,Costs!,costs:{what} ever,sometimes",
            2,
            [
                "name has to be 1 to 80 characters",
                "normal_side 'dr' is none of debit, credit",
                "balance_rule 'sometimes' is none of none, debits_must_not_exceed_credits, credits_must_not_exceed_debits",
                "workflow_view 'Costs!' is not a word of a-z and _",
                "address 'costs:{what} ever' is no pattern such as merchants:{merchant}:available",
            ],
        ),
    ],
)
def test_a_wrong_line_is_told_by_line(line: str, number: int, errors: list[str]) -> None:
    good = "5100,Costs,expense,debit,costs,costs:{what},none\n"
    found = csv_import.dry_run(environment=ENVIRONMENT, text=HEAD + line + "\n" + good)
    assert [(row.number, row.kind, row.errors) for row in found.rows] == [(number, "wrong", errors), (3, "new", [])]
    assert not found.stands
    short = csv_import.dry_run(environment=ENVIRONMENT, text=HEAD + "5100,Costs\n")
    assert [(row.kind, len(row.errors)) for row in short.rows] == [("wrong", 5)]
    assert ChartVersion.objects.filter(environment=ENVIRONMENT).count() == 1


def test_a_code_twice_and_a_pattern_twice_are_told() -> None:
    twice = HEAD + "5100,Costs,expense,debit,costs,costs:{what},none\n" * 2
    assert [row.errors for row in csv_import.dry_run(environment=ENVIRONMENT, text=twice).rows] == [
        [],
        ["gl_code 5100 is in the file twice"],
    ]
    pattern = HEAD + "5100,Costs,expense,debit,costs,bank:{other},none\n"
    assert csv_import.dry_run(environment=ENVIRONMENT, text=pattern).faults == [
        "chart: 5100: address bank:{other} is that of 1000"
    ]


def test_a_file_that_breaks_a_mapping_is_told_and_not_proposed() -> None:
    moved = (
        HEAD
        + "4010,Revenue of pay-ins,income,credit,revenue,income:payin,none\n"
        + "4011,Taken,income,credit,revenue,revenue:payin,none\n"
    )
    open_accounts()
    found = csv_import.dry_run(environment=ENVIRONMENT, text=moved)
    assert found.faults == ["account: revenue:payin EUR: GL code 4010, the chart says 4011"]
    with pytest.raises(versions.LeavesDrift):
        versions.propose_chart(
            environment=ENVIRONMENT, rows=found.content, note="moved", actor=FINANCE, now=clock.now()
        )
    assert ChartVersion.objects.filter(environment=ENVIRONMENT).count() == 1


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "columns"),
        ("gl_code,name\n1,x\n", "account_class"),
        (HEAD + "5100,a,b,c,d,e,f,g,h\n", "not CSV"),
        ("a\0b", "not a text"),
        (HEAD + "x" * 2_000_000, "megabyte"),
        (HEAD + "5100,Costs,expense,debit,costs,costs:{what},none\n" * 5001, "5000 lines"),
    ],
)
def test_what_is_no_chart_is_refused(text: str, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        csv_import.dry_run(environment=ENVIRONMENT, text=text)


def test_an_export_reads_back_and_changes_nothing() -> None:
    found = csv_import.dry_run(environment=ENVIRONMENT, text=csv_import.exported(bundled.chart()))
    assert found.counts == {"new": 0, "changed": 0, "unchanged": 22, "wrong": 0}
    assert found.faults == ["the file changes nothing"]
