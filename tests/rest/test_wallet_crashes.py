"""The process dies at every commit of what is done to a wallet itself: frozen, closed, opened again, posted to by the house.

Each is one commit: before it nothing happened, after it everything did. Whoever asked asks again, and it is done once.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from django.db import DatabaseError, connection
from django.db import transaction as db_transaction

from ledger import adjustments, direct_posting
from ledger.accounts import OUTSIDE, WORLD, Opening, open_accounts
from ledger.controls import clock
from ledger.controls.approvals import AlreadyDecided
from ledger.controls.clock import FixedClock
from ledger.direct_posting import KeyTaken
from ledger.drafts import Draft
from ledger.models import Approval, Claim
from ledger.money import Money
from orders.models import WalletEntry
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import START
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.wallet import ScriptedWallet
from tests.rest.calls import WALLET
from tests.rest.conftest import Shop, open_shop
from wallets import holders
from wallets.holders import WalletNotClosed
from wallets.models import Wallet, WalletFreeze, WalletReopening

pytestmark = pytest.mark.usefixtures("database", "wallet")

_CENTS = 5_000


@dataclass(frozen=True)
class Stands:
    """What there is in the end; `answers` are what was said to whoever asked last."""

    answers: list[tuple[int, str]]
    wallet: tuple[object, ...]
    freezes: list[tuple[object, ...]]
    reopenings: int
    lines: Counter[books.Line]
    balances: dict[tuple[str, str], tuple[int, ...]]
    history: list[tuple[str, int, int, int]]
    decisions: list[tuple[str, str]]
    claims: int


class Scene:
    """One wallet, and what its operator and the house do to it. Each act may be done again."""

    def __init__(self) -> None:
        self.shop: Shop = open_shop("acme")
        self.reference = str(self.shop.api.post("/v1/wallets", WALLET, key="open").json["wallet_id"])
        open_accounts(environment="test", openings=[Opening(WORLD, "EUR", OUTSIDE)])
        self.answers: list[tuple[int, str]] = []

    def ask(self, path: str, key: str, body: object = None) -> None:
        answer = self.shop.api.post(f"/v1/wallets/{self.reference}/{path}", body, key=key)
        assert answer.status < 500, answer.body
        self.answers.append((answer.status, answer.json["status"]))

    def freeze(self) -> None:
        self.ask("freeze", "freeze", {"reason": "to be looked at"})

    def lift(self) -> None:
        self.ask("lift-freeze", "lift")

    def close(self) -> None:
        self.ask("close", "close")

    def reopen(self) -> None:
        with suppress(WalletNotClosed), db_transaction.atomic():
            holders.reopen_wallet(reference=self.reference, reason="paid since", actor="user:lena", now=clock.now())

    def post(self) -> None:
        with db_transaction.atomic():
            direct_posting.post(environment="test", drafts=[self._draft("house:1")], now=clock.now())

    def propose(self) -> None:
        with suppress(adjustments.AlreadyProposed, KeyTaken), db_transaction.atomic():
            adjustments.propose(
                environment="test", draft=self._draft("adj:1"), reason="agreed", maker="user:ann", now=clock.now()
            )

    def approve(self) -> None:
        proposal = Approval.objects.get()
        with suppress(AlreadyDecided):
            adjustments.approve(reference=proposal.reference, reason="checked", checker="user:ben", now=clock.now())

    def _draft(self, key: str) -> Draft:
        address = holders.available_address(Wallet.objects.get(reference=self.reference))
        return Draft(
            event_type="OPENING_BALANCE",
            key=key,
            subject="",
            amounts={"amount": Money(_CENTS, "EUR")},
            accounts={"world": WORLD, "account": address},
        )


Act = Callable[[Scene], None]

STORIES: dict[str, list[Act]] = {
    "frozen": [Scene.freeze],
    "its freeze lifted": [Scene.freeze, Scene.lift],
    "closed": [Scene.close],
    "opened again": [Scene.close, Scene.reopen],
    "posted to by the house": [Scene.post],
    "adjusted by two people": [Scene.propose, Scene.approve],
    "closed, paid, and opened again": [Scene.close, Scene.post, Scene.reopen],
}


def _lived(story: list[Act], scene: Scene, killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Stands:
    """Do it until killed; then whoever had not heard does the last thing again, and all goes on."""
    scene.answers.clear()
    done = 0
    try:
        with killing(killer, ScriptedWallet(), monkeypatch):
            for act in story:
                act(scene)
                done += 1
    except (Killed, DatabaseError, AssertionError):  # a client of the dead process reads nothing, or a 503
        if not killer.dead:
            raise
        connection.close()
        for act in story[done:]:
            act(scene)
    found = Wallet.objects.get(reference=scene.reference)
    return Stands(
        answers=list(scene.answers),
        wallet=(found.closed_at is not None, found.closed_by, found.moved_after_close_at is not None),
        freezes=list(WalletFreeze.objects.order_by("pk").values_list("reason", "frozen_by", "lifted_by")),
        reopenings=WalletReopening.objects.count(),
        lines=books.lines(),
        balances=books.balances(),
        history=[
            (one.kind, int(one.amount_minor), int(one.posted_minor), int(one.held_minor))
            for one in WalletEntry.objects.order_by("pk")
        ],
        decisions=list(Approval.objects.order_by("pk").values_list("kind", "decision")),
        claims=Claim.objects.filter(answered_at__isnull=False).count(),
    )


@pytest.mark.parametrize("name", STORIES)
def test_it_is_done_once_when_the_process_dies_at_any_commit(
    name: str, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock.use(FixedClock(START)):
        scene = Scene()
        kept = flush.keep()
        scout = Killer(at=None)
        undisturbed = _lived(STORIES[name], scene, scout, monkeypatch)
        commits = Counter(scout.points)
        assert commits["before commit"] == commits["after commit"] == len(STORIES[name]), scout.points
        for at, point in enumerate(scout.points):
            flush.bring_back(kept)
            killer = Killer(at=at)
            ended = _lived(STORIES[name], scene, killer, monkeypatch)
            assert killer.dead, (at, point)
            assert ended == undisturbed, (at, point)
