"""Two workers write one leg down at the same moment (a lease ran out under the first): it is one row, and both have it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ledger.money import Money
from tests.orders.desk import Desk
from tests.threads import raise_first, run_threads
from wallets import transitions
from wallets.legs import Leg, OtherContent, written_down
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _leg(desk: Desk, minor: int = 100) -> Leg:
    return Leg(
        owner="trd_1",
        name="reserve",
        gateway_id=Gateway.objects.values_list("pk", flat=True)[0],
        environment="test",
        operator_id=desk.caller.operator_id,
        amount=Money(minor, "EUR"),
        user_reference="alice",
        partner_order_id="shop-1",
    )


@pytest.fixture
def both_have_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither writes before both have seen that there is no row."""
    line = threading.Barrier(2)
    born: Callable[..., Any] = transitions.born

    def waits(*args: Any, **more: Any) -> Any:
        line.wait(10)
        return born(*args, **more)

    monkeypatch.setattr(transitions, "born", waits)


@pytest.mark.usefixtures("both_have_looked")
def test_one_row_is_both_workers(desk: Desk) -> None:
    leg = _leg(desk)
    first, second = raise_first(run_threads(lambda: written_down(leg), lambda: written_down(leg)))
    assert first.reference == second.reference == RemoteOperation.objects.get().reference


@pytest.mark.usefixtures("both_have_looked")
def test_another_content_under_the_same_key_is_refused(desk: Desk) -> None:
    ends = run_threads(lambda: written_down(_leg(desk)), lambda: written_down(_leg(desk, 200)))
    assert [type(end) for end in ends if isinstance(end, BaseException)] == [OtherContent]
    assert RemoteOperation.objects.count() == 1
