"""Review, signatures, lock and reopening: what is signed is what was run, by two people, and stays the same bytes."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db import transaction as db_transaction
from django_fsm import TransitionNotAllowed

from ledger import journal, periods
from ledger.controls import clock, drains
from ledger.controls.approvals import SelfApproval
from ledger.controls.moves import Change, IllegalMove, PeriodLocked, StaleVersion, Why, move
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft
from ledger.models import Approval, Event, Move, Period, PeriodChange
from ledger.money import Money
from orders.models import Order, ReviewCase
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from reconciliation import (
    artifact_files,
    artifact_zip,
    close_runs,
    day_movements,
    leases,
    making_again,
    marks,
    proving,
    reopening,
    signing,
    transitions,
)
from reconciliation.checklist import TEXTS, checklist_of
from reconciliation.exception_approvals import NotApprovable, approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, CloseSignature, DayMovement, ExceptionCase
from reconciliation.windows import Parameters, Window, window_of
from tests.orders.desk import reloaded, trade_of
from tests.reconciliation.day import DATE, Day
from tests.webhooks.edge import make_endpoint
from wallets import operators
from webhooks.models import Delivery

pytestmark = pytest.mark.usefixtures("database")

PREPARER, REVIEWER = "user:fiona", "user:frank"


def _over(day: Day) -> None:
    """Move the clock past the date's grace."""
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5) + timedelta(days=1))


def _submit(actor: str = PREPARER) -> CloseRun:
    close = CloseRun.objects.get()
    return signing.submit_close(
        close_reference=close.reference, close_version=close.version, comment="ok", actor=actor, now=clock.now()
    )


def _sign(actor: str = REVIEWER) -> CloseRun:
    """Sign once a worker has proved the files; another finishes what is locked."""
    proving.prove(CloseRun.objects.get(business_date=DATE))
    close = _only_sign(actor)
    signing.finish_locked(close)
    return CloseRun.objects.get(pk=close.pk)


def _only_sign(actor: str = REVIEWER) -> CloseRun:
    close = CloseRun.objects.get(business_date=DATE)
    return signing.sign_close(
        close_reference=close.reference, close_version=close.version, comment="agreed", actor=actor
    )


def _locked(day: Day) -> CloseRun:
    _over(day)
    day.close()
    _submit()
    return _sign()


def _files(day: Day) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (day.files / "test" / DATE.isoformat()).iterdir()}


def test_the_houses_endpoint_hears_of_a_signed_close_and_an_operators_does_not(day: Day) -> None:
    house = operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())
    for operator_id in (house.pk, day.desk.caller.operator_id):
        make_endpoint(f"https://hooks.example.com/{operator_id}", topics=["close.signed"], operator_id=operator_id)
    day.processed()
    close = _locked(day)
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
    _over(day)
    assert day.close().close.operator_id is None
    house = operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())
    make_endpoint("https://hooks.example.com/house", topics=["close.signed"], operator_id=house.pk)
    _submit()
    assert _sign().operator_id == house.pk
    drains.drain("relay")
    event = Event.objects.get(pk=Delivery.objects.get().event_id)
    assert (event.topic, event.operator_id) == ("close.signed", house.pk)


def test_two_people_sign_and_the_date_is_locked(day: Day) -> None:
    order = day.processed()
    close = _locked(day)
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
    manifest = json.loads(_files(day)["manifest.json"])
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
    _locked(day)
    now, draft = clock.now(), _adjustment(before)
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


def _adjustment(effective_at: object) -> Draft:
    return Draft(
        event_type="POOL_FUNDING",
        key="late-funding",
        subject="pool:EUR-USDT",
        amounts={"amount": Money(100, "EUR")},
        accounts={"world": "@world", "pool": "pools:EUR-USDT"},
        effective_at=effective_at,  # type: ignore[arg-type]  # a datetime
    )


def test_preparer_and_reviewer_are_different_people(day: Day) -> None:
    day.processed()
    _over(day)
    day.close()
    _submit()
    with pytest.raises(SelfApproval):
        _sign(PREPARER)
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
        _over(day)
    early = when.startswith("the")
    with pytest.raises(signing.TooEarly if early else signing.RunFirst):
        _submit()
    assert CloseRun.objects.get().state == "open"
    assert CloseSignature.objects.count() == 0


