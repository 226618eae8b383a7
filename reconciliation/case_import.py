"""Exception cases fixed in bulk: a sheet comes back, is tried out, and is carried out row by row.

Each row is one person's decision about one case, as its page takes it: an owner and a review date, a proposal to approve
the exception, the second person's decision about one. Every row stands alone and says what became of it; a row about a
case that has changed since the sheet was made is refused; nobody approves their own proposal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import tablib
from django.core.exceptions import ValidationError
from django.db import transaction as db_transaction
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource
from import_export.results import RowResult

from ledger.controls.moves import StaleVersion
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.controls.roles import NotYourRole
from reconciliation import cells, exception_approvals, exception_cases
from reconciliation.case_sheet import FIXED
from reconciliation.models import ExceptionCase

LARGEST: Final = 1024 * 1024
MOST_LINES: Final = 2_000
NEEDED: Final = ("reference", "version", *FIXED)
_KINDS: Final = {
    RowResult.IMPORT_TYPE_UPDATE: "changed",
    RowResult.IMPORT_TYPE_SKIP: "unchanged",
    RowResult.IMPORT_TYPE_INVALID: "refused",
    RowResult.IMPORT_TYPE_ERROR: "refused",
}


class Resolution(StrEnum):
    """What the column `resolution` may say. A break that is gone heals by itself with the next run of its close."""

    NONE = ""
    PROPOSE = "propose approval"
    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Person:
    """Who imports: `may_approve` is their role's word, the rule of two people stands beside it."""

    actor: str
    may_approve: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line, or would: its cells as HTML with changes marked, and why it was refused."""

    number: int
    reference: str
    kind: str
    cells: Sequence[str]
    errors: Sequence[str]


class _Row:
    """A case's changeable columns, as the resource wants them."""

    pk = None

    def __init__(self, **values: str) -> None:
        for column in NEEDED:
            setattr(self, column, values.get(column, ""))


class _Cases(BaseInstanceLoader):  # type: ignore[misc]  # the package has no types
    """Finds a case by its reference, as it stands now."""

    def get_instance(self, row: Mapping[str, str]) -> _Row | None:
        case = ExceptionCase.objects.filter(reference=row["reference"]).first()
        if case is None:
            return None
        reviewed = case.next_review_on.isoformat() if case.next_review_on else ""
        return _Row(reference=case.reference, version=str(case.version), owner=case.owner, next_review_on=reviewed)


