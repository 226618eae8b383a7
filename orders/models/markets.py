"""Outcome markets: a question, two outcomes, and what became of it."""

from django.db import models
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class Market(Stateful):
    """A question with two outcomes, yes and no, each traded in a pool of its own; both pools share one account.

    A share pays one unit of the cash asset when its outcome came true: at the resolved price, or, in a voided market,
    what was paid for it.
    """

    MACHINE = "market"

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        """No new trades; open reservations still settle."""
        RESOLVED = "resolved"
        VOIDED = "voided"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    code = models.CharField(max_length=30, help_text="RAIN-2026")
    question = models.CharField(max_length=300)
    cash_asset = models.CharField(max_length=20)
    funding_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="the maker's complete sets at opening"
    )
    price_yes = models.DecimalField(
        max_digits=7, decimal_places=6, null=True, help_text="of one share of yes, resolved"
    )
    evidence = models.CharField(max_length=500, default="", help_text="of the resolution")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "code"], name="market_once")]

    @transition(field=state, source=State.OPEN, target=State.CLOSED)
    def close(self) -> None:
        """No new trades."""

    @transition(field=state, source=State.CLOSED, target=State.RESOLVED)
    def resolve(self) -> None:
        """Two people agree on what came true, by evidence."""

    @transition(field=state, source=State.CLOSED, target=State.VOIDED)
    def void(self) -> None:
        """Two people agree that nothing can be said: every position is worth what was paid for it."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"market.{self.state}",
            public=False,
            payload={
                "market_id": self.reference,
                "code": self.code,
                "price_yes": None if self.price_yes is None else format(self.price_yes, "f"),
            },
        )
