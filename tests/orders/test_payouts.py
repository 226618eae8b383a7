"""Payouts in walletflow's and OneWallet's words: the machine after submit, wait and requery, settle, release, dead letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger import expiry, journal
from ledger.models import Hold
from orders import payout_terms
from orders.models import Intent, Payout, ReviewCase, SagaRun, WalletEntry
from tests.orders import books
from tests.orders.bank import SETTLES
from tests.orders.payouts import ASSET, PayoutDesk, payout_of, reloaded
from tests.orders.wallet import (
    Step,
    contradictory,
    declined,
    lost_after,
    lost_before,
    pending,
    server_error,
    unreadable,
)
from wallets import holders
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

TRUTH: Step | None = None
_SHORT_HORIZON = {"not_found_horizon_ms": 1_000}
_SETTLED = ["submitting", "settling", "complete"]
_RELEASED = ["submitting", "releasing", "complete"]
_WAITED = ["submitting", "waiting", "requerying"]
_FUNDS = 1_000_000


@dataclass(frozen=True)
class Scenario:
    case: str
    answers: Sequence[Step | None]
    path: Sequence[str]
    """The payout's states after reserved."""
    ends_in: str
    reason: str
    lookups: int
    gateway: Mapping[str, object] = field(default_factory=dict)


