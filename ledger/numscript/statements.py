"""Statements: send, save, set_tx_meta, set_account_meta."""

from collections.abc import Callable
from typing import TypeGuard, assert_never, cast

from ledger.numscript import destinations, expressions, functions, sources, syntax
from ledger.numscript.errors import MissingFunds, NegativeAmount, Position, UnknownName
from ledger.numscript.expressions import MonetaryCode
from ledger.numscript.run import Run, Sent
from ledger.numscript.scope import Scope, TextCode
from ledger.numscript.values import WORLD, Kind

Step = Callable[[Run], None]


def compiled(node: syntax.Statement, scope: Scope) -> Step:
    """Check and compile a statement."""
    match node:
        case syntax.Send():
            return _send(node, scope)
        case syntax.Save():
            return _save(node, scope)
        case syntax.Call():
            return _set_metadata(node, scope)
        case _:
            assert_never(node)


def _send(node: syntax.Send, scope: Scope) -> Step:
    if isinstance(node.amount, syntax.AllOf):
        return _send_everything(node, expressions.asset(node.amount.asset, scope), scope)
    amount = expressions.monetary(node.amount, scope)
    taking = sources.compiled(node.source, lambda run: amount(run).asset, scope, everything=False)
    giving = destinations.compiled(node.destination, scope)
    if _is_plain(node.source) and isinstance(node.destination, syntax.AccountDestination):
        return _send_plainly(node, node.source, node.destination, amount, scope)

    def step(run: Run) -> None:
        run.asset, minor = amount(run)
        _refuse_negative(minor, run.asset, node.amount.at)
        sources.take_exactly(taking, run, minor)
        giving(run, minor)

    return step


def _send_everything(node: syntax.Send, asset: TextCode, scope: Scope) -> Step:
    taking = sources.compiled(node.source, asset, scope, everything=True)
    giving = destinations.compiled(node.destination, scope)

    def step(run: Run) -> None:
        run.asset = asset(run)
        giving(run, taking.everything(run))

    return step


def _is_plain(source: syntax.Source) -> TypeGuard[syntax.AccountSource]:
    return isinstance(source, syntax.AccountSource) and source.color is None and source.overdraft is None


def _send_plainly(
    node: syntax.Send,
    source: syntax.AccountSource,
    destination: syntax.AccountDestination,
    amount: MonetaryCode,
    scope: Scope,
) -> Step:
    """One account to one account, which most sends are: the same as above without a queue."""
    debited = expressions.account(source.address, scope)
    credited = expressions.account(destination.address, scope)
    unbounded = source.unbounded
    at, amount_at = source.at, node.amount.at

    def step(run: Run) -> None:
        asset, minor = amount(run)
        if minor <= 0:
            _refuse_negative(minor, asset, amount_at)
            return
        account = debited(run)
        if not (unbounded or account in WORLD or run.unbounded(account)):
            held = max(0, run.balance(account, asset))
            if held < minor:
                raise MissingFunds(at, asset=asset, needed=minor, available=held)
        target = credited(run)
        moved = run.moved
        key = (account, asset, "")
        moved[key] = moved.get(key, 0) - minor
        key = (target, asset, "")
        moved[key] = moved.get(key, 0) + minor
        run.postings.append(Sent(account, target, asset, minor, ""))

    return step


def _save(node: syntax.Save, scope: Scope) -> Step:
    """Put an amount of a balance out of reach for the statements that follow."""
    account = expressions.account(node.account, scope)
    if isinstance(node.amount, syntax.AllOf):
        asset = expressions.asset(node.amount.asset, scope)
        scope.needs.append((account, asset))

        def save_everything(run: Run) -> None:
            _put_by(run, account(run), asset(run), None)

        return save_everything
    amount = expressions.monetary(node.amount, scope)
    scope.needs.append((account, lambda run: amount(run).asset))

    def save(run: Run) -> None:
        code, minor = amount(run)
        _refuse_negative(minor, code, node.amount.at)
        _put_by(run, account(run), code, minor)

    return save


def _put_by(run: Run, address: str, asset: str, minor: int | None) -> None:
    held = max(0, run.balance(address, asset))
    run.move(address, asset, "", -(held if minor is None else min(held, minor)))


def _refuse_negative(minor: int, asset: str, at: Position) -> None:
    if minor < 0:
        raise NegativeAmount(f"The amount is negative: [{asset} {minor}].", at)


def _set_metadata(node: syntax.Call, scope: Scope) -> Step:
    arguments = [expressions.compiled(argument, scope) for argument in node.arguments]
    if node.function == functions.SET_TRANSACTION_METADATA:
        functions.check_arguments(node, arguments, (Kind.STRING, None))
        key, value = cast(TextCode, arguments[0].code), arguments[1].code

        def set_on_transaction(run: Run) -> None:
            run.transaction_metadata[key(run)] = value(run)

        return set_on_transaction
    if node.function == functions.SET_ACCOUNT_METADATA:
        functions.check_arguments(node, arguments, (Kind.ACCOUNT, Kind.STRING, None))
        account, name, content = (argument.code for argument in arguments)

        def set_on_account(run: Run) -> None:
            run.account_metadata.setdefault(cast(str, account(run)), {})[cast(str, name(run))] = content(run)

        return set_on_account
    raise UnknownName(f"There is no function {node.function}() that stands as a statement.", node.at)
