"""Exception cases in bulk: out as a sheet, back with fixed columns, each line tried out and then carried out by itself."""

import csv
import io
from collections.abc import Mapping
from datetime import timedelta

import pytest

from ledger.controls import clock
from ledger.controls.refusals import Malformed
from ledger.controls.roles import Role
from ledger.models import Approval, Move
from reconciliation import case_import, case_sheet
from reconciliation.case_import import Person
from reconciliation.case_sheet import Choice
from reconciliation.models import ExceptionCase, ExceptionNote
from tests.orders.books import world
from tests.reconciliation.day import DATE, Day
from tests.reviewers import reviewer

FAY = Person("user:fay", may_approve=False)
LEE = Person("user:lee", may_approve=True)
REVIEW = (DATE + timedelta(days=9)).isoformat()


@pytest.fixture
def cases(day: Day) -> list[ExceptionCase]:
    """Three orders without their quotes, and so three cases."""
    for _ in range(3):
        order = day.processed()
        day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    day.close()
    return list(ExceptionCase.objects.order_by("pk"))


def sheet(choice: Choice | None = None) -> list[dict[str, str]]:
    text = "".join(case_sheet.as_csv(case_sheet.chosen(choice or Choice()), now=clock.now()))
    return list(csv.DictReader(io.StringIO(text)))


