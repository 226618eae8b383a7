"""Destinations: where a send gives the funds that its sources hold ready."""

from collections.abc import Callable, Sequence
from typing import assert_never

from ledger.numscript import allotments, expressions, syntax
from ledger.numscript.features import Feature
from ledger.numscript.run import Run
from ledger.numscript.scope import AmountCode, Scope

Giving = Callable[[Run, int], None]


def compiled(node: syntax.Destination, scope: Scope) -> Giving:
    """Check and compile a destination: a function that gives it an amount."""
    match node:
        case syntax.Kept():
            return lambda run, amount: run.keep(amount)
        case syntax.AccountDestination():
            address = expressions.account(node.address, scope)
            return lambda run, amount: run.give(address(run), amount)
        case syntax.AllottedDestination():
            return _allotted(node, scope)
        case syntax.InOrderDestination():
            return _in_order(*_clauses(node, scope))
        case syntax.OneOfDestination():
            scope.require(Feature.ONEOF, node.at)
            return _one_of(*_clauses(node, scope))
        case _:
            assert_never(node)


Clauses = tuple[Sequence[tuple[AmountCode, Giving]], Giving]


def _clauses(node: syntax.InOrderDestination | syntax.OneOfDestination, scope: Scope) -> Clauses:
    capped = [
        (expressions.amount_in_asset_of_send(cap, scope), compiled(target, scope))
        for cap, target in zip(node.caps, node.targets, strict=True)
    ]
    return capped, compiled(node.remaining, scope)


def _allotted(node: syntax.AllottedDestination, scope: Scope) -> Giving:
    split = allotments.split(node.portions, node.at, scope)
    targets = [compiled(target, scope) for target in node.targets]

    def give(run: Run, amount: int) -> None:
        for target, share in zip(targets, split(run, amount), strict=True):
            target(run, share)

    return give


def _in_order(clauses: Sequence[tuple[AmountCode, Giving]], remaining: Giving) -> Giving:
    """Fill each cap in turn. Clauses that get nothing are not looked at."""

    def give(run: Run, amount: int) -> None:
        left = amount
        for cap, target in clauses:
            if left == 0:
                return
            share = min(left, max(0, cap(run)))
            if share:
                target(run, share)
                left -= share
        if left:
            remaining(run, left)

    return give


def _one_of(clauses: Sequence[tuple[AmountCode, Giving]], remaining: Giving) -> Giving:
    def give(run: Run, amount: int) -> None:
        for cap, target in clauses:
            if cap(run) >= amount:
                target(run, amount)
                return
        remaining(run, amount)

    return give
