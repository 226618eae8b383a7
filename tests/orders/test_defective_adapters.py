"""Everything outside answers with one of three values, never by an exception: what an adapter raises is unknown."""

import pytest
from django.conf import LazySettings

from ledger.controls import drains, metrics
from orders.models import SagaRun, StaleFinding
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.payouts import PayoutDesk
from tests.orders.payouts import reloaded as reloaded_intent
from tests.orders.test_returns import failed_order
from tests.orders.wallet import ScriptedWallet
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway, RemoteAttempt, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _raises_after(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    if kind == "ask":
        wallet.applied[request.key] = request
    raise ValueError("a defect of the adapter")


@pytest.mark.parametrize("threads", [1, 4])
def test_order_whose_adapter_raises_goes_to_review_and_is_asked_once(
    threads: int, desk: Desk, settings: LazySettings
) -> None:
    settings.SAGA_THREADS = threads
    desk.wallet.legs["debit"] = [_raises_after]
    order = desk.order()
    desk.drive(passes=12)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("manual_review", "debit_unknown")
    assert open_case(order).reason == "debit_unknown"
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == 1
    assert set(RemoteAttempt.objects.values_list("outcome", "detail")) == {("unknown", "connection")}
    assert SagaRun.objects.get().last_error == ""


def test_payout_whose_adapter_raises_ends_as_a_dead_letter(payouts: PayoutDesk) -> None:
    Gateway.objects.update(requery_cap=2)
    payouts.bank.script = [_raises_after]
    intent = payouts.pay("1000.00")
    payouts.drive(passes=8)
    assert reloaded_intent(intent).state == "manual_review"
    assert [kind for kind, _ in payouts.bank.calls].count("ask") == 1


def test_poller_looks_the_others_up_when_a_gateway_has_no_adapter(desk: Desk) -> None:
    """It is gone from the settings: the movements of the other gateways are looked up all the same."""
    ends = [failed_order(desk), failed_order(desk)]
    lost, sound = RemoteOperation.objects.order_by("pk")
    gateway = Gateway.objects.get()
    gateway.pk, gateway.channel, gateway.adapter = None, "gone", "gone"
    gateway.save()
    RemoteOperation.objects.filter(pk=lost.pk).update(gateway_id=gateway.pk)
    calls = len(desk.wallet.calls)
    drains.drain("stale")
    assert desk.wallet.calls[calls:] == [("lookup", sound.key)]
    done = dict(StaleFinding.objects.values_list("subject", "done"))
    assert done == {lost.key: "looked up: unknown", sound.key: "looked up: unknown"}
    assert [reloaded(order).state for order in ends] == ["failed", "failed"]


def test_step_that_raises_each_time_is_counted_until_it_succeeds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No case is opened for our own defect: whoever watches the metrics hears of it."""
    (failing,) = (metric for metric in metrics.registered() if metric.name == "holdfast_sagas_failing")
    order = desk.order()
    assert list(failing.collect()) == []
    with monkeypatch.context() as patched:
        patched.setattr("orders.sagas.buy.debit_leg", lambda order: 1 / 0)
        desk.drive(passes=3)
    assert list(failing.collect()) == [({"environment": "test"}, 1)]
    desk.drive(passes=3)
    assert (reloaded(order).state, list(failing.collect())) == ("processed", [])
