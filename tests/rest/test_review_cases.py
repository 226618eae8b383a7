"""Review cases over REST, for the house's scope `support`."""

from datetime import timedelta

import pytest

from ledger.controls import clock, drains
from ledger.controls.clock import DatabaseClock, FixedClock
from orders.models import ReviewCase
from orders.operations import review_case
from reconciliation import shapes
from tests.orders.wallet import ScriptedWallet, lost_after, lost_before
from tests.rest.calls import Api, ordered
from tests.rest.conftest import Shop, open_house
from tests.reviewers import reviewer


@pytest.fixture
def house(pools: None) -> Api:
    return open_house()


def _stopped(shop: Shop, fixed: FixedClock, *, amount: str = "100.00") -> ReviewCase:
    """Have an order end in manual review, since nobody knows whether it was debited."""
    order = ordered(shop.api, source_amount=amount)["order_id"]
    for _ in range(12):
        drains.drain("sagas")
        fixed.move_to(fixed.now() + timedelta(seconds=30))
    return ReviewCase.objects.get(subject=order)


def test_a_case_is_read_with_its_deadline_evidence_and_history(shop: Shop, house: Api, wallet: ScriptedWallet) -> None:
    wallet.script = [lost_after, lost_before]
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        case = _stopped(shop, fixed)
        listed = house.get("/v1/review-cases").json
        assert [row["review_case_id"] for row in listed["data"]] == [case.reference]
        (row,) = listed["data"]
        assert (row["status"], row["reason"], row["owner"], row["overdue"]) == ("open", "debit_unknown", None, False)
        assert (row["amount"], row["asset"], row["order_id"]) == ("100.00", "EUR", case.subject)
        reviewer("olga")
        review_case.assign_case(case_reference=case.reference, owner="olga", actor="user:olga", now=fixed.now())
        review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=fixed.now())
        told = house.get(f"/v1/review-cases/{case.reference}").json
        assert (told["status"], told["owner"]) == ("assigned", "olga")
        assert told["next_review_on"] is not None
        assert [(one["idempotency_key"], one["status"], one["attempts"]) for one in told["evidence"]] == [
            (f"{case.subject}:debit:v1", "unknown", 5)
        ]
        assert [(one["kind"], one["what"]) for one in told["history"]] == [
            ("move", "open"),
            ("move", "assigned"),
            ("note", f"Looked up {case.subject}:debit:v1: unknown timeout."),
        ]
        offered = {one["resolution"]: one["allowed"] for one in told["resolutions"]}
        assert offered["debit_proven"] is False
        assert set(told) == set(shapes.ReviewCaseDetail().fields)
        assert set(row) == set(shapes.ReviewCaseAnswer().fields)
        fixed.move_to(fixed.now() + timedelta(hours=4))
        assert house.get(f"/v1/review-cases/{case.reference}").json["overdue"] is True


def test_cases_are_filtered_and_paged(shop: Shop, house: Api, wallet: ScriptedWallet) -> None:
    wallet.script = [lost_before]
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        cases = [_stopped(shop, fixed, amount=f"{n}0.00").reference for n in (2, 3, 4)]
        reviewer("olga")
        review_case.assign_case(case_reference=cases[0], owner="olga", actor="user:olga", now=fixed.now())

        def found(query: str) -> list[str]:
            return [row["review_case_id"] for row in house.get(f"/v1/review-cases{query}").json["data"]]

        assert found("?status=assigned") == found("?owner=olga") == [cases[0]]
        assert found("?reason=debit_unknown") == cases[::-1]
        assert found("?reason=credit_unknown") == found("?overdue=true") == []
        assert found(f"?subject={ReviewCase.objects.get(reference=cases[1]).subject}") == [cases[1]]
        first = house.get("/v1/review-cases?limit=2").json
        second = house.get(f"/v1/review-cases?limit=2&after={first['next']}").json
        assert [row["review_case_id"] for row in (*first["data"], *second["data"])] == cases[::-1]
        assert second["next"] is None
        fixed.move_to(fixed.now() + timedelta(hours=5))
        assert found("?overdue=true") == cases[::-1]


@pytest.mark.parametrize(
    "query", ["status=stuck", "limit=0", "overdue=maybe", "owner=", "after=nonsense", "status=open&status=open", "x=1"]
)
def test_a_bad_query_is_refused(house: Api, query: str) -> None:
    answer = house.get(f"/v1/review-cases?{query}")
    assert (answer.status, answer.code) in ((400, "malformed"), (400, "malformed_cursor"))


def test_a_case_of_the_other_book_is_not_found(shop: Shop, house: Api, wallet: ScriptedWallet) -> None:
    wallet.script = [lost_before]
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        case = _stopped(shop, fixed)
        live = open_house(environment="live")
        assert live.get("/v1/review-cases").json == {"data": [], "next": None}
        answer = live.get(f"/v1/review-cases/{case.reference}")
        assert (answer.status, answer.code) == (404, "not_found")


def test_a_page_of_cases_takes_few_queries(
    shop: Shop, house: Api, wallet: ScriptedWallet, django_assert_max_num_queries: object
) -> None:
    wallet.script = [lost_before]
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        for _ in range(6):
            _stopped(shop, fixed, amount="20.00")
        with django_assert_max_num_queries(8):  # type: ignore[operator]  # pytest-django's fixture
            assert len(house.get("/v1/review-cases").json["data"]) == 6
