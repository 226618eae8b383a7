"""The diagram of its machine stands on the page of each order, trade and intent: state lit, path walked, moves possible."""

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from ledger.controls import machines
from tests.console.test_payouts import dead_letter, payouts
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.wallet import lost_before

__all__ = ["payouts"]

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def assert_drawn(page: str, machine: str, *, walked: list[str]) -> None:
    """Compare a page's diagram of a machine with the machine itself."""
    assert page.count(f'data-machine="{machine}"') == 1, f"no diagram of the {machine}"
    card = page[page.index(f'data-machine="{machine}"') :]
    card = card[: card.index("</svg>") + 4_000].partition('<div class="hf-card')[0]
    here = walked[-1]
    name = machine.replace("_", " ").capitalize()
    assert f"<h2>{name}: {here}</h2>" in card
    assert re.findall(r'class="state here(?: end)?"><title>([a-z_]+)', card) == [here], "the current state is lit"
    lit = set(re.findall(r'class="state walked(?: end)?"><title>([a-z_]+)', card))
    assert lit == set(walked[:-1]), "the path walked is lit"
    assert f"Walked: {' → '.join(walked)}." in card
    possible = [move.target for move in machines.named(machine).moves() if move.source == here]
    assert sorted(re.findall(r"<dt>→ ([a-z_]+)</dt>", card)) == sorted(set(possible)), "the moves possible from here"
    assert card.count('class="line possible"') == len(set(possible))
    assert ("It has ended: no move leads on." in card) == (not possible)


def test_an_orders_pages_draw_it_and_its_trade(signed_in: SignIn, desk: Desk) -> None:
    desk.wallet.script = [lost_before]
    order = desk.order("300.00")
    desk.drive(passes=12)
    desk.wallet.script = [None]
    order, done = reloaded(order), desk.order("20.00")
    desk.drive(passes=2)
    client = signed_in("olga", "ops")

    def page(name: str, *args: object) -> str:
        return client.get(reverse(name, args=args)).content.decode()

    stopped = ["queued", "processing", "operator_debit_pending", "manual_review"]
    assert_drawn(page("admin:orders_order_change", order.pk), "order", walked=stopped)
    assert_drawn(page("admin:orders_trade_change", trade_of(order).pk), "trade", walked=["reserved"])
    assert_drawn(page("admin:orders_trade_change", trade_of(done).pk), "trade", walked=["reserved", "settled"])
    for name, reference in (("admin:trace", order.reference), ("admin:review-case", open_case(order).reference)):
        body = page(name, reference)
        assert_drawn(body, "order", walked=stopped)
        assert_drawn(body, "trade", walked=["reserved"])
    ended = ["queued", "processing", "operator_debit_pending", "operator_debited", "processed"]
    assert_drawn(page("admin:trace", done.reference), "order", walked=ended)


def test_an_intents_pages_draw_it_and_its_payout(signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = dead_letter(payouts)
    client = signed_in("olga", "ops")
    walked = ["created", "validated", "authorized", "manual_review"]
    page = client.get(reverse("admin:intent-page", args=[intent.reference])).content.decode()
    assert_drawn(page, "intent", walked=walked)
    card = page[page.index('data-machine="payout"') :]
    assert "Payout: manual_review" in card
    assert payout_of(intent).state == "manual_review"
