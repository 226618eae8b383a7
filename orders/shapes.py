"""What orders' routes take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from orders.models import Order, Quote


class QuoteRequest(shapes.Shape):
    pool_id = shapes.Text(max_length=40)
    side = shapes.Word(choices=Quote.Side.choices)
    source_asset = shapes.Text(max_length=20, help_text="the asset of the connected wallet")
    source_amount = shapes.AmountText(help_text="what the wallet is debited, fees in it; a decimal string")
    user_reference = shapes.Text(max_length=64, help_text="your opaque name for your user")
    firm = shapes.Flag(required=False, default=True, help_text="false shows a price and stores nothing")


class OrderRequest(shapes.Shape):
    quote_id = shapes.Text(max_length=40)
    partner_order_id = shapes.Text(max_length=80, help_text="your order's id: one order each")
    user_reference = shapes.Text(max_length=64, required=False, default="", help_text="must be the quote's, if given")


class OrderQuery(shapes.Shape):
    dry_run = shapes.QueryFlag(required=False, default=False, help_text="walk the same path, and roll it back")


class QuoteList(pages.PageQuery):
    status = shapes.Word(choices=Quote.State.choices, required=False)


class OrderList(pages.PageQuery):
    status = shapes.Word(choices=Order.State.choices, required=False)
    partner_order_id = shapes.Text(max_length=80, required=False)


class FeeItem(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()
    amount = serializers.CharField()
    vat = serializers.CharField()
    asset = serializers.CharField()


class Fx(serializers.Serializer[Any]):
    rate = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    as_of = serializers.DateTimeField()


class QuoteAnswer(serializers.Serializer[Any]):
    quote_id = serializers.CharField(allow_null=True)
    pool_id = serializers.CharField()
    side = serializers.CharField()
    status = serializers.CharField()
    firm = serializers.BooleanField()
    user_reference = serializers.CharField()
    source_asset = serializers.CharField()
    source_amount = serializers.CharField()
    target_asset = serializers.CharField()
    target_amount = serializers.CharField()
    fees = FeeItem(many=True)
    total_fee = serializers.CharField()
    total_vat = serializers.CharField()
    fx = Fx(allow_null=True)
    order_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class OrderAnswer(serializers.Serializer[Any]):
    order_id = serializers.CharField()
    partner_order_id = serializers.CharField()
    user_reference = serializers.CharField()
    quote_id = serializers.CharField()
    pool_id = serializers.CharField()
    side = serializers.CharField()
    status = serializers.CharField()
    status_reason = serializers.CharField(allow_null=True)
    terminal = serializers.BooleanField()
    source_asset = serializers.CharField()
    source_amount = serializers.CharField()
    target_asset = serializers.CharField()
    target_amount = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class QuotePage(serializers.Serializer[Any]):
    data = QuoteAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class OrderPage(serializers.Serializer[Any]):
    data = OrderAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class TimelineItem(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    status = serializers.CharField()
    at = serializers.DateTimeField()


class Timeline(serializers.Serializer[Any]):
    order_id = serializers.CharField()
    data = TimelineItem(many=True)  # type: ignore[assignment]  # DRF names its own property so


class PoolAnswer(serializers.Serializer[Any]):
    pool_id = serializers.CharField()
    kind = serializers.CharField()
    cash_asset = serializers.CharField()
    position_asset = serializers.CharField()
    minimum = serializers.CharField()
    maximum = serializers.CharField()
    halted = serializers.BooleanField()


class PoolList(serializers.Serializer[Any]):
    data = PoolAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so


class Action(serializers.Serializer[Any]):
    action = serializers.CharField()
    enabled = serializers.BooleanField()
    why_not = serializers.CharField(allow_null=True)


class AssetAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    scale = serializers.IntegerField()


class Capabilities(serializers.Serializer[Any]):
    environment = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    wallet_asset = serializers.CharField(allow_null=True)
    actions = Action(many=True)
    assets = AssetAnswer(many=True)
    pools = PoolAnswer(many=True)
