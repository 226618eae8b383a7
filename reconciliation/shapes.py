"""What the routes of review cases take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from orders.models import ReviewCase


class ReviewCaseList(pages.PageQuery):
    status = shapes.Word(choices=ReviewCase.State.choices, required=False)
    reason = shapes.Text(max_length=40, required=False, help_text="debit_unknown, credit_rejected, …")
    owner = shapes.Text(max_length=150, required=False)
    subject = shapes.Text(max_length=40, required=False, help_text="an order's, an intent's or a return's id")
    overdue = shapes.QueryFlag(
        required=False, default=False, help_text="true: only cases past their due time or review date"
    )


class ReviewCaseAnswer(serializers.Serializer[Any]):
    review_case_id = serializers.CharField()
    subject = serializers.CharField(help_text="the order, intent or return that people decide about")
    order_id = serializers.CharField(allow_null=True, help_text="the order that it is about; null for an intent's")
    intent_id = serializers.CharField(
        allow_null=True, help_text="the payout's intent that it is about; null for an order's"
    )
    status = serializers.ChoiceField(choices=ReviewCase.State.choices)
    reason = serializers.CharField(help_text="stable: debit_unknown, credit_rejected, …")
    owner = serializers.CharField(allow_null=True)
    next_action = serializers.CharField()
    asset = serializers.CharField()
    amount = serializers.RegexField(
        r"^[0-9]+([.][0-9]+)?$", help_text="a decimal string with exactly the asset's scale"
    )
    due_at = serializers.DateTimeField(allow_null=True, help_text="by the reason's SLA")
    next_review_on = serializers.DateField(allow_null=True)
    overdue = serializers.BooleanField()
    resolution = serializers.CharField(allow_null=True)
    resolved_by = serializers.CharField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="a proposal is bound to it")


class ReviewCasePage(serializers.Serializer[Any]):
    data = ReviewCaseAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class HappenedAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    who = serializers.CharField()
    kind = serializers.ChoiceField(choices=["move", "proposal", "note"])
    what = serializers.CharField()
    why = serializers.CharField(allow_null=True)


class EvidenceAnswer(serializers.Serializer[Any]):
    idempotency_key = serializers.CharField()
    leg = serializers.CharField()
    status = serializers.CharField()
    attempts = serializers.IntegerField(help_text="asks and lookups so far")
    last_asked_at = serializers.DateTimeField(allow_null=True)


class OfferAnswer(serializers.Serializer[Any]):
    resolution = serializers.CharField()
    allowed = serializers.BooleanField()
    why_not = serializers.CharField(allow_null=True)
    ends_in = serializers.CharField()
    two_people = serializers.BooleanField()


class ReviewCaseDetail(ReviewCaseAnswer):
    evidence = EvidenceAnswer(many=True)
    resolutions = OfferAnswer(many=True, help_text="empty once it is resolved; they are carried out in the console")
    history = HappenedAnswer(many=True)
