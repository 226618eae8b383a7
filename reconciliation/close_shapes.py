"""What closes and exceptions look like over REST, for house keys with the scope `finance`."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from reconciliation.check_registry import every_check
from reconciliation.models import CloseRun, ExceptionCase

CASE_TYPES = [check.name for check in every_check()]


class CloseQuery(pages.PageQuery):
    state = shapes.Word(choices=CloseRun.State.choices, required=False)


class ExceptionQuery(pages.PageQuery):
    state = shapes.Word(choices=ExceptionCase.State.choices, required=False)
    type = shapes.Word(choices=CASE_TYPES, required=False)
    owner = shapes.Text(max_length=150, required=False, default="", help_text="exactly")
    date = serializers.DateField(required=False, input_formats=["%Y-%m-%d"], help_text="a business date")


class CheckPoint(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    text = serializers.CharField()
    passes = serializers.BooleanField()
    figures = serializers.CharField()
    blocked_by = serializers.ListField(child=serializers.CharField(), help_text="exceptions, or what else blocks it")


class Signature(serializers.Serializer[Any]):
    role = serializers.CharField()
    person = serializers.CharField()
    comment = serializers.CharField(allow_blank=True)
    run = serializers.IntegerField()
    signed_at = serializers.DateTimeField()


class ArtifactRow(serializers.Serializer[Any]):
    name = serializers.CharField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class CloseAnswer(serializers.Serializer[Any]):
    close_id = serializers.CharField()
    business_date = serializers.DateField()
    environment = serializers.CharField()
    status = serializers.CharField()
    provisional = serializers.BooleanField(help_text="the day is not over")
    window_from = serializers.DateTimeField()
    window_to = serializers.DateTimeField()
    signable_from = serializers.DateTimeField()
    runs = serializers.IntegerField()
    last_run_at = serializers.DateTimeField(allow_null=True)
    step = serializers.CharField(allow_blank=True, help_text="what its run is doing now")
    steps_done = serializers.IntegerField()
    steps_planned = serializers.IntegerField()
    ledger_block = serializers.IntegerField(allow_null=True)
    ledger_root = serializers.CharField(allow_blank=True)


class CloseDetail(CloseAnswer):
    records = serializers.DictField(child=serializers.IntegerField())
    breaks = serializers.DictField(child=serializers.IntegerField())
    cut_off = serializers.ListField(
        child=serializers.CharField(), help_text="types of which there were more than a run looks at; it is not signed"
    )
    zero_sum = serializers.DictField(child=serializers.CharField())
    checklist = CheckPoint(many=True)
    signatures = Signature(many=True)
    artifacts = ArtifactRow(many=True)


class ClosePage(serializers.Serializer[Any]):
    data = CloseAnswer(many=True)  # type: ignore[assignment]  # the name is the answer's, not DRF's
    next = serializers.CharField(allow_null=True)


class ExceptionAnswer(serializers.Serializer[Any]):
    exception_id = serializers.CharField()
    type = serializers.CharField()
    title = serializers.CharField()
    meaning = serializers.CharField()
    status = serializers.CharField()
    subject = serializers.CharField()
    order_id = serializers.CharField(allow_null=True)
    business_date = serializers.DateField()
    asset = serializers.CharField(allow_null=True)
    amount_at_risk = serializers.CharField(allow_null=True)
    age_days = serializers.IntegerField()
    aging_bucket = serializers.CharField()
    owner = serializers.CharField(allow_blank=True)
    next_review_on = serializers.DateField(allow_null=True)
    first_action = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    resolution = serializers.CharField(allow_blank=True)
    records = serializers.DictField(help_text="the ids to look at")
    opened_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()


class ExceptionPage(serializers.Serializer[Any]):
    data = ExceptionAnswer(many=True)  # type: ignore[assignment]  # as above
    next = serializers.CharField(allow_null=True)
