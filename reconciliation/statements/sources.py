"""Sources: whose statements come in, which account of our book they confirm, and how they are written."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import accounts, assets
from ledger.books import number_of
from ledger.controls.refusals import NotFound, Refusal
from ledger.models import Account
from reconciliation.models import StatementSource
from reconciliation.statements.mapping import CsvMapping
from wallets.models import Operator

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
WIDEST_WINDOW = 31


class SourceMalformed(Refusal):
    """This source cannot be kept as it is described."""

    code = "statement_source_malformed"


class SourceExists(Refusal):
    """There is a source of this code."""

    code = "statement_source_exists"
    status = 409


def named(*, environment: str, code: str) -> StatementSource:
    """Return a source by its code. Raises NotFound."""
    found = StatementSource.objects.filter(environment=environment, code=code).first()
    if found is None:
        raise NotFound(f"There is no statement source {code!r} in {environment}.")
    return found


def create(
    *,
    environment: str,
    code: str,
    name: str,
    format: str,
    asset: str,
    bank: str = "",
    operator_slug: str = "",
    mapping: CsvMapping | None = None,
    date_window_days: int = 3,
    actor: str,
    now: datetime,
) -> StatementSource:
    """Keep a source of a bank's (`bank:…` is its account) or of an operator's statements.

    Raises SourceMalformed, SourceExists, NotFound or assets.UnknownAsset.
    """
    if not _CODE.fullmatch(code) or not name.strip():
        raise SourceMalformed("A name, and a code of small letters, digits and hyphens, are needed.")
    if bool(bank) == bool(operator_slug):
        raise SourceMalformed("A source is a bank's or an operator's: name the bank's account, or the operator.")
    operator = Operator.objects.filter(slug=operator_slug, kind=Operator.Kind.OPERATOR).first()
    if operator_slug and operator is None:
        raise NotFound("There is no such operator.")
    source = StatementSource(
        environment=environment,
        code=code,
        name=name.strip()[:120],
        kind=StatementSource.Kind.OPERATOR if operator else StatementSource.Kind.BANK,
        operator_id=operator.pk if operator else None,
        account=accounts.operator_due(operator.slug) if operator else bank,
        asset=assets.named(asset).code,
        format=format,
        mapping=_checked(format, mapping),
        date_window_days=_window(date_window_days),
        created_by=actor,
        created_at=now,
        changed_by=actor,
        changed_at=now,
    )
    _check_account(source)
    try:
        with db_transaction.atomic():
            source.save(force_insert=True)
    except IntegrityError as error:
        raise SourceExists(f"There is a source {code!r} in {environment}.") from error
    return source


def change(
    *, environment: str, code: str, mapping: CsvMapping | None, date_window_days: int, actor: str, now: datetime
) -> StatementSource:
    """Change how a source's files are read from now on; what was imported keeps its own mapping. Raises as `create`."""
    with db_transaction.atomic():
        source = StatementSource.objects.select_for_update().filter(environment=environment, code=code).first()
        if source is None:
            raise NotFound(f"There is no statement source {code!r} in {environment}.")
        source.mapping = _checked(source.format, mapping)
        source.date_window_days = _window(date_window_days)
        source.changed_by, source.changed_at = actor, now
        source.save(update_fields=["mapping", "date_window_days", "changed_by", "changed_at"])
    return source


def banks(environment: str) -> Sequence[str]:
    """Return the addresses of the book's bank accounts."""
    found = Account.objects.filter(book_id=number_of(environment), gl_code=accounts.BANK.gl_code)
    return list(found.order_by("address").values_list("address", flat=True).distinct())


def _checked(format: str, mapping: CsvMapping | None) -> Mapping[str, object]:
    if format == StatementSource.Format.CAMT053:
        return {}
    if format != StatementSource.Format.CSV or mapping is None:
        raise SourceMalformed("A statement is CSV, with its mapping, or camt053.")
    faults = mapping.faults()
    if faults:
        raise SourceMalformed(" ".join(faults), errors={"mapping": faults})
    return mapping.as_json()


def _window(days: int) -> int:
    if not 0 <= days <= WIDEST_WINDOW:
        raise SourceMalformed(f"The date window has 0 to {WIDEST_WINDOW} days.")
    return days


def _check_account(source: StatementSource) -> None:
    found = Account.objects.filter(book_id=number_of(source.environment), address=source.account, asset=source.asset)
    if not found.exists():
        raise NotFound(f"There is no account {source.account} in {source.asset} in the book.")
