"""A dead letter in manual review: settled or released on evidence, by two people always; what comes after the end; freezes."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger.controls import clock, drains
from ledger.controls.approvals import SelfApproval
from orders.models import Freeze, Intent, Return, ReviewCase, SagaRun, StaleFinding, WalletEntry
from orders.operations import review_case
from orders.operations.return_payout import hear_late_payout
from orders.operations.review_case import NotAllowed
from orders.reviews.offers import offers
from tests.orders import books
from tests.orders.payouts import ASSET, PayoutDesk, open_case, payout_of, reloaded
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets import holders
from wallets.gateway_port import RemoteRequest
from wallets.models import Gateway, RemoteOperation
from wallets.remote_operations import look_up

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000
_ABSENT = {"not_found_horizon_ms": 1_000}


def in_review(payouts: PayoutDesk, *answers: Step | None, **gateway: object) -> Intent:
    Gateway.objects.update(requery_cap=2, **gateway)
    payouts.bank.script = list(answers)
    intent = payouts.pay("1000.00")
    payouts.drive(passes=8)
    assert reloaded(intent).state == "manual_review"
    return reloaded(intent)


def looked_up(intent: Intent) -> None:
    review_case.look_up_now(case_reference=open_case(intent).reference, actor="user:olga", now=clock.now())


def allowed(intent: Intent) -> dict[str, str]:
    return {offer.resolution.value: offer.why_not for offer in offers(case=open_case(intent))}


def test_settled_on_evidence_by_two_people(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error, server_error, None)
    assert all(allowed(intent).values()), "nothing is allowed before a lookup shows something"
    looked_up(intent)
    assert allowed(intent)["settle_payout"] == ""
    assert allowed(intent)["release_payout"] == "The payment is confirmed."
    decided = payouts.decide(intent, "settle_payout")
    assert decided.resolved
    payouts.drive(passes=2)
    assert books.path(payout_of(intent).reference)[-3:] == ["manual_review", "settling", "complete"]
    assert reloaded(intent).state == "settled"
    assert payouts.money() == (_FUNDS - 100_000, 0)
    assert books.topics(intent.reference)[-2:] == ["intent.MANUAL_REVIEW", "intent.SETTLED"]


def test_released_when_a_lookup_proves_its_absence(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_before, None, **_ABSENT)
    assert RemoteOperation.objects.get().state == "absent"
    assert allowed(intent) == {"settle_payout": "No lookup shows the payment. Look it up first.", "release_payout": ""}
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    assert (reloaded(intent).state, reloaded(intent).status_reason) == ("failed", "payout_absent")
    assert payouts.money() == (_FUNDS, 0)
    assert sum(kind == "ask" for kind, _ in payouts.bank.calls) == 1, "never submitted as a new payout"


@pytest.mark.parametrize("resolution", ["settle_payout", "release_payout"])
def test_nothing_is_decided_on_a_guess(resolution: str, payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error)
    with pytest.raises(NotAllowed):
        payouts.decide(intent, resolution)
    assert payouts.money() == (_FUNDS, 100_000)
    assert payout_of(intent).state == "manual_review"


def test_one_person_is_never_enough(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error, server_error, None)
    looked_up(intent)
    assert not payouts.decide(intent, "settle_payout", second="").resolved
    case = open_case(intent)
    with pytest.raises(SelfApproval):
        review_case.approve_resolution(
            case_reference=case.reference, case_version=case.version, reason="me", actor="user:olga", now=clock.now()
        )
    payouts.drive(passes=2)
    assert reloaded(intent).state == "manual_review"
    assert payouts.money() == (_FUNDS, 100_000)


def test_lookups_go_on_while_people_hold_it_and_move_no_money(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error, server_error, server_error, None)
    payouts.later(minutes=15)
    payouts.drive(passes=80)
    assert RemoteOperation.objects.get().state == "confirmed"
    assert (reloaded(intent).state, payouts.money()) == ("manual_review", (_FUNDS, 100_000))
    assert allowed(intent)["settle_payout"] == ""


# --- what comes after the end -------------------------------------------------------------------------


def late(payouts: PayoutDesk) -> Return:
    """A payout that was released in review as absent, and that the bank paid after all."""
    intent = in_review(payouts, lost_before, None, **_ABSENT)
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    key = RemoteOperation.objects.get().key
    payouts.bank.applied[key] = RemoteRequest(key, "submit", ASSET, 100_000, "1000.00", "", "")
    look_up(key)
    drains.drain("relay")
    return Return.objects.get()


def test_late_payment_that_is_told_before_the_release_opens_one_return_with_the_release(payouts: PayoutDesk) -> None:
    """People approved the release; the bank pays, and that news is relayed, before the saga gives the hold back."""
    intent = in_review(payouts, lost_before, None, **_ABSENT)
    payouts.decide(intent, "release_payout")
    key = RemoteOperation.objects.get().key
    payouts.bank.applied[key] = RemoteRequest(key, "submit", ASSET, 100_000, "1000.00", "", "")
    look_up(key)
    drains.drain("relay")
    assert (payout_of(intent).state, Return.objects.count()) == ("releasing", 0)
    payouts.drive(passes=3)
    assert reloaded(intent).state == "failed"
    found = Return.objects.get()
    assert (found.kind, found.operation_key, found.state) == ("late_effect", key, "open")
    hear_late_payout(payout_reference=payout_of(intent).reference, operation_key=key, event="evt_x", now=clock.now())
    assert Return.objects.count() == 1
    assert payouts.money() == (_FUNDS, 0), "nothing is booked before people say that it is so"
    adjusted(found)
    assert payouts.money() == (_FUNDS - 100_000, 0)


def adjusted(found: Return) -> None:
    case = ReviewCase.objects.exclude(state="resolved").get(subject=found.reference)
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="adjust",
        reason="the bank's statement shows it",
        actor="user:olga",
        now=clock.now(),
    )
    if not decided.resolved:
        case = ReviewCase.objects.get(pk=case.pk)
        review_case.approve_resolution(
            case_reference=case.reference, case_version=case.version, reason="yes", actor="user:lena", now=clock.now()
        )


def test_late_payment_opens_a_return_and_is_taken_from_the_wallet(payouts: PayoutDesk) -> None:
    found = late(payouts)
    intent = Intent.objects.get()
    assert (intent.state, found.kind, found.intent_reference) == ("failed", "late_effect", intent.reference)
    assert books.topics(found.reference) == ["payout.returned"]
    assert payouts.money() == (_FUNDS, 0), "nothing is booked before people say that it is so"
    adjusted(found)
    found = Return.objects.get(pk=found.pk)
    assert (found.state, found.terminal) == ("adjusted", True)
    assert payouts.money() == (_FUNDS - 100_000, 0)
    wallet = f"merchants:{payouts.wallet.reference}:available"
    assert books.moved(found.reference) == {("LATE_EFFECT", "posted", wallet, "bank:promptpay", ASSET, 100_000): 1}
    assert not SagaRun.objects.filter(subject=found.reference).exists()
    line = WalletEntry.objects.get(subject=found.reference)
    assert (line.kind, int(line.amount_minor), int(line.posted_minor)) == ("payout_late", -100_000, _FUNDS - 100_000)


def test_late_payment_is_never_refused_what_the_wallet_lacks_it_owes(payouts: PayoutDesk) -> None:
    found = late(payouts)
    payouts.bank.script = [None]
    payouts.pay("9500.00")
    payouts.drive(passes=2)
    adjusted(found)
    assert payouts.money() == (0, 0)
    owed = books.balances()[holders.receivable_address(payouts.wallet), ASSET]
    assert owed == (50_000, 0, 0, 0)
    line = WalletEntry.objects.get(subject=found.reference)
    assert (line.kind, int(line.amount_minor), int(line.posted_minor)) == ("payout_late", -50_000, 0), "its own part"


def test_no_second_case_is_opened_for_a_late_payment_after_it_was_adjusted(payouts: PayoutDesk) -> None:
    found = late(payouts)
    adjusted(found)
    assert not ReviewCase.objects.exclude(state="resolved").exists(), "adjusted is the end of a payout's return"


# --- freezes and the status poller --------------------------------------------------------------------


def freeze(intent: Intent) -> None:
    Freeze.objects.create(subject=intent.reference, reason="suspicion", frozen_by="user:lena", frozen_at=clock.now())


def test_freeze_stops_it_and_nothing_is_asked(payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    freeze(intent)
    payouts.drive(passes=5)
    assert payouts.bank.calls == []
    assert (payout_of(intent).state, payouts.money()) == ("reserved", (_FUNDS, 100_000))
    Freeze.objects.update(lifted_at=clock.now(), lifted_by="user:lena")
    payouts.drive(passes=60)
    assert reloaded(intent).state == "settled"


def test_freeze_between_submit_and_settle_lets_lookups_go_on_and_posts_nothing(payouts: PayoutDesk) -> None:
    payouts.bank.script = [lost_after, None]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=1)
    assert payout_of(intent).state == "waiting"
    freeze(intent)
    payouts.drive(passes=40)
    assert RemoteOperation.objects.get().state == "confirmed"
    assert payouts.money() == (_FUNDS, 100_000)
    Freeze.objects.update(lifted_at=clock.now(), lifted_by="user:lena")
    payouts.drive(passes=60)
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))


def test_status_poller_detects_a_stale_authorized_intent_and_the_saga_resumes(payouts: PayoutDesk) -> None:
    """OneWallet: Status Poller detects stale AUTHORIZED intent → inserts outbox_event → OutboxWorker resumes."""
    intent = payouts.pay("1000.00")
    drains.drain("relay")
    SagaRun.objects.all().delete()
    payouts.later(seconds=20)
    drains.drain("stale")
    assert not SagaRun.objects.exists(), "not before it is surely stale"
    payouts.later(seconds=20)
    drains.drain("stale")
    assert SagaRun.objects.get().subject == payout_of(intent).reference
    assert StaleFinding.objects.get(kind="payout").subject == payout_of(intent).reference
    payouts.drive(passes=2)
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))


def test_poller_finds_it_between_submit_and_settle(payouts: PayoutDesk) -> None:
    payouts.bank.script = [lost_after, None]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=1)
    SagaRun.objects.all().delete()
    payouts.later(seconds=60)
    drains.drain("stale")
    payouts.drive(passes=2)
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))
    assert [kind for kind, _ in payouts.bank.calls] == ["ask", "lookup"]


def test_workers_at_once_submit_once(payouts: PayoutDesk, run_threads: Callable[..., Sequence[Any]]) -> None:
    intent = payouts.pay("1000.00")
    drains.drain("relay")
    reference = payout_of(intent).reference
    now = clock.now()

    def work() -> None:
        from ledger.controls import clock as port
        from orders.sagas import runner

        with port.use(port.FixedClock(now)):
            runner.run(reference, token="")

    run_threads(*[work] * 4)
    payouts.drive(passes=3)
    assert sum(kind == "ask" for kind, _ in payouts.bank.calls) == 1
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))


def test_declined_after_requery_gives_all_back(payouts: PayoutDesk) -> None:
    payouts.bank.script = [lost_before, declined]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=3)
    assert reloaded(intent).state == "failed"
    kinds = WalletEntry.objects.filter(subject=intent.reference).order_by("pk").values_list("kind", "held_minor")
    assert [(kind, int(held)) for kind, held in kinds] == [("payout_hold", 100_000), ("payout_release", 0)]
