"""Chart, GL mappings and posting templates: each in versions that two people change (DESIGN.md section 6, Versions)."""

from typing import Any

from django.db import models
from django.db.models import Q

from ledger.controls.versions import Version as Version


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

    def siblings(self) -> Any:
        return super().siblings().filter(event_type=self.event_type)


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

    def siblings(self) -> Any:
        return super().siblings().filter(event_type=self.event_type)


class TemplateStamp(models.Model):
    """One row that changes with every move of a template or mapping: by it a process knows that its copies stand."""

    id = models.BooleanField(primary_key=True)
    stamp = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_template_stamp"
