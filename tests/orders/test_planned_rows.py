"""Statements that are planned once read and write what Django's own do, and are met by whoever watches statements."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as db_transaction
from django.forms.models import model_to_dict

from ledger.controls import planned_rows
from orders.models import Quote, SagaRun
from tests.orders.desk import Desk

pytestmark = pytest.mark.usefixtures("database")


def test_a_row_is_found_and_locked_as_django_reads_it(desk: Desk) -> None:
    made = desk.quote("20.00")
    expected = Quote.objects.get(pk=made.pk)
    with db_transaction.atomic():
        for found in (
            planned_rows.find(Quote, reference=made.reference),
            planned_rows.lock(Quote, reference=made.reference, operator_id=made.operator_id),
        ):
            assert found is not None
            assert model_to_dict(found) == model_to_dict(expected)
            assert (type(found.fee_items), type(found.source_minor)) == (list, Decimal)
            assert (found.created_at, found._state.adding) == (expected.created_at, False)
    assert planned_rows.find(Quote, reference="quo_none") is None


def test_an_inserted_row_gets_its_id_and_a_second_one_is_refused(desk: Desk) -> None:
    now = desk.clock.now()
    row = SagaRun(subject="ord_planned", environment="test", available_at=now)
    planned_rows.insert(row)
    assert model_to_dict(SagaRun.objects.get(pk=row.pk)) == model_to_dict(row)
    with pytest.raises(IntegrityError), db_transaction.atomic():
        planned_rows.insert(SagaRun(subject="ord_planned", environment="test", available_at=now))
    assert SagaRun.objects.filter(subject="ord_planned").count() == 1


def test_an_update_of_another_version_writes_nothing(desk: Desk) -> None:
    quote = desk.quote("20.00")
    values = {"state": Quote.State.CANCELLED, "version": 2}
    with db_transaction.atomic():
        assert not planned_rows.update(Quote, pk=quote.pk, version=7, values=values)
        assert Quote.objects.get(pk=quote.pk).state == Quote.State.ACTIVE
        assert planned_rows.update(Quote, pk=quote.pk, version=1, values=values)
        assert Quote.objects.get(pk=quote.pk).state == Quote.State.CANCELLED


def test_who_watches_statements_meets_these_too(desk: Desk) -> None:
    met: list[str] = []

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        met.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        planned_rows.find(Quote, reference="quo_none")
    assert len(met) == 1
    assert 'FROM "orders_quote" WHERE "reference" = %s' in met[0]
