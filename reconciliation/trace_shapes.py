"""What the answers about one order's whole way look like (for the document): 0Pools' two records, and the timeline."""

from typing import Any

from rest_framework import serializers

from ledger.environments import Environment
from orders.models import Order, Trade


class MinimalRecord(serializers.Serializer[Any]):
    """0Pools' minimal database shape, in its order."""

    order_id = serializers.CharField(help_text="yours: the partner order id")
    environment = serializers.ChoiceField(choices=Environment.choices)
    pool_id = serializers.CharField()
    quote_id = serializers.CharField()
    trade_id = serializers.CharField(allow_null=True)
    idempotency_key = serializers.CharField()
    latest_status = serializers.ChoiceField(choices=Trade.State.choices, allow_null=True)
    ledger_ref = serializers.CharField(allow_null=True)
    last_event_id = serializers.CharField(allow_null=True)
    last_request_id = serializers.CharField()


class ProductRecord(serializers.Serializer[Any]):
    """0Pools' example product record, in its order."""

    product_area = serializers.CharField()
    partner_reference = serializers.CharField()
    pool_id = serializers.CharField()
    quote_id = serializers.CharField()
    transact_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=Trade.State.choices, allow_null=True)
    request_id = serializers.CharField()
    reconciliation_state = serializers.CharField()


class TimelineItem(serializers.Serializer[Any]):
    sequence = serializers.IntegerField(help_text="as in the order's webhooks")
    status = serializers.ChoiceField(choices=Order.State.choices)
    at = serializers.DateTimeField()


class Timeline(serializers.Serializer[Any]):
    record = MinimalRecord()
    product_record = ProductRecord()
    order_id = serializers.CharField()
    data = TimelineItem(many=True)  # type: ignore[assignment]  # DRF names its own property so
