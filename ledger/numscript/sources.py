"""Sources: where a send takes its funds. Each is two functions: take up to an amount, and take all there is."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from ledger.numscript import allotments, expressions, scaling, syntax
from ledger.numscript.errors import AllotmentInvalid, MissingFunds, Position, UnboundedSource, VariableInvalid
from ledger.numscript.features import Feature
from ledger.numscript.run import Run
from ledger.numscript.scope import AmountCode, Scope, TextCode
from ledger.numscript.values import WORLD

TakeUpTo = Callable[[Run, int], int]
"""Takes at most an amount of 0 or more into the queue, and returns how much."""

TakeAll = Callable[[Run], int]

_COLOR = re.compile(r"[A-Z]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Taking:
    at: Position
    up_to: TakeUpTo
    everything: TakeAll


def compiled(node: syntax.Source, asset: TextCode, scope: Scope, *, everything: bool) -> Taking:
    """Check and compile a source. `asset` is that of the send; `everything` says that it sends all there is."""
    match node:
        case syntax.AccountSource():
            return _account(node, asset, scope, everything=everything)
        case syntax.ScaledSource():
            return _scaled(node, asset, scope)
        case syntax.InOrderSource(at, sources):
            return _in_order(at, [compiled(each, asset, scope, everything=everything) for each in sources])
        case syntax.OneOfSource(at, sources):
            scope.require(Feature.ONEOF, at)
            first = compiled(sources[0], asset, scope, everything=everything)
            return _one_of(at, [first, *(compiled(each, asset, scope, everything=False) for each in sources[1:])])
        case syntax.CappedSource():
            return _capped(node, asset, scope)
        case syntax.AllottedSource():
            if everything:
                raise AllotmentInvalid("All of a split source cannot be sent: a split needs an amount.", node.at)
            return _allotted(node, asset, scope)
        case _:
            assert_never(node)


def take_exactly(taking: Taking, run: Run, amount: int) -> None:
    """Take exactly this amount, or raise MissingFunds."""
    taken = taking.up_to(run, amount)
    if taken != amount:
        raise MissingFunds(taking.at, asset=run.asset, needed=amount, available=taken)


def color_of(node: syntax.Expression | None, scope: Scope) -> TextCode:
    if node is None:
        return lambda run: ""
    scope.require(Feature.ASSET_COLORS, node.at)
    color = expressions.string(node, scope)
    at = node.at

    def code(run: Run) -> str:
        name = color(run)
        if not _COLOR.fullmatch(name):
            raise VariableInvalid(f"A color is written in capital letters; {name[:80]!r} is not.", at)
        return name

    return code


def _account(node: syntax.AccountSource, asset: TextCode, scope: Scope, *, everything: bool) -> Taking:
    address = expressions.account(node.address, scope)
    color = color_of(node.color, scope)
    if node.unbounded:
        return _unbounded(node, address, color, everything=everything)
    scope.needs.append((address, asset))
    overdraft = expressions.amount_in_asset_of_send(node.overdraft, scope) if node.overdraft is not None else None

    def up_to(run: Run, amount: int) -> int:
        account = address(run)
        bound = max(0, overdraft(run)) if overdraft is not None else 0
        if account not in WORLD and (overdraft is not None or not run.unbounded(account)):
            shade = color(run)
            amount = min(amount, max(0, run.balance(account, run.asset, shade) + bound))
            run.take(account, amount, shade)
        else:
            run.take(account, amount, color(run))
        return amount

    def all_there_is(run: Run) -> int:
        account = address(run)
        if account in WORLD:
            raise _endless(account, node.at)
        bound = max(0, overdraft(run)) if overdraft is not None else 0
        shade = color(run)
        amount = max(0, run.balance(account, run.asset, shade) + bound)
        run.take(account, amount, shade)
        return amount

    return Taking(node.at, up_to, all_there_is)


def _unbounded(node: syntax.AccountSource, address: TextCode, color: TextCode, *, everything: bool) -> Taking:
    if everything:
        raise UnboundedSource("All of an unbounded source cannot be sent.", node.at)

    def up_to(run: Run, amount: int) -> int:
        run.take(address(run), amount, color(run))
        return amount

    def all_there_is(run: Run) -> int:
        raise _endless(address(run), node.at)

    return Taking(node.at, up_to, all_there_is)


def _endless(account: str, at: Position) -> UnboundedSource:
    return UnboundedSource(f"All of @{account.removeprefix('@')} cannot be sent: it has no end.", at)


def _scaled(node: syntax.ScaledSource, asset: TextCode, scope: Scope) -> Taking:
    scope.require(Feature.ASSET_SCALING, node.at)
    address = expressions.account(node.address, scope)
    through = expressions.account(node.through, scope)
    at = node.at
    scope.needs.append((address, lambda run: scaling.named(scaling.parted(asset(run), at)[0], 0) + "/*"))

    def up_to(run: Run, amount: int) -> int:
        account = _bounded(run)
        scaling.change(run, account, through(run), amount, at)
        return _take(run, account, min(amount, max(0, run.balance(account, run.asset))))

    def all_there_is(run: Run) -> int:
        account = _bounded(run)
        scaling.change(run, account, through(run), None, at)
        return _take(run, account, max(0, run.balance(account, run.asset)))

    def _bounded(run: Run) -> str:
        account = address(run)
        if account in WORLD:
            raise _endless(account, at)
        return account

    def _take(run: Run, account: str, amount: int) -> int:
        run.take(account, amount, "")
        return amount

    return Taking(at, up_to, all_there_is)


def _in_order(at: Position, takings: Sequence[Taking]) -> Taking:
    def up_to(run: Run, amount: int) -> int:
        left = amount
        for taking in takings:
            left -= taking.up_to(run, left)
        return amount - left

    def all_there_is(run: Run) -> int:
        return sum([taking.everything(run) for taking in takings])

    return Taking(at, up_to, all_there_is)


def _one_of(at: Position, takings: Sequence[Taking]) -> Taking:
    """The first that gives the whole amount; where none does, what the last one gives. Of everything: the first."""

    def up_to(run: Run, amount: int) -> int:
        for taking in takings[:-1]:
            before = run.snapshot()
            if taking.up_to(run, amount) == amount:
                return amount
            run.restore(before)
        return takings[-1].up_to(run, amount)

    return Taking(at, up_to, takings[0].everything)


def _capped(node: syntax.CappedSource, asset: TextCode, scope: Scope) -> Taking:
    cap: AmountCode = expressions.amount_in_asset_of_send(node.cap, scope)
    taking = compiled(node.source, asset, scope, everything=False)
    return Taking(
        node.at,
        lambda run, amount: taking.up_to(run, min(amount, max(0, cap(run)))),
        lambda run: taking.up_to(run, max(0, cap(run))),
    )


def _allotted(node: syntax.AllottedSource, asset: TextCode, scope: Scope) -> Taking:
    split = allotments.split(node.portions, node.at, scope)
    takings = [compiled(each, asset, scope, everything=False) for each in node.sources]

    def up_to(run: Run, amount: int) -> int:
        for taking, share in zip(takings, split(run, amount), strict=True):
            take_exactly(taking, run, share)
        return amount

    def all_there_is(run: Run) -> int:
        raise AllotmentInvalid("All of a split source cannot be sent: a split needs an amount.", node.at)

    return Taking(node.at, up_to, all_there_is)