def written(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def kinds(text: str, person: Person = FAY, *, dry: bool = False) -> list[tuple[str, str]]:
    work = case_import.dry_run if dry else case_import.carry_out
    return [(one.kind, " ".join(one.errors)) for one in work(text=text, person=person, now=clock.now())]


def fixed(row: Mapping[str, str], **changes: str) -> dict[str, str]:
    return {**row, "owner": "fay", "next_review_on": REVIEW, **changes}


def test_a_sheet_goes_out_and_comes_back_unchanged(cases: list[ExceptionCase]) -> None:
    rows = sheet()
    assert [row["reference"] for row in rows] == [case.reference for case in cases]
    assert list(rows[0]) == list(case_sheet.COLUMNS)
    assert (rows[0]["type"], rows[0]["amount"], rows[0]["aging"], rows[0]["owner"]) == (
        "missing_quote",
        "100.00",
        "0-1 days",
        "ops",
    )
    before = world()
    assert kinds(written(rows)) == [("unchanged", "")] * 3
    assert world() == before


def test_each_line_is_tried_out_and_carried_out_by_itself(cases: list[ExceptionCase]) -> None:
    first, second, third = sheet()
    text = written([fixed(first), fixed(second, next_review_on="2020-01-01"), third])
    before = world()
    expected = [("changed", ""), ("refused", "The next review date lies in the past."), ("unchanged", "")]
    assert kinds(text, dry=True) == expected
    assert world() == before
    assert kinds(text) == expected
    states = list(ExceptionCase.objects.order_by("pk").values_list("state", "owner"))
    assert states == [("assigned", "fay"), ("open", "ops"), ("open", "ops")]
    (move,) = Move.objects.filter(subject=cases[0].reference, to_state="assigned")
    assert move.actor == "user:fay"
    assert kinds(text)[0] == ("unchanged", "")  # what it says is so already
    again = written([fixed(first, owner="lou")])
    assert kinds(again) == [("refused", "The case has changed since the sheet was made: look at it again.")]


def test_a_dry_run_marks_what_would_change(cases: list[ExceptionCase]) -> None:
    (row, *_) = sheet()
    (result,) = case_import.dry_run(text=written([fixed(row)]), person=FAY, now=clock.now())
    shown = dict(zip(case_import.NEEDED, result.cells, strict=True))
    assert "<del" in shown["owner"]
    assert "<ins" in shown["owner"]


def test_an_approval_takes_two_people_also_in_bulk(cases: list[ExceptionCase]) -> None:
    rows = [fixed(row, resolution="propose approval", reason="known migration gap") for row in sheet()]
    assert kinds(written(rows)) == [("changed", "")] * 3
    assert Approval.objects.filter(decision="proposed", maker="user:fay").count() == 3
    rows = sheet()
    assert {(row["state"], row["proposed_by"], row["proposed_reason"]) for row in rows} == {
        ("assigned", "user:fay", "known migration gap")
    }
    rows = [{**row, "resolution": "approve", "reason": "seen"} for row in rows]
    own = Person("user:fay", may_approve=True)
    before = world()
    assert kinds(written(rows), own) == [("refused", "Maker and checker must be different people.")] * 3
    assert (
        kinds(written(rows), Person("user:lou", may_approve=False))
        == [("refused", "Your role may not approve exceptions.")] * 3
    )
    assert world() == before
    rows[2]["resolution"] = "refuse"
    assert kinds(written(rows), LEE, dry=True) == [("changed", "")] * 3
    assert world() == before
    assert kinds(written(rows), LEE) == [("changed", "")] * 3
    assert list(ExceptionCase.objects.order_by("pk").values_list("state", flat=True)) == [
        "approved",
        "approved",
        "assigned",
    ]
    assert sheet(Choice(state="approved"))[0]["ended_as"] == "Approved by lee: seen"
    assert kinds(written([{**row, "resolution": "approve"} for row in rows[:2]]), LEE)[0][0] == "refused"


@pytest.mark.parametrize(
    "changes, because",
    [
        ({"reference": "exc_nowhere"}, "There is no exception case exc_nowhere."),
        ({"version": "9"}, "The case has changed since the sheet was made"),
        ({"version": ""}, "The case has changed since the sheet was made"),
        ({"owner": ""}, "An exception case needs an owner."),
        ({"owner": "ops"}, "There is no active person 'ops' who may work exceptions."),
        ({"next_review_on": "14.03.2026"}, "The next review date is YYYY-MM-DD."),
        ({"next_review_on": ""}, "The next review date is YYYY-MM-DD."),
        ({"resolution": "resolved", "reason": "x"}, "A resolution is empty or one of"),
        ({"resolution": "propose approval"}, "An approval of an exception needs a reason."),
        ({"resolution": "approve", "reason": "x"}, "Your role may not approve exceptions."),
        ({"resolution": "refuse", "reason": "x"}, "Nobody has proposed"),
    ],
)
def test_a_line_that_cannot_be_is_refused_and_the_next_stands(
    cases: list[ExceptionCase], changes: dict[str, str], because: str
) -> None:
    first, second, _ = sheet()
    kind, other = kinds(written([fixed(first, **changes), fixed(second)]))
    assert kind[0] == "refused"
    assert because in kind[1]
    assert other == ("changed", "")
    untouched = ExceptionCase.objects.get(pk=cases[0].pk)
    assert (untouched.state, untouched.owner, untouched.version) == ("open", "ops", 1)


def test_a_case_is_named_once_in_a_sheet(cases: list[ExceptionCase]) -> None:
    row = sheet()[0]
    assert [kind for kind, _ in kinds(written([fixed(row), fixed(row, owner="lou")]))] == ["changed", "refused"]
    assert ExceptionCase.objects.get(pk=cases[0].pk).owner == "fay"


def test_a_reason_alone_is_a_note(cases: list[ExceptionCase]) -> None:
    row = sheet()[0]
    assert kinds(written([{**row, "reason": "asked the operator"}])) == [("changed", "")]
    note = ExceptionNote.objects.get()
    assert (note.case_reference, note.author, note.text) == (cases[0].reference, "user:fay", "asked the operator")
    assert ExceptionCase.objects.get(pk=cases[0].pk).state == "open"


@pytest.mark.parametrize(
    "text, because",
    [
        ("", "has to name the columns"),
        ("reference,version\nexc_1,1\n", "owner, next_review_on, resolution, reason is missing"),
        ("reference,version,owner,owner,next_review_on,resolution,reason\n", "names a column twice"),
        ("reference,version,owner,next_review_on,resolution,reason\na,b\x00,c,d,e,f\n", "not a text"),
        ("x" * (1024 * 1024 + 1), "larger than a megabyte"),
        ("reference,version,owner,next_review_on,resolution,reason\n" + "a,1,c,,,\n" * 2001, "more than 2000 lines"),
    ],
)
def test_what_is_no_sheet_is_refused(day: Day, text: str, because: str) -> None:
    with pytest.raises(Malformed, match=because):
        case_import.dry_run(text=text, person=FAY, now=clock.now())


def test_cells_are_harmless_and_come_back_as_meant(cases: list[ExceptionCase]) -> None:
    row = sheet()[0]
    reviewer("=cmd()", role=Role.FINANCE)
    assert kinds(written([fixed(row, owner="'=cmd()", reason="'-1+1")])) == [("changed", "")]
    assert ExceptionCase.objects.get(pk=cases[0].pk).owner == "=cmd()"
    (again,) = [one for one in sheet() if one["reference"] == cases[0].reference]
    assert again["owner"] == "'=cmd()"
    assert kinds(written([again])) == [("unchanged", "")]


def test_the_choice_is_what_its_filters_say(cases: list[ExceptionCase], day: Day) -> None:
    kinds(written([fixed(sheet()[0])]))
    for choice, count in (
        (Choice(), 3),
        (Choice(state="open"), 2),
        (Choice(state="assigned"), 1),
        (Choice(state=""), 3),
        (Choice(owner="fay"), 1),
        (Choice(type="missing_quote"), 3),
        (Choice(type="missing_trade"), 0),
        (Choice(environment="live"), 0),
        (Choice(business_date=DATE), 3),
        (Choice(business_date=DATE - timedelta(days=1)), 0),
        (Choice(review_by=DATE + timedelta(days=5)), 2),
    ):
        assert len(sheet(choice)) == count, choice


def test_many_are_assigned_together_each_by_itself(cases: list[ExceptionCase]) -> None:
    references = [*(case.reference for case in cases), "exc_nowhere"]
    refused = case_import.assign_many(
        references=references, owner="lou", next_review_on=DATE + timedelta(days=3), actor="user:fay", now=clock.now()
    )
    assert refused == [("exc_nowhere", "There is no exception case exc_nowhere.")]
    assert set(ExceptionCase.objects.values_list("state", "owner")) == {("assigned", "lou")}
    told = case_import.assign_many(
        references=references,
        owner="nobody",
        next_review_on=DATE + timedelta(days=3),
        actor="user:fay",
        now=clock.now(),
    )
    assert {why for _, why in told} == {"There is no active person 'nobody' who may work exceptions."}
    assert len(told) == 4
    assert Move.objects.filter(to_state="assigned", actor="user:fay").count() == 3
