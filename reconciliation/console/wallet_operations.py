"""The console's operations on wallets of our book: freeze one, lift the freeze."""

from ledger.controls import clock
from ledger.controls.roles import Ability
from reconciliation.console.operation import Form, Operation
from wallets import holders


def _freeze(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    holders.freeze_wallet(reference=reference, reason=form.get("reason", ""), actor=actor, now=clock.now())
    return f"{reference} is frozen: it pays nothing out, and is still credited."


def _lift(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    holders.lift_freeze(reference=reference, actor=actor, now=clock.now())
    return f"{reference} may pay again."


OPERATIONS: dict[str, Operation] = {
    "freeze-wallet": Operation(
        "Freeze a wallet",
        "It pays nothing out until the freeze is lifted; it is still credited, and what is held already is finished.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Wallet", []), ("reason", "Reason", [])],
        _freeze,
    ),
    "lift-wallet-freeze": Operation(
        "Lift a wallet's freeze",
        "It may pay again.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Wallet", [])],
        _lift,
    ),
}
