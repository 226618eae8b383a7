"""What is changed in versions that two people make: charts, mappings, templates, fee and limit rules (DESIGN.md section 6)."""

from typing import Any

from django.db import models
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class Version(Stateful):
    """Abstract parent: draft → proposed → active → retired. A refused proposal is a draft again.

    The baseline's versions are reference rows: `made_by` and `activated_by` say so. What a version says is fixed once it
    has left draft, by a trigger; transactions name the template version that made them.
    """

    class State(models.TextChoices):
        DRAFT = "draft"
        PROPOSED = "proposed"
        ACTIVE = "active"
        RETIRED = "retired"

    state = FSMField(choices=State.choices, default=State.DRAFT, protected=True, max_length=40)
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=500, default="", help_text="why, in the maker's words")
    made_by = models.CharField(max_length=150)
    activated_by = models.CharField(max_length=150, default="")
    activated_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def announcement(self) -> Announcement | None:
        return None

    def siblings(self) -> Any:
        """Return every version of the same thing, this one among them."""
        return type(self)._default_manager.filter(environment=self.environment)

    @transition(field=state, source=State.DRAFT, target=State.PROPOSED)
    def propose(self) -> None:
        """Hand it to a second person."""

    @transition(field=state, source=State.PROPOSED, target=State.DRAFT)
    def take_back(self) -> None:
        """Refused, or withdrawn by its maker."""

    @transition(field=state, source=State.PROPOSED, target=State.ACTIVE)
    def activate(self) -> None:
        """Approved by a second person: effective at once."""

    @transition(field=state, source=State.ACTIVE, target=State.RETIRED)
    def retire(self) -> None:
        """Replaced."""
