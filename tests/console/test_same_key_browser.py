"""What was proven absent is asked again under the same key: of a buy, a sell and a return, by two people in Chromium."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from ledger.controls import clock
from orders.models import ApprovalThreshold, Order, Return, ReviewCase
from orders.operations import review_case
from tests.console.test_browser import _sign_in, browser, live_url
from tests.console.test_review_browser import Decision as ReturnDecision
from tests.console.test_review_browser import _approve, _case_of, _open, _propose, _returned
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import lost_before, server_error
from wallets.models import Gateway, RemoteOperation

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

_ABSENT = [lost_before, server_error, server_error, server_error, None]


@dataclass(frozen=True)
class Again:
    """A movement that the wallet never got, though it was asked for it."""

    resolution: str
    leg: str
    begin: Callable[[Desk], Order | Return]
    ends_in: str
    others: tuple[str, ...] = ()
    """Resolutions that this evidence forbids."""


def _compensated(desk: Desk) -> Order:
    return desk.order("300.00", user="magic-halt.alice")


def _sold(desk: Desk) -> Order:
    desk.holding("400.00", user="bob")
    return desk.sell("300.00", user="bob")


def _given_back(desk: Desk) -> Return:
    before = ("adjust", "give_back")
    return _returned(desk, ReturnDecision("give_back_again", "", "", [], credit=list(_ABSENT), before=before))


AGAIN = [
    Again(
        *("give_back_again", "credit", _given_back, "given_back"),
        others=("given_back_proven", "give_back", "keep"),
    ),
    Again("credit_again", "credit", _sold, "processed", others=("credit_proven", "settled_outside")),
    Again(
        *("compensate_again", "reverse", _compensated, "compensated"),
        others=("compensation_proven", "compensation_settled_outside", "debit_proven", "debit_absent"),
    ),
]


def test_two_people_have_what_is_absent_asked_again_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: Callable[[str, str], User]
) -> None:
    """One sign-in of each for all three. The buy comes last: its magic word halts the pool."""
    ApprovalThreshold.objects.update(amount_minor=1)
    Gateway.objects.update(not_found_horizon_ms=1_000, breaker_failures=1_000)
    ops = _sign_in(browser, live_url, person("olga", "ops"))
    lead = _sign_in(browser, live_url, person("lena", "ops lead"))
    for one in AGAIN:
        desk.wallet.legs = {one.leg: list(_ABSENT)}
        subject = one.begin(desk)
        if isinstance(subject, Order):
            desk.wallet.legs = {one.leg: list(_ABSENT)}
            desk.drive(passes=15)
        case = open_case(subject) if isinstance(subject, Order) else _case_of(subject)
        review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
        _open(ops, live_url, case)
        for other in one.others:
            assert ops.is_disabled(f"#open-{other}"), other
        dialog = ops.text_content(f"#dialog-{one.resolution}") or ""
        assert f":{one.leg}:v1" in dialog, one.resolution
        assert f":{one.leg}:v2" not in dialog, one.resolution
        _propose(ops, one.resolution, f":{one.leg}:v1")
        _approve(lead, live_url, case)
        assert ReviewCase.objects.get(pk=case.pk).state == "resolved"
        desk.drive(passes=3)
        key = f"{subject.reference}:{one.leg}:v1"
        assert [asked for kind, asked in desk.wallet.calls if kind == "ask" and asked == key] == [key, key]
        assert not RemoteOperation.objects.filter(owner=subject.reference, leg_version__gt=1).exists()
        ended = reloaded(subject) if isinstance(subject, Order) else Return.objects.get(pk=subject.pk)
        assert ended.state == one.ends_in, one.resolution