def test_a_close_is_refused_for_review_while_it_runs_or_was_changed(day: Day) -> None:
    day.processed()
    _over(day)
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
        _submit()


def test_the_checklist_has_the_seeds_points_and_blocks_until_each_exception_is_approved(day: Day) -> None:
    order, quoteless = day.processed(), day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    _over(day)
    day.close()
    close = CloseRun.objects.get()
    checklist = checklist_of(close)
    assert (
        [point.text for point in checklist.points]
        == [
            "Every terminal trade has a ledger entry or approved exception.",
            "Every ledger entry joins to a trade, quote, and partner order.",
            "Amounts are compared as exact decimal strings/minor units.",
            "Webhook gaps are reconciled with trusted status reads.",
            "Exceptions have owners and next review dates.",
        ]
        == list(TEXTS.values())
    )
    assert [point.passes for point in checklist.points] == [True, False, True, True, True]
    assert checklist.points[0].figures.startswith("2 terminal trades")
    with pytest.raises(signing.ChecklistIncomplete, match="point 2"):
        _submit()
    with pytest.raises(TransitionNotAllowed):
        close.submit()

    _approve(ExceptionCase.objects.get())
    with pytest.raises(signing.RunFirst):
        _submit()  # its files do not say yet that it was approved
    day.close()
    assert checklist_of(CloseRun.objects.get()).complete
    _submit()
    _sign()
    (told,) = day.rows("exceptions.csv")
    assert (told["state"], told["owner"], told["resolution"]) == ("approved", "fiona", "Approved by frank: a test")
    assert reloaded(quoteless).reconciliation_state == "closed"
    assert reloaded(order).reconciliation_state == "closed"


def _approve(case: ExceptionCase) -> None:
    case = assign_case(
        case_reference=case.reference,
        owner="fiona",
        next_review_on=DATE + timedelta(days=9),
        actor=PREPARER,
        now=clock.now(),
    )
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="a test", maker=PREPARER, now=clock.now()
    )
    with pytest.raises(SelfApproval):
        approve_exception(case_reference=case.reference, reason="a test", checker=PREPARER, now=clock.now())
    approve_exception(case_reference=case.reference, reason="a test", checker=REVIEWER, now=clock.now())


def test_an_exception_without_an_owner_blocks_the_fifth_point(day: Day) -> None:
    quoteless = day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    _over(day)
    day.close()
    _approve(ExceptionCase.objects.get())
    day.plant("UPDATE reconciliation_exceptioncase SET owner = ''")
    day.close()
    checklist = checklist_of(CloseRun.objects.get())
    assert [point.number for point in checklist.points if not point.passes] == [5]
    with pytest.raises(signing.ChecklistIncomplete, match="point 5"):
        _submit()


def test_a_ledger_row_without_terminal_trade_holds_the_close_and_cannot_be_approved(day: Day) -> None:
    day.in_review()
    _over(day)
    day.close()
    case = ExceptionCase.objects.get()
    case = assign_case(
        case_reference=case.reference,
        owner="f",
        next_review_on=DATE + timedelta(days=5),
        actor="user:f",
        now=clock.now(),
    )
    with pytest.raises(NotApprovable):
        propose_approval(
            case_reference=case.reference, case_version=case.version, reason="x", maker="user:f", now=clock.now()
        )
    assert Approval.objects.count() == 0
    with pytest.raises(TransitionNotAllowed):
        case.approve()
    with pytest.raises(signing.ChecklistIncomplete, match="point 1"):
        _submit()


