"""What payments cost changes now and then: a new version of a fee, drafted by one person and approved by another."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ledger.controls import clock
from tests.simulation.scene import PEOPLE
from tests.simulation.scene_of_payments import RULES
from wallets import rules
from wallets.rule_terms import FeeTerms

if TYPE_CHECKING:
    from tests.simulation.world import World

_FEES: Final = {code: terms for code, terms in RULES.items() if isinstance(terms, FeeTerms)}


def reprice(world: "World") -> None:
    """Have a next version of some fee in force."""
    maker, checker = (f"user:{name}" for name in world.chance.sample(PEOPLE, 2))
    code = world.chance.choice(tuple(_FEES))
    terms = replace(_FEES[code], fixed_minor=world.chance.randrange(1_500))
    drafted = rules.draft(environment="test", code=code, terms=terms, note="agreed", actor=maker, now=clock.now())
    rules.propose(reference=drafted.reference, note="agreed", actor=maker, now=clock.now())
    rules.approve(reference=drafted.reference, reason="checked", actor=checker, now=clock.now())
    world.met("staff", "reprice")
