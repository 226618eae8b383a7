"""Every resolution of a sell's review, decided by two people in Chromium against a live server."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from orders.models import ReviewCase
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]


@dataclass(frozen=True)
class Decision:
    resolution: str
    credit: list[Step | None]
    shows: str
    """What its dialog says will happen."""
    ends_in: str
    trade: str
    asks: int


DECISIONS = [
    Decision(
        "credit_proven",
        [lost_after, server_error, server_error, server_error, None],
        "operators:acme:due",
        "processed",
        "settled",
        1,
    ),
    Decision("credit_again", [declined, None], ":credit:v2", "processed", "settled", 2),
    Decision("settled_outside", [declined, None], "operators:acme:due", "processed", "settled", 1),
    Decision(
        "unwind",
        [lost_before, None],
        "positions:acme:alice",
        "failed",
        "returned",
        1,
    ),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda one: one.resolution)
def test_two_people_decide_about_a_credit_in_the_browser(
    decision: Decision, live_url: str, browser: Browser, desk: Desk, person: Callable[[str, str], User]
) -> None:
    desk.holding("400.00")
    desk.wallet.legs = {"credit": list(decision.credit)}
    order = desk.sell("300.00")
    desk.drive(passes=12)
    case = open_case(order)
    name = decision.resolution
    people = person("olga", "ops"), person("lena", "ops lead")

    ops = _sign_in(browser, live_url, people[0])
    ops.goto(f"{live_url}/console/review/{case.reference}/")
    ops.click("#look-up")
    ops.wait_for_selector("text=The lookup says:")
    ops.click(f"#open-{name}")
    assert decision.shows in ops.inner_text(f"#dialog-{name}")
    ops.fill(f"#reason-{name}", "as the lookup shows")
    if name == "settled_outside":
        ops.fill(f"#agreement-{name}", "their letter of 14 March")
    ops.click(f"#do-{name}")
    ops.wait_for_selector("text=a second person has to approve it")
    assert ReviewCase.objects.get(pk=case.pk).state == "proposed"

    lead = _sign_in(browser, live_url, people[1])
    lead.goto(f"{live_url}/console/review/{case.reference}/")
    assert decision.shows in lead.inner_text("#proposed"), "who approves sees what it does"
    assert lead.is_visible("#agreement") == (name == "settled_outside")
    lead.fill("#approve-reason", "agreed")
    lead.click("#approve")
    lead.wait_for_selector("text=Approved and carried out")
    assert ReviewCase.objects.get(pk=case.pk).state == "resolved"
    desk.drive(passes=2)
    assert (reloaded(order).state, trade_of(order).state) == (decision.ends_in, decision.trade)
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == decision.asks
