"""The process dies at every commit of a transfer; the client repeats its request, another worker goes on: money moves once.

An instant transfer is one commit, so that OneWallet's gaps between the ledger and the database do not exist: before it
nothing happened, after it everything did (DESIGN.md section 15). A scheduled one has two, and its hold expires.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from pytest_django.fixtures import Settings

from ledger import verify
from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.controls.rest.answers import instant
from orders.models import Intent, SagaRun, WalletEntry
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import START
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.wallet import ScriptedWallet
from tests.rest.calls import WALLET, transfer
from tests.rest.conftest import Shop, open_shop
from tests.wallets.people import fund
from tests.wallets.rules import fee, in_force, limit
from wallets.models import LimitUsage, Wallet

pytestmark = pytest.mark.usefixtures("database", "wallet")


@pytest.fixture(autouse=True)
def _one_thread(settings: Settings) -> None:
    settings.SAGA_THREADS = 1


@dataclass(frozen=True)
class Ends:
    states: list[str]
    paths: list[list[str]]
    lines: Counter[books.Line]
    balances: dict[tuple[str, str], tuple[int, ...]]
    history: list[tuple[str, int, int, int]]
    used: list[int]


Act = Callable[[Shop, str, str], None]


def _instant(shop: Shop, payer: str, payee: str) -> None:
    answer = shop.api.post("/v1/transfers", transfer(payer, payee, "100.00", partner_reference="p-1"), key="one")
    assert (answer.status, answer.json.get("status")) == (201, "SETTLED"), answer.body


def _listed(shop: Shop, payer: str, payee: str) -> None:
    body = {"transfers": [transfer(payer, payee, "60.00"), transfer(payer, payee, "40.00")]}
    answer = shop.api.post("/v1/transfers/bulk", body, key="one")
    assert (answer.status, answer.json.get("settled")) == (200, 2), answer.body


def _scheduled(shop: Shop, payer: str, payee: str) -> None:
    due = instant(START + timedelta(hours=1))
    answer = shop.api.post("/v1/transfers", transfer(payer, payee, "100.00", scheduled_for=due), key="one")
    assert answer.status == 202, answer.body
    _pass(timedelta(hours=1))
    drains.drain("sagas")


def _pass(time: timedelta) -> None:
    """Let time pass, but never twice: a repeated request comes after it."""
    fixed = clock._clock.get()
    assert isinstance(fixed, FixedClock)
    fixed.move_to(max(fixed.now(), START + time))


ACTS: dict[str, Act] = {"instant": _instant, "list": _listed, "scheduled": _scheduled}


def _lived(act: Act, killer: Killer, monkeypatch: pytest.MonkeyPatch, *, pause: timedelta) -> Ends:
    """Act until killed; wait; the client repeats, and another worker goes on."""
    with clock.use(FixedClock(START)):
        shop, payer, payee = _world()
        try:
            with killing(killer, ScriptedWallet(), monkeypatch):
                act(shop, payer, payee)
        except (Killed, DatabaseError, AssertionError):  # a client of the dead process reads nothing, or a 503
            if not killer.dead:
                raise
            connection.close()
            _pass(clock.now() - START + pause)
            act(shop, payer, payee)
        _pass(clock.now() - START + pause)
        drains.drain("hold_expiry")
        drains.drain("sagas")
        return _ends()


def _world() -> tuple[Shop, str, str]:
    shop = open_shop("acme")
    in_force(fee(phase="PRE", fixed_minor=50, vat_basis_points=700))
    in_force(limit("daily", cap_minor=50_000))
    payer, payee = (
        shop.api.post("/v1/wallets", {**WALLET, "user_reference": name}).json["wallet_id"] for name in ("alice", "bob")
    )
    fund(Wallet.objects.get(reference=payer), 100_000)
    connection.close()
    return shop, payer, payee


def _ends() -> Ends:
    intents = list(Intent.objects.order_by("pk"))
    wallets = {one.reference: one.user_reference for one in Wallet.objects.all()}

    def named(text: str) -> str:
        for reference, name in wallets.items():
            text = text.replace(reference, name)
        return text

    entries = WalletEntry.objects.order_by("pk")
    return Ends(
        states=[intent.state for intent in intents],
        paths=[books.path(intent.reference) for intent in intents],
        lines=Counter({(*line[:2], named(line[2]), named(line[3]), *line[4:]): n for line, n in books.lines().items()}),
        balances={(named(key[0]), key[1]): value for key, value in books.balances().items()},
        history=[(one.kind, int(one.amount_minor), int(one.posted_minor), int(one.held_minor)) for one in entries],
        used=[int(row.used_minor) for row in LimitUsage.objects.order_by("pk")],
    )


@pytest.mark.parametrize("name", ACTS)
def test_money_moves_once_when_the_process_dies_at_any_commit(
    name: str, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    scout = Killer(at=None)
    undisturbed = _lived(ACTS[name], scout, monkeypatch, pause=timedelta(seconds=25))
    assert set(undisturbed.states) == {"settled"}
    assert (
        Counter(scout.points)["before commit"]
        == Counter(scout.points)["after commit"]
        == (4 if name == "scheduled" else 1)
    )
    for at, point in enumerate(scout.points):
        flush()
        killer = Killer(at=at)
        ended = _lived(ACTS[name], killer, monkeypatch, pause=timedelta(seconds=25))
        assert killer.dead, (at, point)
        assert ended == undisturbed, (at, point)
        assert SagaRun.objects.count() == 0
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []


def test_funds_return_when_nobody_comes_back_within_300_s(flush: Flush, monkeypatch: pytest.MonkeyPatch) -> None:
    """Internal channels: the hold expires and the funds return; the intent fails and the limit has it back."""
    scout = Killer(at=None)
    _lived(_scheduled, scout, monkeypatch, pause=timedelta(seconds=301))
    ends: Counter[str] = Counter()
    for at, _ in enumerate(scout.points):
        flush()
        ended = _lived(_scheduled, Killer(at=at), monkeypatch, pause=timedelta(seconds=301))
        (state,) = ended.states
        ends[state] += 1
        payer = ended.balances["users:alice:available", "EUR"]
        if state == "failed":
            assert (payer, ended.used) == ((0, 100_000, 0, 0), [0])
            assert ended.paths == [["created", "validated", "authorized", "failed"]]
            assert ended.history[-1][0] == "transfer_release"
        else:
            assert (payer, ended.used) == ((10_054, 100_000, 0, 0), [10_000])
        assert ended.balances["transit:transfers", "EUR"][2:] == (0, 0)
    assert ends["failed"] == 2, "after the first commit, and before the second one"
    assert ends["settled"] == len(scout.points) - 2
