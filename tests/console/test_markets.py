"""Markets in the console: one ops lead proposes what came true, another approves; nobody else may, and no GET does."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.models import Approval, Move, Posting
from orders.models import Market, Pool
from tests.orders.desk import Desk

pytestmark = pytest.mark.usefixtures("database", "desk")

SignIn = Callable[[str, str], Client]
_OPENING = {
    "environment": "test",
    "market": "RAIN-2026",
    "question": "Will it rain?",
    "asset": "EUR",
    "funding": "1000.00",
    "minimum": "1.00",
    "maximum": "500.00",
}
_OPERATIONS = ("open-market", "close-market", "propose-outcome", "approve-outcome", "refuse-outcome", "fund-maker")


def _do(client: Client, name: str, **form: str) -> str:
    answer = client.post(reverse("admin:operation", args=[name]), form)
    assert answer.status_code == 200
    return answer.content.decode()


def test_two_leads_open_close_and_resolve_a_market(signed_in: SignIn, desk: Desk) -> None:
    lena, lou = signed_in("lena", "ops lead"), signed_in("lou", "ops lead")
    assert "RAIN-2026 is open, at an even price." in _do(lena, "open-market", **_OPENING)
    assert "There is a market with this code already." in _do(lena, "open-market", **_OPENING)
    market = {"market": "test RAIN-2026"}
    assert "A reason is needed." in _do(lena, "close-market", **market)
    assert "takes no more trades" in _do(lena, "close-market", **market, reason="the day is over")
    assert "A resolution needs its evidence." in _do(lena, "propose-outcome", **market, price_yes="1")
    proposed = _do(lena, "propose-outcome", **market, price_yes="1", evidence="the weather office")
    assert "another ops lead has to approve it" in proposed
    assert "Maker and checker must be different people." in _do(lena, "approve-outcome", **market, reason="mine")
    assert Market.objects.get().state == "closed"
    assert "RAIN-2026 is resolved." in _do(lou, "approve-outcome", **market, reason="checked")
    found = Market.objects.get()
    assert (found.state, str(found.price_yes), found.evidence) == ("resolved", "1.000000", "the weather office")
    approval = Approval.objects.get(subject=found.reference)
    assert (approval.maker, approval.checker, approval.decision) == ("user:lena", "user:lou", "approved")
    assert [move.actor for move in Move.objects.filter(subject=found.reference).order_by("sequence")] == [
        *("user:lena", "user:lena", "user:lou"),
    ]
    assert LogEntry.objects.filter(object_id="test RAIN-2026").count() == 3
    assert "RAIN-2026" in lena.get(reverse("admin:orders_market_changelist")).content.decode()


def test_a_refused_proposal_leaves_the_market_closed(signed_in: SignIn, desk: Desk) -> None:
    lena, lou = signed_in("lena", "ops lead"), signed_in("lou", "ops lead")
    market = {"market": "test RAIN-2026"}
    _do(lena, "open-market", **_OPENING)
    assert "has more funds" in _do(lena, "fund-maker", **market, funding="50.00")
    assert "There is no market" in _do(lena, "fund-maker", market="test NOBODY", funding="50.00")
    _do(lena, "close-market", **market, reason="over")
    _do(lena, "propose-outcome", **market, price_yes="void", evidence="the office burnt down")
    assert "is off" in _do(lou, "refuse-outcome", **market, reason="it did not")
    assert "No proposal for this market waits" in _do(lou, "approve-outcome", **market, reason="x")
    assert Market.objects.get().state == "closed"


@pytest.mark.parametrize("role", ["support", "ops", "finance lead", "auditor", "admin"])
def test_other_roles_run_no_market(role: str, signed_in: SignIn, desk: Desk) -> None:
    client = signed_in("somebody", role)
    postings = Posting.objects.count()
    for name in _OPERATIONS:
        assert client.get(reverse("admin:operation", args=[name])).status_code == 403
        assert client.post(reverse("admin:operation", args=[name]), _OPENING).status_code == 403
    assert (Market.objects.count(), Posting.objects.count()) == (0, postings)


def test_looking_at_a_dialog_changes_nothing(signed_in: SignIn, desk: Desk) -> None:
    lena = signed_in("lena", "ops lead")
    pools, moves = Pool.objects.count(), Move.objects.count()
    for name in _OPERATIONS:
        assert lena.get(reverse("admin:operation", args=[name]), _OPENING).status_code == 200
    assert (Market.objects.count(), Pool.objects.count(), Move.objects.count()) == (0, pools, moves)
