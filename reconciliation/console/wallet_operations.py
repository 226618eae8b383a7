"""The console's operations on wallets of our book: open one, freeze it, lift the freeze, close it, open it again.

REST has the same doors, but the last one.
"""

from ledger.controls import clock
from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.roles import Ability
from ledger.environments import Environment
from reconciliation.console.operation import Form, Operation
from wallets import holders
from wallets.models import Operator, Wallet


def _open(form: Form, actor: str) -> str:
    operator = Operator.objects.filter(slug=form.get("slug", "")).first()
    if operator is None:
        raise NotFound("There is no such operator.")
    environment = form.get("environment", "")
    if environment not in Environment.values:
        raise Malformed(f"The environment is one of: {', '.join(Environment.values)}.")
    wallet = holders.open_wallet(
        operator_id=operator.pk,
        environment=environment,
        kind=form.get("kind", ""),
        user_reference=form.get("user_reference", ""),
        assets=form.get("assets", "").replace(",", " ").split(),
        now=clock.now(),
    )
    return f"{wallet.reference} of {operator.name}'s {wallet.user_reference} is open."


def _close(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    holders.close_wallet(reference=reference, actor=actor, now=clock.now())
    return f"{reference} is closed."


def _reopen(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    holders.reopen_wallet(reference=reference, reason=form.get("reason", ""), actor=actor, now=clock.now())
    return f"{reference} is open again."


def _freeze(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    holders.freeze_wallet(reference=reference, reason=form.get("reason", ""), actor=actor, now=clock.now())
    return f"{reference} is frozen: it pays nothing out, and is still credited."


def _lift(form: Form, actor: str) -> str:
    reference = form.get("reference", "")
    whose = form.get("frozen_by", "")
    wallet = holders.lift_freeze(reference=reference, actor=actor, frozen_by=whose, now=clock.now())
    others = ", ".join(freeze.frozen_by for freeze in holders.standing_freezes(wallet))
    return f"{reference} stays frozen by {others}." if others else f"{reference} may pay again."


OPERATIONS: dict[str, Operation] = {
    "open-wallet": Operation(
        "Open a wallet",
        "Of an operator's user or merchant. One that is open already gets the assets that it lacks.",
        Ability.KEEP_WALLETS,
        lambda: [
            ("slug", "Operator", list(Operator.objects.order_by("slug").values_list("slug", flat=True))),
            ("environment", "Environment", list(Environment.values)),
            ("kind", "Kind", list(Wallet.Kind.values)),
            ("user_reference", "The operator's name for its owner", []),
            ("assets", "Assets, such as EUR THB", []),
        ],
        _open,
    ),
    "freeze-wallet": Operation(
        "Freeze a wallet",
        "It pays nothing out until every freeze is lifted; it is still credited, and what is held already is finished.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Wallet", []), ("reason", "Reason", [])],
        _freeze,
    ),
    "lift-wallet-freeze": Operation(
        "Lift a wallet's freeze",
        "It may pay again when no other freeze stands.",
        Ability.HALT_AND_FREEZE,
        lambda: [("reference", "Wallet", []), ("frozen_by", "Whose freeze", [])],
        _lift,
    ),
    "close-wallet": Operation(
        "Close a wallet",
        "It pays nothing and is paid nothing. One with money, holds or debts in it is refused.",
        Ability.KEEP_WALLETS,
        lambda: [("reference", "Wallet", [])],
        _close,
    ),
    "reopen-wallet": Operation(
        "Open a closed wallet again",
        "What came in after it was closed, a pay-in or a payment that came back, may then leave it. Its freezes stand.",
        Ability.KEEP_WALLETS,
        lambda: [("reference", "Wallet", []), ("reason", "Reason", [])],
        _reopen,
    ),
}

OF_ONE_WALLET = ("freeze-wallet", "lift-wallet-freeze", "close-wallet", "reopen-wallet")
"""Those that a wallet's page offers."""
