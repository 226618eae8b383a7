"""A payer's desk for tests: a merchant's wallet with money, a scripted bank behind each channel, payouts by real moves."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction as db_transaction

from ledger import balances
from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from orders.models import Intent, Payout, ReviewCase
from orders.operations import create_payout, review_case
from orders.operations.review_case import Decided
from orders.payout_requests import PayoutRequest, read
from tests.orders.bank import ScriptedBank
from tests.wallets import people
from wallets import holders, operators
from wallets.models import Gateway, Operator, Wallet

ASSET = "THB"
MOBILE = {"proxy_type": "mobile", "proxy_value": "0812345678"}
ACCOUNT = {"bank_code": "KBANK", "account_number": "1234567890", "name": "Somchai J."}


@dataclass
class PayoutDesk:
    caller: Caller
    wallet: Wallet
    bank: ScriptedBank
    clock: FixedClock

    def asked(self, amount: str = "1000.00", **wanted: Any) -> PayoutRequest:
        channel = wanted.pop("channel", "promptpay")
        return read(
            **{
                "wallet": self.wallet.reference,
                "amount": amount,
                "asset": ASSET,
                "channel": channel,
                "recipient": MOBILE if channel == "promptpay" else ACCOUNT,
                **wanted,
            }
        )

    def begin(self, amount: str = "1000.00", **wanted: Any) -> Intent:
        with db_transaction.atomic():
            return create_payout.begin_payout(caller=self.caller, asked=self.asked(amount, **wanted), now=clock.now())

    def finish(self, intent: Intent, *, confirm: bool = True) -> Intent:
        """Ask who the recipient is, and finish; a refusal ends the intent, as REST has it, and is raised."""
        told = create_payout.ask_who(intent.reference)
        with db_transaction.atomic():
            try:
                with db_transaction.atomic():
                    return create_payout.finish_payout(
                        reference=intent.reference,
                        told=told,
                        confirm=confirm,
                        actor=self.caller.actor,
                        now=clock.now(),
                    )
            except Refusal as refusal:
                create_payout.end_refused(
                    reference=intent.reference, refusal=refusal, actor=self.caller.actor, now=clock.now()
                )
                refused = refusal
        raise refused

    def pay(self, amount: str = "1000.00", *, confirm: bool = True, **wanted: Any) -> Intent:
        return self.finish(self.begin(amount, **wanted), confirm=confirm)

    def confirm(self, intent: Intent) -> Intent:
        with db_transaction.atomic():
            return create_payout.confirm_payout(caller=self.caller, reference=intent.reference, now=clock.now())

    def cancel(self, intent: Intent) -> Intent:
        with db_transaction.atomic():
            return create_payout.cancel_payout(caller=self.caller, reference=intent.reference, now=clock.now())

    def drive(self, *, passes: int = 30, pause: timedelta = timedelta(seconds=30)) -> None:
        """Relay and drain until every payout waits for people or has ended; time passes, and the sweep of holds comes by."""
        for _ in range(passes):
            drains.drain("relay")
            drains.drain("sagas")
            drains.drain("hold_expiry")
            self.clock.move_to(self.clock.now() + pause)

    def later(self, **time: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**time))

    def money(self) -> tuple[int, int]:
        """What the wallet has posted, and what is held of it."""
        place = (holders.available_address(self.wallet), ASSET)
        found = balances.read(environment="test", accounts=[place])[place]
        return found.posted, found.debits_pending

    def decide(self, intent: Intent, resolution: str, *, second: str = "user:lena") -> Decided:
        """Have olga propose and another person approve."""
        case = open_case(intent)
        decided = review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution=resolution,
            reason="as the lookups show",
            actor="user:olga",
            now=clock.now(),
        )
        if not second:
            return decided
        case = open_case(intent)
        return review_case.approve_resolution(
            case_reference=case.reference, case_version=case.version, reason="agreed", actor=second, now=clock.now()
        )


def open_payout_desk(bank: ScriptedBank, fixed: FixedClock, *, funds: int = 1_000_000, **gateway: object) -> PayoutDesk:
    """Set up the house's channels, an operator and a merchant's wallet with money. Call under `clock.use(fixed)`."""
    bank.now = fixed.now
    operator = operators.create_operator(name="Acme", slug="acme", kind="operator", now=fixed.now())
    open_channels(**gateway)
    wallet = people.wallet("shop", owner=operator, kind="merchant", assets=[ASSET])
    if funds:
        people.fund(wallet, funds, asset=ASSET)
    caller = Caller(
        operator_id=operator.pk,
        operator_reference=operator.reference,
        operator_slug=operator.slug,
        is_house=False,
        environment="test",
        key_id=0,
        scopes=frozenset(operators.OPERATOR_SCOPES),
    )
    return PayoutDesk(caller=caller, wallet=wallet, bank=bank, clock=fixed)


def open_channels(**gateway: object) -> Operator:
    """Connect the house's channels, in the test environment, to the scripted bank."""
    house = Operator.objects.filter(kind="house").first() or operators.create_operator(
        name="The house", slug="house", kind="house", now=clock.now()
    )
    for channel in ("promptpay", "bank_transfer"):
        Gateway.objects.create(
            operator=house,
            environment="test",
            channel=channel,
            adapter="scripted_bank",
            base_url="http://bank.invalid",
            secret="whsec_c2VjcmV0",
            wallet_asset=ASSET,
            **{"requery_cap": 10, **gateway},
        )
    return house


def reloaded(intent: Intent) -> Intent:
    return Intent.objects.get(pk=intent.pk)


def payout_of(intent: Intent) -> Payout:
    return Payout.objects.get(intent_reference=intent.reference)


def open_case(intent: Intent) -> ReviewCase:
    return ReviewCase.objects.exclude(state="resolved").get(subject=intent.reference)
