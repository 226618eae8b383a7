"""Two signatures and a lock: what is signed is what was run, by two people, and the date takes nothing any more."""

import json

import pytest
from django.db import DatabaseError, connection
from django.db import transaction as db_transaction

from ledger import journal, periods
from ledger.controls import clock, drains
from ledger.controls.approvals import SelfApproval
from ledger.controls.moves import Change, PeriodLocked, StaleVersion, Why, move
from ledger.models import Event, Move, Period
from reconciliation import (
    close_runs,
    leases,
    signing,
)
from reconciliation.models import CloseRun, CloseSignature
from tests.orders.desk import reloaded, trade_of
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import PREPARER, REVIEWER, adjustment, files, locked, over, sign, submit
from tests.webhooks.edge import make_endpoint
from wallets import operators
from webhooks.models import Delivery

pytestmark = pytest.mark.usefixtures("database")


def test_two_people_sign_and_the_date_is_locked(day: Day) -> None:
    order = day.processed()
    close = locked(day)
    assert (close.state, close.preparer, close.reviewer) == ("locked", PREPARER, REVIEWER)
    assert list(Move.objects.filter(subject=close.reference).order_by("id").values_list("to_state", "actor")) == [
        *(("open", "close"), ("in_review", PREPARER), ("signed", REVIEWER), ("locked", REVIEWER)),
    ]
    topics = Event.objects.filter(aggregate=close.reference).order_by("id").values_list("topic", flat=True)
    assert list(topics) == ["close.open", "close.in_review", "close.signed", "close.locked"]
    assert list(Event.objects.filter(aggregate=close.reference, public=True).values_list("topic", flat=True)) == [
        "close.signed"
    ]
    assert periods.is_locked("test", DATE)
    assert Period.objects.get(business_date=DATE).locked_by == REVIEWER
    signed = list(CloseSignature.objects.order_by("id"))
    assert [(one.role, one.person, one.comment) for one in signed] == [
        *(("preparer", PREPARER, "ok"), ("reviewer", REVIEWER, "agreed")),
    ]
    manifest = json.loads(files(day)["manifest.json"])
    hashes = {file["name"]: file["sha256"] for file in manifest["files"]}
    for one in signed:
        assert {name: one.files[name] for name in hashes} == hashes
        assert one.ledger_root == close.ledger_root == manifest["ledger"]["root"] != ""
    assert reloaded(order).reconciliation_state == "closed"
    with pytest.raises(leases.CloseNotOpen):
        day.close()


def test_a_locked_date_takes_neither_postings_nor_moves(day: Day) -> None:
    order = day.processed()
    before = clock.now()
    locked(day)
    now, draft = clock.now(), adjustment(before)
    with db_transaction.atomic():
        (result,) = journal.post_all(environment="test", drafts=[draft], now=now)
        assert result.transaction_id is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT effective_at, locked_date FROM ledger_transaction WHERE key = %s", [draft.key])
        row = cursor.fetchone()
    assert row == (now, DATE)  # at the first open instant, the locked date kept
    trade = trade_of(order)
    with pytest.raises(PeriodLocked), db_transaction.atomic():
        move(Change(trade, "take_back"), why=Why("test", "test"), now=before)
    assert trade_of(order).state == "settled"


def test_preparer_and_reviewer_are_different_people(day: Day) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    with pytest.raises(SelfApproval):
        sign(PREPARER)
    assert CloseRun.objects.get().state == "in_review"
    assert not periods.is_locked("test", DATE)
    assert CloseSignature.objects.count() == 1
    with pytest.raises(DatabaseError), db_transaction.atomic():
        CloseRun.objects.update(reviewer=PREPARER)


@pytest.mark.parametrize("when", ["the day is not over", "the grace is not over", "run before the grace", "never run"])
def test_a_close_is_refused_for_review_when(when: str, day: Day) -> None:
    day.processed()
    if when != "never run":
        day.close()
    else:
        close_runs.ensure(environment="test", business_date=DATE)
    if when == "the grace is not over":
        day.after_midnight()
        day.close()
    if when in ("run before the grace", "never run"):
        over(day)
    early = when.startswith("the")
    with pytest.raises(signing.TooEarly if early else signing.RunFirst):
        submit()
    assert CloseRun.objects.get().state == "open"
    assert CloseSignature.objects.count() == 0


def test_a_close_is_refused_for_review_while_it_runs_or_was_changed(day: Day) -> None:
    day.processed()
    over(day)
    close = day.close().close
    with pytest.raises(StaleVersion):
        signing.submit_close(
            close_reference=close.reference,
            close_version=close.version + 1,
            comment="",
            actor="user:x",
            now=clock.now(),
        )
    leases.take(close)
    with pytest.raises(leases.CloseBusy):
        submit()


def test_the_reviewer_signs_what_the_preparer_signed_and_nothing_else(day: Day) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    day.plant("UPDATE reconciliation_closesignature SET files = files || %s::jsonb", '{"ledger.csv": "0"}')
    with pytest.raises(signing.RecordsChanged, match="the preparer signed"):
        sign()
    assert CloseRun.objects.get().state == "in_review"
    assert not periods.is_locked("test", DATE)


def test_the_houses_endpoint_hears_of_a_signed_close_and_an_operators_does_not(day: Day) -> None:
    house = operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())
    for operator_id in (house.pk, day.desk.caller.operator_id):
        make_endpoint(f"https://hooks.example.com/{operator_id}", topics=["close.signed"], operator_id=operator_id)
    day.processed()
    close = locked(day)
    drains.drain("relay")
    delivery = Delivery.objects.get()
    assert delivery.operator_id == house.pk
    event = Event.objects.get(pk=delivery.event_id)
    assert (event.topic, event.payload["close_id"], event.payload["business_date"]) == (
        "close.signed",
        close.reference,
        DATE.isoformat(),
    )
    assert event.payload["ledger_root"] == close.ledger_root


def test_the_house_hears_of_a_signed_close_that_was_made_before_it_was(day: Day) -> None:
    day.processed()
    over(day)
    assert day.close().close.operator_id is None
    house = operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())
    make_endpoint("https://hooks.example.com/house", topics=["close.signed"], operator_id=house.pk)
    submit()
    assert sign().operator_id == house.pk
    drains.drain("relay")
    event = Event.objects.get(pk=Delivery.objects.get().event_id)
    assert (event.topic, event.operator_id) == ("close.signed", house.pk)