SCENARIOS = [
    Scenario("after submit, confirmed: settle hold, complete", [TRUTH], _SETTLED, "settled", "", 0),
    Scenario(
        "after submit, rejected: release hold, back to the merchant",
        [declined],
        _RELEASED,
        "failed",
        "payout_declined",
        0,
    ),
    Scenario(
        "time out, succeed silently: wait and requery, never a fresh payout",
        [lost_after, TRUTH],
        [*_WAITED, "settling", "complete"],
        *("settled", "", 1),
    ),
    Scenario(
        "an ambiguous 5xx, and a lookup that fails: requery after requery",
        [lost_after, server_error, TRUTH],
        [*_WAITED, *_WAITED[1:], "settling", "complete"],
        *("settled", "", 2),
    ),
    Scenario(
        "time out, and the lookup says that it failed: released",
        [lost_before, declined],
        [*_WAITED, "releasing", "complete"],
        *("failed", "payout_declined", 1),
    ),
    Scenario(
        "an answer about another amount is no answer",
        [contradictory, TRUTH],
        [*_WAITED, "settling", "complete"],
        *("settled", "", 1),
    ),
    Scenario(
        "an answer that cannot be read is no answer",
        [unreadable, TRUTH],
        [*_WAITED, "settling", "complete"],
        *("settled", "", 1),
    ),
    Scenario(
        "pending does not count towards the cap until the channel's horizon",
        [*[pending] * 14, TRUTH],
        [*_WAITED, *_WAITED[1:] * 13, "settling", "complete"],
        *("settled", "", 14),
    ),
    Scenario(
        "bounded requery exhausts at the cap of 10: dead letter, manual review",
        [lost_after, server_error],
        [*_WAITED, *_WAITED[1:] * 9, "dead_letter", "manual_review"],
        *("manual_review", "payout_unknown", 10),
    ),
    Scenario(
        "still pending past the horizon counts: dead letter, manual review",
        [pending],
        [*_WAITED, *_WAITED[1:] * 3, "dead_letter", "manual_review"],
        *("manual_review", "payout_unknown", 4),
        {"pending_horizon_ms": 30_000, "requery_cap": 3, "pending_backoff_ms": 1_000},
    ),
    Scenario(
        "not found past the horizon is absent, and for people to decide: never submitted as a new payout",
        [lost_before, TRUTH],
        [*_WAITED, *_WAITED[1:] * 9, "dead_letter", "manual_review"],
        *("manual_review", "payout_unknown", 10),
        _SHORT_HORIZON,
    ),
    Scenario(
        "proven absent at a channel that resubmits: the same key again",
        [lost_before, TRUTH],
        [*_WAITED, *_WAITED[1:], "settling", "complete"],
        *("settled", "", 1),
        {**_SHORT_HORIZON, "resubmit": True},
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_payout_ends_as_the_machine_says(scenario: Scenario, payouts: PayoutDesk) -> None:
    Gateway.objects.update(**scenario.gateway)
    payouts.bank.script = list(scenario.answers)
    intent = payouts.pay("1000.00")
    assert (intent.state, intent.requires_monitoring) == ("authorized", True)
    payouts.drive(passes=60)
    intent, payout = reloaded(intent), payout_of(intent)
    assert books.path(payout.reference) == ["reserved", *scenario.path]
    assert (intent.state, intent.status_reason) == (scenario.ends_in, scenario.reason)
    keys = {key for _, key in payouts.bank.calls}
    assert keys == {f"{payout.reference}:submit:v1"}, "one key, for ever"
    assert RemoteOperation.objects.count() == 1
    looked_up = sum(kind == "lookup" for kind, _ in payouts.bank.calls)
    if scenario.ends_in == "manual_review":
        assert looked_up >= scenario.lookups, "lookups go on while people hold it"
        assert payout.requeries == scenario.lookups, "the one that reached the cap too"
    else:
        assert looked_up == scenario.lookups
    asks = sum(kind == "ask" for kind, _ in payouts.bank.calls)
    assert asks == (2 if scenario.gateway.get("resubmit") else 1)
    match scenario.ends_in:
        case "settled":
            assert payouts.money() == (_FUNDS - 100_000, 0)
            assert len(payouts.bank.applied) == 1
            assert intent.reference_number
            assert intent.response_id == f"bnk-{payout.reference}:submit:v1"
            assert intent.settlement_date == SETTLES
        case "failed":
            assert payouts.money() == (_FUNDS, 0)
            assert payouts.bank.applied == {}
        case _:
            assert payouts.money() == (_FUNDS, 100_000), "external funds never expire by themselves"
            assert ReviewCase.objects.get().subject == intent.reference
    assert not SagaRun.objects.exists() or scenario.ends_in == "manual_review"


def test_events_and_history_tell_each_step_with_the_balances_after_it(payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    payouts.drive(passes=2)
    assert books.topics(intent.reference) == [
        "intent.CREATED",
        "intent.VALIDATED",
        "intent.AUTHORIZED",
        "intent.SETTLED",
    ]
    payout = payout_of(intent)
    assert books.topics(payout.reference)[0] == "payout.saga_requested"
    lines = WalletEntry.objects.filter(subject=intent.reference).order_by("pk")
    assert [(one.kind, int(one.amount_minor), int(one.posted_minor), int(one.held_minor)) for one in lines] == [
        ("payout_hold", -100_000, _FUNDS, 100_000),
        ("payout", -100_000, _FUNDS - 100_000, 0),
    ]
    assert books.moved(intent.reference) == {
        (
            "PAYOUT_SETTLE",
            "post",
            f"merchants:{payouts.wallet.reference}:available",
            "bank:promptpay",
            "THB",
            100_000,
        ): 1
    }


def test_saga_that_was_started_already_is_success(payouts: PayoutDesk) -> None:
    from orders.operations.start_payout import start_payout
    from webhooks import routing

    told: list[routing.RelayedEvent] = []
    routing.listen("payout.saga_requested", told.append)
    try:
        intent = payouts.pay("1000.00")
        payouts.drive(passes=3)
    finally:
        routing.silence("payout.saga_requested", told.append)
    start_payout(told[0])
    payouts.drive(passes=3)
    assert [kind for kind, _ in payouts.bank.calls] == ["ask"]
    assert payout_of(intent).state == Payout.State.COMPLETE
    assert reloaded(intent).state == Intent.State.SETTLED


@pytest.mark.parametrize(
    ("answers", "stands"),
    [
        pytest.param([pending, pending], "waiting", id="the bank works on it"),
        pytest.param([lost_after, server_error], "manual_review", id="people look at it"),
    ],
)
def test_external_holds_never_expire_by_themselves(
    answers: list[Step | None], stands: str, payouts: PayoutDesk
) -> None:
    """OneWallet, crash safety: days go by, the sweep comes again and again; a hold of 300 s beside it ends, this one stands."""
    Gateway.objects.update(pending_horizon_ms=20 * 86_400_000, pending_backoff_ms=3_600_000)
    payouts.bank.script = list(answers)
    intent = payouts.pay("1000.00")
    payout = payout_of(intent)
    with db_transaction.atomic():
        internal = replace(payout_terms.reserve(intent, payout), key="internal", timeout=300)
        journal.post_all(environment="test", drafts=[internal], now=payouts.clock.now())
    assert payouts.money() == (_FUNDS, 200_000)

    payouts.drive(passes=20)
    payouts.drive(passes=28, pause=timedelta(hours=6))

    external = Hold.objects.get(transaction__key=payout.hold_key)
    assert (external.state, external.expires_at, external.ended_at) == ("open", None, None)
    assert Hold.objects.get(transaction__key="internal").state == "expired"
    assert (payout_of(intent).state, payouts.money()) == (stands, (_FUNDS, 100_000))
    assert int(holders.balances_of(payouts.wallet)[0].held) == 100_000
    assert expiry.due() == 0

    if stands == "waiting":  # and after all those days it is still good
        payouts.bank.script = [None]
        payouts.drive(passes=3, pause=timedelta(hours=2))
        assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))


@pytest.mark.parametrize("asset", [ASSET, "EUR"])
def test_who_was_asked_who_is_paid_is_the_one_that_pays(asset: str, payouts: PayoutDesk) -> None:
    """The operator's own channel is connected between the question and the confirmation."""
    house = Gateway.objects.get(channel="promptpay")
    intent = payouts.pay(confirm=False)
    Gateway.objects.create(
        operator_id=payouts.caller.operator_id,
        environment="test",
        channel="promptpay",
        adapter="scripted_bank",
        base_url="http://own.invalid",
        secret="whsec_c2VjcmV0",
        wallet_asset=asset,
    )
    payouts.confirm(intent)
    assert payout_of(intent).gateway_id == house.pk
    payouts.drive(passes=2)
    assert (reloaded(intent).state, RemoteOperation.objects.get().gateway_id) == ("settled", house.pk)
