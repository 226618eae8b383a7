"""The end of a world of payments: nothing lives on, and the bank, the payment provider and our book tell the same story."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger import assets, money
from orders.models import Intent, PayIn, Payout, Return
from tests.simulation.bank_service import ASSET

if TYPE_CHECKING:
    from tests.simulation.world import World

_BANK: Final = """
SELECT coalesce(sum(b.credits_posted - b.debits_posted), 0) FROM ledger_balance b
WHERE b.address IN ('bank:promptpay', 'bank:bank_transfer')
"""
_PROVIDER: Final = (
    "SELECT coalesce(sum(b.debits_posted - b.credits_posted), 0) FROM ledger_balance b WHERE b.address = 'bank:psp'"
)
_FEES: Final = Path(__file__).with_name("fees.sql").read_text(encoding="utf-8")


def compare(world: "World") -> None:
    for intent in Intent.objects.exclude(state__in=("settled", "failed", "cancelled")).order_by("pk"):
        if intent.state != Intent.State.MANUAL_REVIEW:
            world.found("the end", intent.reference, f"it is still {intent.state}")
    _meet(world)
    _compare_payments(world)
    _compare_bank(world)
    _compare_pay_ins(world)
    for rule, subject, detail in world.stage.looking.execute(_FEES, prepare=True).fetchall():
        world.found(rule, subject, detail)


def _meet(world: "World") -> None:
    """Note how the scheduled transfers have ended."""
    ends = Intent.objects.filter(scheduled_for__isnull=False).order_by("pk").values_list("state", "status_reason")
    for state, reason in ends:
        world.met("payer", f"scheduled transfer: {reason or state}")


def _compare_payments(world: "World") -> None:
    """A payout that settled was paid once; one that failed was not, or late, and then a return says so."""
    late = {movement.owner for movement in world.scene.bank.movements if movement.late}
    timely = {movement.owner for movement in world.scene.bank.movements if not movement.late}
    states = dict(Intent.objects.values_list("reference", "state"))
    returns = set(Return.objects.values_list("order_reference", "intent_reference", "kind"))
    late_returns = {intent for _, intent, kind in returns if kind == Return.Kind.LATE_EFFECT}
    for payout in Payout.objects.order_by("pk"):
        state = states[payout.intent_reference]
        if state == "settled" and payout.reference not in timely | late:
            world.found("book and bank", payout.reference, "its intent is settled, and nothing was paid")
        if state == "failed" and payout.reference in timely:
            world.found("book and bank", payout.reference, "its intent has failed, and it was paid")
        if state == "failed" and payout.reference in late and payout.intent_reference not in late_returns:
            world.found("book and bank", payout.reference, "it was paid late, and no return says so")


def _compare_bank(world: "World") -> None:
    """What left through the channels is what the bank paid, less what came back, but for what people have not decided."""
    looking, bank = world.stage.looking, world.scene.bank
    (booked,) = looking.execute(_BANK).fetchone() or (0,)
    settled = Intent.objects.filter(kind=Intent.Kind.PAYOUT, state=Intent.State.SETTLED)
    fees = sum(int(fee) for fee in settled.values_list("network_fee_minor", flat=True))
    paid = sum(_minor(movement.amount) for movement in bank.movements)
    back = sum(_minor(one.amount) for one in bank.returned)
    undecided = 0
    for found in Return.objects.filter(state=Return.State.OPEN):
        undecided += int(found.amount_minor) * (1 if found.kind == Return.Kind.LATE_EFFECT else -1)
    waiting = Intent.objects.filter(state=Intent.State.MANUAL_REVIEW).values_list("reference", flat=True)
    owners = set(Payout.objects.filter(intent_reference__in=waiting).values_list("reference", flat=True))
    undecided += sum(_minor(movement.amount) for movement in bank.movements if movement.owner in owners)
    unopened = {one.number for one in bank.returned} - _returns_told()
    undecided -= sum(
        _minor(one.amount) for one in bank.returned if one.number in unopened and _its_owner(one.key) in owners
    )
    if int(booked) - fees + undecided != paid - back:
        detail = f"book {booked}, fees of it {fees}, undecided {undecided}; the bank paid {paid}, {back} came back"
        world.found("book and bank", "bank", detail)


def _compare_pay_ins(world: "World") -> None:
    """Everything that the provider did is booked once, and its account holds what it holds for us."""
    truth = world.scene.bank_news.pay_ins
    booked = {
        number: (kind, int(gross))
        for number, kind, gross in PayIn.objects.values_list("provider_transaction", "kind", "gross_minor")
    }
    expected = {number: (kind, minor) for number, (kind, _, minor) in truth.items()}
    for number in sorted(expected.keys() | booked.keys()):
        if booked.get(number) != expected.get(number):
            world.found("book and provider", number, f"booked {booked.get(number)}, it did {expected.get(number)}")
    (held,) = world.stage.looking.execute(_PROVIDER).fetchone() or (0,)
    due = sum(minor if kind == "collected" else -minor for kind, _, minor in truth.values())
    if int(held) != due:
        world.found("book and provider", "bank:psp", f"the book has {held}, the provider {due}")


def _returns_told() -> set[str]:
    told = [terms.get("provider", {}) for terms in Return.objects.values_list("terms", flat=True)]
    return {str(one.get("return_id")) for one in told} | {name for one in told for name in one.get("heard", {})}


def _its_owner(key: str) -> str:
    return key.partition(":")[0]


def _minor(amount: str) -> int:
    return money.parse(amount, assets.named(ASSET)).minor
