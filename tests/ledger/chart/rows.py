"""Open an account past the chart, for what only raw SQL can do."""

from django.db import connection

from ledger.accounts import Opening
from tests.ledger.door import test_book


def open_as_it_is(opening: Opening) -> None:
    kind = opening.kind
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_open_accounts(%s::smallint, ARRAY[%s], ARRAY[%s], ARRAY[%s], ARRAY[%s], ARRAY[%s], ARRAY[%s],"
            " ARRAY[%s])",
            [
                test_book(),
                opening.address,
                opening.asset,
                kind.account_class.value,
                kind.gl_code,
                kind.normal_side,
                kind.workflow_view,
                kind.balance_rule.value,
            ],
        )
