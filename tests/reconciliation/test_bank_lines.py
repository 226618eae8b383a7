"""What a bank shows of real payouts and pay-ins is found in the book by its ids, whatever amount the network's fee makes."""

from datetime import date

import pytest

from ledger.controls import clock
from ledger.models import Transaction
from orders.models import PayIn
from reconciliation.models import StatementMatch, StatementSource
from reconciliation.statements import sources
from tests.orders.conftest import bank, payouts
from tests.orders.payouts import PayoutDesk, payout_of, reloaded
from tests.orders.test_pay_ins import Psp, psp, shop
from tests.reconciliation.statements import BANK, BANK_HEADER, bring, rules, text
from wallets.gateway_port import Payable
from wallets.models import Wallet

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["bank", "payouts", "psp", "shop"]  # fixtures


def source(address: str, asset: str) -> StatementSource:
    return sources.create(
        environment="test",
        code="bank",
        name="The bank",
        format="csv",
        asset=asset,
        bank=address,
        mapping=BANK,
        actor="user:fay",
        now=clock.now(),
    )


def written(day: date) -> str:
    return day.strftime("%d.%m.%Y")


def test_a_payout_is_found_by_its_id_and_by_the_channels(payouts: PayoutDesk) -> None:
    payouts.bank.queries = [Payable("lkp_1", "Somchai J.", 500)]
    first, second, third = payouts.pay("1000.00"), payouts.pay("1000.00"), payouts.pay("1000.00")
    payouts.drive(passes=4)
    assert [reloaded(one).state for one in (first, second, third)] == ["settled"] * 3
    on = written(clock.now().date())
    bring(
        source("bank:promptpay", "THB"),
        text(
            BANK_HEADER,
            [
                f"b1;{on};;;1005,00;{payout_of(first).reference};;by the payout's id",
                f"b2;{on};;;1005,00;;{reloaded(second).response_id};by the channel's",
                f"b3;{on};;;1005,00;{third.reference};;by the intent's",
            ],
        ),
    )
    assert rules() == {"b1": "our_reference", "b2": "provider_reference", "b3": "our_reference"}
    for line_id, intent in (("b1", first), ("b2", second), ("b3", third)):
        match = StatementMatch.objects.get(line__line_id=line_id)
        assert match.transaction_key == f"{payout_of(intent).reference}:settle"


def test_a_collection_is_found_by_the_providers_transaction(psp: Psp, shop: Wallet) -> None:
    psp.collects(shop, transaction="txn_1")
    psp.collects(shop, transaction="txn_2")
    psp.gives_back("40.00", of="txn_1", transaction="txn_9")
    on = written(clock.now().date())
    bring(
        source("bank:psp", "EUR"),
        text(
            BANK_HEADER,
            [
                f"b1;{on};;100,00;;;txn_2;the gross, whatever our fee",
                f"b2;{on};;;40,00;;txn_9;given back",
                f"b3;{on};;100,00;;;txn_8;nobody knows it",
            ],
        ),
    )
    told = rules()
    assert (told["b1"], told["b2"]) == ("provider_reference", "provider_reference")
    assert told["b3"].startswith("Only its amount is in the book")
    collected = PayIn.objects.get(provider_transaction="txn_2")
    match = StatementMatch.objects.get(line__line_id="b1")
    assert match.transaction_id == Transaction.objects.get(subject=collected.reference).pk