class CaseResource(Resource):  # type: ignore[misc]  # the package has no types
    """django-import-export over exception cases. What it saves, it saves by the cases' own operations."""

    reference = Field(attribute="reference", column_name="reference")
    version = Field(attribute="version", column_name="version")
    owner = Field(attribute="owner", column_name="owner")
    next_review_on = Field(attribute="next_review_on", column_name="next_review_on")
    resolution = Field(attribute="resolution", column_name="resolution")
    reason = Field(attribute="reason", column_name="reason")

    class Meta:
        import_id_fields = ("reference",)
        instance_loader_class = _Cases
        skip_unchanged = True
        report_skipped = True
        use_transactions = False
        import_order = NEEDED
        export_order = NEEDED

    def __init__(self, person: Person, *, now: datetime) -> None:
        super().__init__()
        self._person = person
        self._now = now
        self._seen = set[str]()

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        for column in NEEDED:
            row[column] = cells.as_meant(str(row.get(column) or "").strip())
        if row["reference"] in self._seen:
            raise ValidationError(f"{row['reference']} is in the file twice")
        self._seen.add(row["reference"])

    def init_instance(self, row: Mapping[str, str] | None = None) -> _Row:
        return _Row()

    def skip_row(self, instance: _Row, original: _Row, row: Any, import_validation_errors: Any = None) -> bool:
        return not import_validation_errors and all(
            getattr(instance, column) == getattr(original, column) for column in FIXED
        )

    def validate_instance(
        self, instance: _Row, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """What a row says is judged when it is carried out."""

    def do_instance_save(self, instance: _Row, is_create: bool) -> None:
        told = {column: str(getattr(instance, column)) for column in NEEDED}
        try:
            with db_transaction.atomic():
                _carry_out(told, self._person, self._now)
        except Refusal as refusal:
            raise ValidationError(refusal.message) from refusal

    def save_m2m(self, instance: _Row, row: Any, **kwargs: Any) -> None:
        """There is nothing beside a row."""


def dry_run(*, text: str, person: Person, now: datetime) -> list[Result]:
    """Say what became of each line if it were carried out: by the same path, rolled back. Raises Malformed."""
    with db_transaction.atomic():
        found = carry_out(text=text, person=person, now=now)
        db_transaction.set_rollback(True)
    return found


def carry_out(*, text: str, person: Person, now: datetime) -> list[Result]:
    """Carry each line out, in a transaction of its own, and say what became of it. Raises Malformed."""
    dataset = _dataset(text)
    result = CaseResource(person, now=now).import_data(dataset, dry_run=False, raise_errors=False)
    if result.base_errors:
        raise Malformed(str(result.base_errors[0].error))
    return [
        Result(
            number=number,
            reference=str(line["reference"] or ""),
            kind=_KINDS.get(one.import_type, one.import_type),
            cells=[str(cell) for cell in one.diff] if one.diff else [str(line[column] or "") for column in NEEDED],
            errors=_errors(one),
        )
        for number, (one, line) in enumerate(zip(result.rows, dataset.dict, strict=True), start=2)
    ]


def assign_many(
    *, references: Sequence[str], owner: str, next_review_on: date, actor: str, now: datetime
) -> list[tuple[str, str]]:
    """Assign cases, each in a transaction of its own. Return (reference, why not) of those that were refused."""
    refused: list[tuple[str, str]] = []
    for reference in references[:MOST_LINES]:
        try:
            exception_cases.assign_case(
                case_reference=reference, owner=owner, next_review_on=next_review_on, actor=actor, now=now
            )
        except Refusal as refusal:
            refused.append((reference, refusal.message))
    return refused


def _carry_out(told: Mapping[str, str], person: Person, now: datetime) -> None:
    """1 the case is as the sheet saw it · 2 owner and review date · 3 the resolution · a reason alone is a note"""
    case = ExceptionCase.objects.select_for_update().filter(reference=told["reference"]).first()
    if case is None:
        raise NotFound(f"There is no exception case {told['reference'][:40]}.")
    if told["version"] != str(case.version):
        raise StaleVersion("The case has changed since the sheet was made: look at it again.")
    try:
        resolution = Resolution(told["resolution"])
    except ValueError as error:
        words = ", ".join(f"“{word}”" for word in Resolution if word)
        raise Malformed(f"A resolution is empty or one of {words}.") from error
    if (told["owner"], told["next_review_on"]) != (case.owner, str(case.next_review_on or "")):
        case = exception_cases.assign_case(
            case_reference=case.reference,
            owner=told["owner"],
            next_review_on=_date(told["next_review_on"]),
            actor=person.actor,
            now=now,
        )
    _resolve(case, resolution, told["reason"][:1000], person, now)


def _resolve(case: ExceptionCase, resolution: Resolution, reason: str, person: Person, now: datetime) -> None:
    match resolution:
        case Resolution.NONE:
            if reason:
                exception_cases.add_note(case_reference=case.reference, text=reason, author=person.actor, now=now)
        case Resolution.PROPOSE:
            exception_approvals.propose_approval(
                case_reference=case.reference, case_version=case.version, reason=reason, maker=person.actor, now=now
            )
        case Resolution.APPROVE:
            if not person.may_approve:
                raise NotYourRole("Your role may not approve exceptions.")
            exception_approvals.approve_exception(
                case_reference=case.reference, reason=reason, checker=person.actor, now=now
            )
        case Resolution.REFUSE:
            exception_approvals.refuse_approval(
                case_reference=case.reference, reason=reason, checker=person.actor, now=now
            )


def _date(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise Malformed("The next review date is YYYY-MM-DD.") from error


def _dataset(text: str) -> Any:
    if len(text) > LARGEST:
        raise Malformed("The file is larger than a megabyte.")
    if "\0" in text:
        raise Malformed("The file is not a text.")
    try:
        dataset = tablib.Dataset().load(text.lstrip("\ufeff"), format="csv")
    except Exception as error:  # whatever a library says about a stranger's file
        raise Malformed(f"The file is not CSV: {error}") from error
    headers = [str(header).strip() for header in dataset.headers or []]
    missing = [column for column in NEEDED if column not in headers]
    if missing:
        raise Malformed(f"The first line has to name the columns {', '.join(NEEDED)}; {', '.join(missing)} is missing.")
    if len(set(headers)) < len(headers):
        raise Malformed("The first line names a column twice.")
    if len(dataset) > MOST_LINES:
        raise Malformed(f"The file has more than {MOST_LINES} lines.")
    dataset.headers = headers
    return dataset


def _errors(row: Any) -> list[str]:
    if row.validation_error is not None:
        return [str(message) for message in row.validation_error.messages]
    return [str(one.error) for one in row.errors]
