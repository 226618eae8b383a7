"""Operators and wallets for the tests of the wallets floor."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from django.db import transaction as db_transaction

from ledger import adjustments
from ledger.accounts import OUTSIDE, WORLD, Opening, open_accounts
from ledger.controls import clock
from ledger.direct_posting import KeyTaken
from ledger.drafts import Draft
from ledger.environments import Environment
from ledger.money import Money
from wallets import holders, operators
from wallets.models import Operator, Wallet


def operator(slug: str = "acme", *, zone: str = "UTC") -> Operator:
    found = Operator.objects.filter(slug=slug).first()
    if found is None:
        found = operators.create_operator(name=slug.title(), slug=slug, kind=Operator.Kind.OPERATOR, now=clock.now())
    if found.zone != zone:
        found.zone = zone
        found.save(update_fields=["zone"])
    return found


def wallet(
    user_reference: str = "alice",
    *,
    owner: Operator | None = None,
    kind: str = "user",
    assets: Sequence[str] = ("EUR",),
    now: datetime | None = None,
) -> Wallet:
    with db_transaction.atomic():
        return holders.open_wallet(
            operator_id=(owner or operator()).pk,
            environment=Environment.TEST,
            kind=kind,
            user_reference=user_reference,
            assets=assets,
            now=now or clock.now(),
        )


def fund(found: Wallet, minor: int, asset: str = "EUR", *, key: str = "") -> None:
    """Put money into a wallet from outside of the book; under a key that was used before nothing more."""
    open_accounts(environment=Environment.TEST, openings=[Opening(WORLD, asset, OUTSIDE)])
    with suppress(KeyTaken):
        decided_by_two(
            Draft(
                event_type="OPENING_BALANCE",
                key=key or f"fund:{found.reference}:{asset}",
                subject=found.reference,
                amounts={"amount": Money(minor, asset)},
                accounts={"world": WORLD, "account": holders.available_address(found)},
            )
        )


def decided_by_two(draft: Draft) -> None:
    """Post what one person proposes and another approves."""
    with db_transaction.atomic():
        proposal = adjustments.propose(
            environment=Environment.TEST, draft=draft, reason="agreed", maker="user:ann", now=clock.now()
        )
    adjustments.approve(reference=proposal.reference, reason="checked", checker="user:ben", now=clock.now())
