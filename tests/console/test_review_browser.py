"""Every resolution of a buy's review and of a return, decided in Chromium; four eyes refused there too."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.models import User
from django.db import transaction as db_transaction
from playwright.sync_api import Browser, Page

from ledger.controls import clock
from ledger.models import Approval, Posting
from orders.models import ApprovalThreshold, Order, Return, ReviewCase, Trade
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.lanes import Lanes, open_lanes
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.models import Gateway

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

People = Callable[[str, str], User]
UNKNOWN = [lost_after, server_error, server_error, server_error]


@dataclass(frozen=True)
class Decision:
    resolution: str
    shows: str
    """What its dialog says will happen."""
    ends_in: str
    asks: list[str]
    """What was asked of the wallet from first to last."""
    debit: list[Step | None] = field(default_factory=lambda: [None])
    reverse: list[Step | None] = field(default_factory=lambda: [None])
    credit: list[Step | None] = field(default_factory=lambda: [None])
    user: str = "alice"
    before: tuple[str, ...] = ()
    """Resolutions of the return that were decided before."""


BUYS = [
    Decision("debit_proven", "operators:acme:due", "processed", ["debit:v1"], debit=[*UNKNOWN, None]),
    Decision("debit_absent", "The order's hold ends with it.", "failed", ["debit:v1"], debit=[lost_before, None]),
    Decision("compensate", ":reverse:v1", "compensated", ["debit:v1", "reverse:v1"], debit=[*UNKNOWN, None]),
    Decision(
        "compensate_again",
        ":reverse:v2",
        "compensated",
        ["debit:v1", "reverse:v1", "reverse:v2"],
        reverse=[declined, None],
        user="magic-halt.alice",
    ),
    Decision(
        "compensation_proven",
        "transit:orders:acme",
        "compensated",
        ["debit:v1", "reverse:v1"],
        reverse=[*UNKNOWN, None],
        user="magic-halt.alice",
    ),
    Decision(
        "compensation_settled_outside",
        "operators:acme:due",
        "compensated",
        ["debit:v1", "reverse:v1"],
        reverse=[declined, None],
        user="magic-halt.alice",
    ),
]

RETURNS = [
    Decision("adjust", "pools:EUR-USDT", "adjusted", ["debit:v1"]),
    Decision("dismiss", "no new postings", "dismissed", ["debit:v1"]),
    Decision("give_back", ":credit:v1", "given_back", ["debit:v1", "credit:v1"], before=("adjust",)),
    Decision("keep", "operators:acme:due", "kept", ["debit:v1"], before=("adjust",)),
    Decision(
        "give_back_again",
        ":credit:v2",
        "given_back",
        ["debit:v1", "credit:v1", "credit:v2"],
        credit=[declined, None],
        before=("adjust", "give_back"),
    ),
    Decision(
        "given_back_proven",
        "operators:acme:due",
        "given_back",
        ["debit:v1", "credit:v1"],
        credit=[*UNKNOWN, None],
        before=("adjust", "give_back"),
    ),
]


def _open(page: Page, url: str, case: ReviewCase) -> None:
    page.goto(f"{url}/console/review/{case.reference}/")


def _propose(page: Page, decision: str, shows: str) -> None:
    page.click(f"#open-{decision}")
    assert shows in page.inner_text(f"#dialog-{decision}")
    page.fill(f"#reason-{decision}", "as the lookups show")
    if decision == "compensation_settled_outside":
        page.fill(f"#agreement-{decision}", "their letter of 14 March")
    page.click(f"#do-{decision}")
    page.wait_for_selector("text=a second person has to approve it")


def _approve(page: Page, url: str, case: ReviewCase) -> None:
    _open(page, url, case)
    page.fill("#approve-reason", "agreed")
    page.click("#approve")
    page.wait_for_selector("text=Approved and carried out")


def _asked(desk: Desk) -> list[str]:
    return [key.partition(":")[2] for kind, key in desk.wallet.calls if kind == "ask"]


def _by_two_people(
    decision: Decision, case: ReviewCase, url: str, browser: Browser, person: People, look: bool
) -> None:
    ops = _sign_in(browser, url, person("olga", "ops"))
    _open(ops, url, case)
    if look:
        ops.click("#look-up")
        ops.wait_for_selector("text=The lookup says:")
    _propose(ops, decision.resolution, decision.shows)
    assert ReviewCase.objects.get(pk=case.pk).state == "proposed"
    _approve(_sign_in(browser, url, person("lena", "ops lead")), url, case)
    assert ReviewCase.objects.get(pk=case.pk).state == "resolved"


@pytest.mark.parametrize("decision", BUYS, ids=lambda one: one.resolution)
def test_two_people_decide_about_a_buy_in_the_browser(
    decision: Decision, live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    desk.wallet.legs = {"debit": list(decision.debit), "reverse": list(decision.reverse)}
    order = desk.order("300.00", user=decision.user)
    desk.drive(passes=15)
    _by_two_people(decision, open_case(order), live_url, browser, person, look=True)
    desk.drive(passes=4)
    assert reloaded(order).state == decision.ends_in
    assert _asked(desk) == decision.asks


@dataclass(frozen=True)
class AtVenue:
    """A trade at an outside venue that is unknown at the cap, and what the look-up finds of it."""

    side: str
    resolution: str
    execute: Step
    shows: tuple[str, ...]
    ends_in: str
    trade: str
    asks: list[str]
    """What is asked after the decision."""

    @property
    def id(self) -> str:
        return f"{self.resolution} of a {self.side}"


AT_VENUES = [
    AtVenue(
        *("buy", "trade_proven", lost_after),
        ("is then processed", "Remote calls: none", "order.processed, trade.settled", "venues:north:clearing"),
        *("processed", "settled", []),
    ),
    AtVenue(
        *("buy", "trade_absent", lost_before),
        (":reverse:v1; release, key trd_", "order.compensation_pending, trade.released", "The order's hold ends"),
        *("compensated", "released", ["release:v1", "reverse:v1"]),
    ),
    AtVenue(
        *("sell", "trade_proven", lost_after),
        ("is then operator_credit_pending", ":credit:v1", "order.operator_credit_pending, trade.settled"),
        *("processed", "settled", ["credit:v1"]),
    ),
    AtVenue(
        *("sell", "trade_absent", lost_before),
        ("is then failed", "Remote calls: none", "order.failed, trade.released"),
        *("failed", "released", []),
    ),
]


def test_two_people_decide_about_trades_at_a_venue_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    """One sign-in of each for all four, since nothing of one is left when the next is decided."""
    ApprovalThreshold.objects.update(amount_minor=1)
    lanes = open_lanes(desk)
    Gateway.objects.update(not_found_horizon_ms=1_000, breaker_failures=1_000)
    lanes.holding(reserves=False)
    ops = _sign_in(browser, live_url, person("olga", "ops"))
    lead = _sign_in(browser, live_url, person("lena", "ops lead"))
    for one in AT_VENUES:
        order = _unknown_at_venue(lanes, one)
        case = open_case(order)
        asked = len(desk.wallet.calls)
        _open(ops, live_url, case)
        other = "trade_absent" if one.resolution == "trade_proven" else "trade_proven"
        assert ops.is_disabled(f"#open-{other}"), one.id
        dialog = ops.text_content(f"#dialog-{one.resolution}") or ""
        assert [shown for shown in one.shows if shown not in dialog] == [], one.id
        _propose(ops, one.resolution, one.shows[-1])
        _approve(lead, live_url, case)
        assert ReviewCase.objects.get(pk=case.pk).state == "resolved", one.id
        desk.drive(passes=4)
        assert (reloaded(order).state, trade_of(order).state) == (one.ends_in, one.trade), one.id
        asks = sorted(key.partition(":")[2] for kind, key in desk.wallet.calls[asked:] if kind == "ask")
        assert asks == one.asks, one.id


def _unknown_at_venue(lanes: Lanes, one: AtVenue) -> Order:
    desk = lanes.desk
    desk.wallet.legs = {"execute": [one.execute, server_error, server_error, server_error, None]}
    amount = "300.00" if one.side == "buy" else "50.000000"
    order = lanes.order(reserves=one.side == "buy", side=one.side, amount=amount)
    for _ in range(15):
        desk.drive(passes=1)
        if reloaded(order).state == "manual_review":
            break
    review_case.look_up_now(case_reference=open_case(order).reference, actor="user:olga", now=clock.now())
    return order


def _returned(desk: Desk, decision: Decision) -> Return:
    """A settled trade that its venue took back, after the decisions that came before this one."""
    desk.wallet.legs = {"credit": list(decision.credit)}
    order = desk.order("300.00")
    desk.drive(passes=2)
    found = return_trade(
        trade_reference=trade_of(order).reference, reason="their letter", actor="user:lena", now=clock.now()
    )
    for resolution in decision.before:
        case = _case_of(found)
        decided = review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution=resolution,
            reason="as they wrote",
            actor="user:omar",
            now=clock.now(),
        )
        assert not decided.resolved
        review_case.approve_resolution(
            case_reference=case.reference,
            case_version=decided.case.version,
            reason="agreed",
            actor="user:lou",
            now=clock.now(),
        )
        desk.drive(passes=15)
    return Return.objects.get(pk=found.pk)


def _case_of(found: Return) -> ReviewCase:
    return ReviewCase.objects.exclude(state="resolved").get(subject=found.reference)


@pytest.mark.parametrize("decision", RETURNS, ids=lambda one: one.resolution)
def test_two_people_decide_about_a_return_in_the_browser(
    decision: Decision, live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    found = _returned(desk, decision)
    look = decision.resolution in ("give_back_again", "given_back_proven")
    _by_two_people(decision, _case_of(found), live_url, browser, person, look=look)
    desk.drive(passes=4)
    found = Return.objects.get(pk=found.pk)
    assert found.state == decision.ends_in
    assert _asked(desk) == decision.asks
    taken_back = decision.resolution not in ("dismiss",)
    assert Trade.objects.get().state == ("returned" if taken_back else "settled")
    assert Order.objects.get().state == "processed", "an end is never changed"


def test_a_lead_reports_a_trade_that_its_venue_took_back(
    live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    order = desk.order("300.00")
    desk.drive(passes=2)
    before = Posting.objects.count()
    lead = _sign_in(browser, live_url, person("lena", "ops lead"))
    lead.goto(f"{live_url}/console/do/return-trade/")
    lead.fill("input[name=reference]", trade_of(order).reference)
    lead.click("form button:has-text('A venue took a trade back')")
    lead.wait_for_selector("text=A reason is needed")
    assert not Return.objects.exists()
    lead.fill("input[name=reference]", trade_of(order).reference)
    lead.fill("input[name=reason]", "their letter of today")
    lead.click("form button:has-text('A venue took a trade back')")
    lead.wait_for_selector("#told")
    found = Return.objects.get()
    assert (found.state, found.kind, Posting.objects.count()) == ("open", "trade_returned", before)
    lead.goto(f"{live_url}/console/review/{_case_of(found).reference}/")
    assert lead.is_visible("#open-adjust")
    assert lead.is_disabled("#open-give_back")


def _proposed(desk: Desk, page: Page, url: str) -> ReviewCase:
    desk.wallet.legs = {"debit": [lost_before, None]}
    order = desk.order("300.00")
    desk.drive(passes=12)
    case = open_case(order)
    _open(page, url, case)
    page.click("#look-up")
    page.wait_for_selector("text=The lookup says:")
    _propose(page, "debit_absent", "ends with it")
    return ReviewCase.objects.get(pk=case.pk)


def _post(page: Page, url: str, case: ReviewCase, action: str) -> str:
    """Send the form that the page does not show to its maker, as a forger would, and return the page after it."""
    page.evaluate(
        """([address, version]) => {
            const form = document.createElement("form");
            form.method = "post"; form.action = address;
            const token = document.querySelector("input[name=csrfmiddlewaretoken]").value;
            for (const [name, value] of Object.entries({csrfmiddlewaretoken: token, version: version, reason: "mine"})) {
                const field = document.createElement("input");
                field.name = name; field.value = value; form.append(field);
            }
            document.body.append(form); form.submit();
        }""",
        [f"{url}/console/review/{case.reference}/{action}/", str(case.version)],
    )
    page.wait_for_load_state("load")
    page.wait_for_timeout(300)
    return page.inner_text("body")


@pytest.mark.parametrize("role", ["ops lead", "superuser", "ops"])
def test_nobody_approves_their_own_resolution_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: People, role: str
) -> None:
    maker = person("lena", "ops lead" if role == "superuser" else role)
    if role == "superuser":
        User.objects.filter(pk=maker.pk).update(is_superuser=True)
    page = _sign_in(browser, live_url, maker)
    case = _proposed(desk, page, live_url)
    _open(page, live_url, case)
    assert "You proposed this: somebody else has to approve it." in page.inner_text("body")
    assert page.query_selector("#approve") is None
    postings = Posting.objects.count()
    said = _post(page, live_url, case, "approve")
    wanted = (
        "Your role may not approve resolutions." if role == "ops" else "Maker and checker must be different people."
    )
    assert wanted in said
    assert ReviewCase.objects.get(pk=case.pk).state == "proposed"
    assert Approval.objects.get(subject=case.reference).decision == "proposed"
    assert (Order.objects.get().state, Posting.objects.count()) == ("manual_review", postings)


def test_an_approval_of_what_was_changed_meanwhile_is_refused_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    maker = _sign_in(browser, live_url, person("olga", "ops"))
    case = _proposed(desk, maker, live_url)
    lead = _sign_in(browser, live_url, person("lena", "ops lead"))
    _open(lead, live_url, case)
    lead.fill("#approve-reason", "agreed, to what I see")
    with db_transaction.atomic():
        review_case.refuse_resolution(
            case_reference=case.reference, case_version=case.version, reason="wait", actor="user:olga", now=clock.now()
        )
    lead.click("#approve")
    lead.wait_for_selector("text=This case was changed meanwhile")
    assert Order.objects.get().state == "manual_review"
    assert ReviewCase.objects.get(pk=case.pk).state == "assigned"
    assert lead.query_selector("#approve") is None
