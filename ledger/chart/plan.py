"""A plain template's postings, read off a draft without executing the template. Knows no database."""

from collections.abc import Mapping as AnyMapping
from typing import Self

from ledger.chart.book_postings import WORLD, ZERO, BookPosting
from ledger.chart.mappings import Mapping
from ledger.drafts import Draft
from ledger.money import Money
from ledger.numscript import Kind, Program, is_address, is_asset


class Plan:
    """Of each line, in order: the amount's name, whether it has to be given, and whom it debits and credits."""

    __slots__ = ("_lines", "_roles")

    def __init__(self, *, lines: tuple[tuple[str, bool, str, str], ...], roles: tuple[str, ...]) -> None:
        self._lines = lines
        self._roles = roles

    @classmethod
    def of(cls, program: Program, mapping: Mapping, roles: AnyMapping[str, str]) -> Self | None:
        """Plan a template whose account variables stand for these roles, or return None where a plan will not do."""
        sends = program.plain_sends
        if sends is None:
            return None
        names = [send.amount for send in sends]
        amounts = [variable.name for variable in program.variables if variable.kind is Kind.MONETARY]
        required = {name for name, line in mapping.lines.items() if line.required}
        needed = {role for line in mapping.lines.values() for role in line.needs}
        if sorted(names) != sorted(amounts) or not required <= set(names) or not needed <= set(roles.values()):
            return None
        return cls(
            lines=tuple(
                (send.amount, send.amount in required, roles[send.source], roles[send.destination]) for send in sends
            ),
            roles=tuple(roles.values()),
        )

    def postings(self, draft: Draft) -> list[BookPosting] | None:
        """Return what executing the template would post, or None where the interpreter has to be asked.

        It is asked about all that is not as usual: it knows what to refuse, and in which words.
        """
        accounts, amounts = draft.accounts, draft.amounts
        if draft.flags:
            return None
        for role in self._roles:
            address = accounts.get(role)
            if address.__class__ is not str or address == WORLD or not is_address(address):
                return None
        postings, given = [], 0
        for name, required, debit, credit in self._lines:
            money = amounts.get(name)
            if money is None:
                if required:
                    return None
                continue
            given += 1
            if money.__class__ is not Money:
                return None
            minor, asset = money.minor, money.asset
            if not 0 <= minor < ZERO or asset.__class__ is not str or not is_asset(asset):
                return None
            if minor:
                postings.append((accounts[debit], accounts[credit], asset, minor))
        return postings if given == len(amounts) else None
