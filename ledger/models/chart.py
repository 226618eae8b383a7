"""Chart, GL mappings and posting templates: each in versions that two people change (DESIGN.md section 6, Versions)."""

from django.db import models
from django.db.models import Q
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


class ChartVersion(Version):
    """A whole chart of accounts: `content` is its rows, in the columns of the CSV."""

    MACHINE = "chart_version"

    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "number"], name="chart_number_once"),
            models.UniqueConstraint(fields=["environment"], condition=Q(state="active"), name="chart_one_active"),
        ]


class GLMapping(Version):
    """What an event type debits and credits, by GL code: `content` as in the baseline's mappings."""

    MACHINE = "gl_mapping"

    event_type = models.CharField(max_length=60)
    content = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "event_type", "number"], name="gl_mapping_number_once"),
            models.UniqueConstraint(
                fields=["environment", "event_type"], condition=Q(state="active"), name="gl_mapping_one_active"
            ),
        ]


class PostingTemplate(Version):
    """What an event type posts, in Numscript."""

    MACHINE = "posting_template"

    event_type = models.CharField(max_length=60)
    source = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "event_type", "number"], name="template_number_once"),
            models.UniqueConstraint(
                fields=["environment", "event_type"], condition=Q(state="active"), name="template_one_active"
            ),
        ]


class TemplateStamp(models.Model):
    """One row that changes with every move of a template or mapping: by it a process knows that its copies stand."""

    id = models.BooleanField(primary_key=True)
    stamp = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_template_stamp"