def test_files_of_a_locked_date_are_the_same_bytes_after_a_trade_was_returned(day: Day) -> None:
    order = day.processed()
    day.failed()
    _locked(day)
    before = _files(day)
    package = b"".join(artifact_zip.stream(CloseRun.objects.get()))
    day.desk.later(days=3)
    found = return_trade(trade_reference=trade_of(order).reference, reason="told", actor="user:lena", now=clock.now())
    case = ReviewCase.objects.get(subject=found.reference)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="adjust",
        reason="the venue says so",
        actor="user:olga",
        now=clock.now(),
    )
    assert trade_of(order).state == "returned"
    close = CloseRun.objects.get(business_date=DATE)
    _, differing = making_again.compare(close)
    assert differing == frozenset()
    for path in (day.files / "test" / DATE.isoformat()).iterdir():
        path.unlink()
    with pytest.raises(artifact_zip.FilesMissing):
        artifact_zip.stream(close)
    making_again.restore(close)
    assert _files(day) == before
    assert b"".join(artifact_zip.stream(close)) == package
    names = zipfile.ZipFile(io.BytesIO(package)).namelist()
    assert sorted(names) == sorted(before)


def test_a_late_record_before_the_signature_is_found_and_nothing_is_locked(day: Day) -> None:
    day.processed()
    _over(day)
    day.close()
    _submit()
    with db_transaction.atomic():
        effective = clock.now() - timedelta(hours=12)
        journal.post_all(environment="test", drafts=[_adjustment(effective)], now=clock.now())
    with pytest.raises(signing.RecordsChanged):
        _sign()
    close = CloseRun.objects.get()
    assert close.state == "in_review"
    assert not periods.is_locked("test", DATE)
    signing.send_back(
        close_reference=close.reference, close_version=close.version, reason="late", actor=REVIEWER, now=clock.now()
    )
    day.close()
    _submit()
    assert _sign().state == "locked"
    assert any(row["ledger_key"] == "late-funding" for row in day.rows("ledger.csv"))


def test_what_comes_between_making_again_and_the_lock_is_found(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed()
    _over(day)
    day.close()
    _submit()
    really = making_again.compare

    def and_then_late(close: CloseRun) -> object:
        found = really(close)
        with db_transaction.atomic():
            effective = clock.now() - timedelta(hours=12)
            journal.post_all(environment="test", drafts=[_adjustment(effective)], now=clock.now())
        return found

    monkeypatch.setattr(making_again, "compare", and_then_late)
    with pytest.raises(signing.RecordsChanged):
        _sign()
    assert CloseRun.objects.get().state == "in_review"
    assert not periods.is_locked("test", DATE)
    assert CloseSignature.objects.count() == 1


def test_a_run_that_stalled_does_not_overwrite_what_was_submitted_meanwhile(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    day.processed()
    _over(day)
    day.close()
    place = day.files / "test" / DATE.isoformat()
    before = {path.name: path.stat().st_ino for path in place.iterdir()}
    really = marks.mark_orders

    def stall(**given: Any) -> None:
        really(**given)
        day.desk.later(minutes=16)
        _submit()

    monkeypatch.setattr(marks, "mark_orders", stall)
    with pytest.raises(leases.LeaseLost):
        day.close()
    close = CloseRun.objects.get()
    assert (close.state, close.runs, close.attempts, close.available_at) == ("in_review", 1, 0, clock.now())
    assert {path.name: path.stat().st_ino for path in place.iterdir()} == before
    assert _sign().state == "locked"


@pytest.mark.parametrize("state", ["open", "in_review"])
def test_a_lease_is_of_an_open_close_only(state: str, day: Day) -> None:
    close = close_runs.ensure(environment="test", business_date=DATE)
    token = leases.take(close)
    day.plant("UPDATE reconciliation_closerun SET state = %s", state)
    if state == "open":
        leases.keep(close, token)
        leases.finish(close, token, available_at=None)
    else:
        with pytest.raises(leases.LeaseLost):
            leases.keep(close, token)
        with pytest.raises(leases.LeaseLost):
            leases.finish(close, token, available_at=None)
        leases.give_up(close, token, ZeroDivisionError())
    found = CloseRun.objects.get()
    assert (found.runs, found.attempts) == (1 if state == "open" else 0, 0)


def test_the_reviewer_signs_what_the_preparer_signed_and_nothing_else(day: Day) -> None:
    day.processed()
    _over(day)
    day.close()
    _submit()
    day.plant("UPDATE reconciliation_closesignature SET files = files || %s::jsonb", '{"ledger.csv": "0"}')
    with pytest.raises(signing.RecordsChanged, match="the preparer signed"):
        _sign()
    assert CloseRun.objects.get().state == "in_review"
    assert not periods.is_locked("test", DATE)


def test_reopening_takes_two_people_and_leaves_a_trace(day: Day) -> None:
    order = day.processed()
    close = _locked(day)
    with pytest.raises(reopening.ReopeningReasonMissing):
        reopening.propose_reopening(close_reference=close.reference, reason=" ", maker="user:a", now=clock.now())
    with pytest.raises(periods.NoProposal):
        reopening.approve_reopening(close_reference=close.reference, reason="x", checker="user:b", now=clock.now())
    reopening.propose_reopening(close_reference=close.reference, reason="wrong rate", maker="user:a", now=clock.now())
    with pytest.raises(reopening.ReopeningProposed):
        reopening.propose_reopening(close_reference=close.reference, reason="again", maker="user:c", now=clock.now())
    with pytest.raises(SelfApproval):
        reopening.approve_reopening(close_reference=close.reference, reason="x", checker="user:a", now=clock.now())
    assert CloseRun.objects.get().state == "locked"
    reopening.approve_reopening(close_reference=close.reference, reason="agreed", checker="user:b", now=clock.now())
    close = CloseRun.objects.get()
    assert (close.state, close.preparer, close.reviewer) == ("open", "", None)
    assert not periods.is_locked("test", DATE)
    assert reloaded(order).reconciliation_state == "open"
    move = Move.objects.filter(subject=close.reference).latest("id")
    assert (move.from_state, move.to_state, move.actor) == ("locked", "open", "user:b")
    assert move.evidence is not None
    assert (move.evidence["proposed_by"], move.evidence["proposed"], move.evidence["reason"]) == (
        *("user:a", "wrong rate", "agreed"),
    )
    assert list(PeriodChange.objects.order_by("version").values_list("action", "actor")) == [
        *(("locked", REVIEWER), ("unlocked", "user:b")),
    ]
    assert CloseSignature.objects.count() == 2  # they stay
    assert drains.drain("closes") == 1
    _submit()
    assert _sign().state == "locked"
    assert CloseSignature.objects.count() == 4
    assert reloaded(order).reconciliation_state == "closed"


def test_only_a_locked_close_is_opened_by_two_people_and_only_one_in_review_is_sent_back(day: Day) -> None:
    day.processed()
    _over(day)
    close = day.close().close
    refused: list[type[Refusal]] = []
    for attempt in (
        lambda: reopening.propose_reopening(close_reference=close.reference, reason="x", maker="u", now=clock.now()),
        lambda: signing.send_back(
            close_reference=close.reference, close_version=close.version, reason="x", actor="u", now=clock.now()
        ),
        lambda: _sign(),
    ):
        with pytest.raises(Refusal) as caught:
            attempt()
        refused.append(type(caught.value))
    assert refused == [reopening.NotLocked, signing.NotUnderReview, signing.NotUnderReview]


def test_orders_are_closed_by_the_schedule_when_it_failed_at_first(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    order = day.processed()
    _over(day)
    day.close()
    _submit()
    drains.drain("closes")  # proves it
    assert _only_sign().state == "locked"
    assert reloaded(order).reconciliation_state == "matched"
    monkeypatch.setattr(marks, "close_orders", _die)
    drains.drain("closes")
    assert reloaded(order).reconciliation_state == "matched"
    monkeypatch.undo()
    day.desk.later(minutes=2)
    drains.drain("closes")
    assert reloaded(order).reconciliation_state == "closed"
    assert CloseRun.objects.get(business_date=DATE).available_at is None


def test_a_signature_makes_no_file_and_waits_for_the_proof(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed()
    _over(day)
    day.close()
    _submit()
    with pytest.raises(signing.NotProved):
        _only_sign()
    assert not periods.is_locked("test", DATE)
    assert CloseSignature.objects.count() == 1
    with monkeypatch.context() as broken:
        broken.setattr(making_again, "compare", _die)
        with pytest.raises(ZeroDivisionError):
            proving.prove(CloseRun.objects.get())
    with pytest.raises(signing.NotProved):
        _only_sign()
    assert proving.prove(CloseRun.objects.get())
    monkeypatch.setattr(artifact_files, "make", _die)
    assert _only_sign().state == "locked"


def test_a_proof_is_of_its_run_alone(day: Day) -> None:
    day.processed()
    _over(day)
    day.close()
    stale = _submit()
    close = CloseRun.objects.get()
    signing.send_back(
        close_reference=close.reference, close_version=close.version, reason="again", actor=REVIEWER, now=clock.now()
    )
    assert not proving.prove(stale)
    day.close()
    _submit()
    assert CloseRun.objects.get().proof == {}
    with pytest.raises(signing.NotProved):
        _only_sign()


def test_a_balance_is_checked_from_the_last_locked_date_and_comes_to_the_same(day: Day) -> None:
    """The kept sums and what came since are the fold of every posting; what is wrong is found all the same."""
    day.processed()
    day.in_review()
    held = day.desk.order()
    _over(day)
    close = day.close().close
    day.plant("UPDATE reconciliation_closerun SET state = 'locked' WHERE id = %s", close.pk)
    signing.finish_locked(CloseRun.objects.get(pk=close.pk))
    assert DayMovement.objects.filter(close_reference=close.reference).exists()
    day.desk.drive(passes=3, pause=timedelta(seconds=1))  # ends a hold of the kept date, in the next
    assert reloaded(held).state == "failed"
    tomorrow = DATE + timedelta(days=1)
    window = window_of(environment="test", business_date=tomorrow)
    kept = day_movements.kept_before(window)
    assert (kept["kept_from"], kept["kept_to"]) == (close.window_from, close.window_to)
    whole = _sums(window, {"kept_from": "-infinity", "kept_to": "-infinity"})
    since = _sums(window, kept)
    assert set(since) < set(whole)
    for row in DayMovement.objects.all():
        four = (row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending)
        before = since.get(row.account_id, (0, 0, 0, 0))
        since[row.account_id] = tuple(map(sum, zip(before, four, strict=True)))
    assert since == whole
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] == 0
    day.plant("UPDATE reconciliation_daymovement SET debits_posted = debits_posted + 1")
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] == 0, (
        "whoever disagrees is summed from the first posting"
    )
    day.plant("UPDATE ledger_account SET credits_posted = credits_posted + 5 WHERE address LIKE 'pools:%%'")
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] > 0


def _sums(window: Window, kept: Parameters) -> dict[int, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(day_movements.SINCE, {**window.parameters(), **kept})
        return {row[0]: tuple(row[1:5]) for row in cursor.fetchall()}


def test_kept_dates_count_only_in_an_unbroken_run(day: Day) -> None:
    for offset in range(4):
        close_runs.ensure(environment="test", business_date=DATE - timedelta(days=offset))
    kept = CloseRun.objects.exclude(business_date=DATE - timedelta(days=2))
    day.plant(
        "UPDATE reconciliation_closerun SET state = 'locked', movements_kept_at = window_to WHERE id = ANY(%s)",
        list(kept.values_list("pk", flat=True)),
    )
    after = window_of(environment="test", business_date=DATE + timedelta(days=1))
    found = day_movements.kept_before(after)
    assert found["kept_from"] == window_of(environment="test", business_date=DATE - timedelta(days=1)).start
    assert found["kept_to"] == after.start
    within = day_movements.kept_before(window_of(environment="test", business_date=DATE - timedelta(days=3)))
    assert within == {"kept_from": "-infinity", "kept_to": "-infinity"}


def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_an_order_is_closed_with_the_day_in_which_it_ended(day: Day) -> None:
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=23, minute=59, second=59))
    late = day.desk.order()
    day.after_midnight()
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(late).state == "processed"
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5))
    day.close()
    _submit()
    _sign()
    assert Order.objects.get().reconciliation_state == "matched"


def test_moving_past_the_checklist_is_not_possible(day: Day) -> None:
    quoteless = day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    _over(day)
    day.close()
    day.plant("UPDATE reconciliation_closerun SET state = 'in_review', preparer = %s", PREPARER)
    with pytest.raises(IllegalMove), db_transaction.atomic():
        transitions.sign_and_lock(CloseRun.objects.get(), values={}, why=Why("x", "x"), now=clock.now())
    with pytest.raises(signing.ChecklistIncomplete):
        _sign()
