"""What orders' routes take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from ledger.environments import Environment
from orders.answers import INDICATIVE
from orders.models import Market, Order, Quote

QUOTE_STATUSES = [(status, status) for status in (*Quote.State.values, INDICATIVE)]


class QuoteRequest(shapes.Shape):
    pool_id = shapes.Text(max_length=40)
    side = shapes.Word(choices=Quote.Side.choices)
    source_asset = shapes.Text(
        max_length=20,
        help_text="a buy: the asset of the connected wallet; a sell or redemption: the pool's position asset",
    )
    source_amount = shapes.AmountText(
        help_text="a buy: what the wallet is debited, fees in it; a sell or redemption: what your user gives of the position"
    )
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


def _amount(help_text: str = "a decimal string with exactly the asset's scale") -> serializers.RegexField:
    return serializers.RegexField(r"^[0-9]+([.][0-9]+)?$", help_text=help_text)


class FeeItem(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()
    amount = _amount()
    vat = _amount()
    asset = serializers.CharField()


class Fx(serializers.Serializer[Any]):
    base_asset = serializers.CharField()
    quote_asset = serializers.CharField()
    rate = _amount("units of the quote asset for one of the base asset")
    as_of = serializers.DateTimeField(help_text="when it was observed; a rate that is too old refuses the quote")


class QuoteAnswer(serializers.Serializer[Any]):
    quote_id = serializers.CharField(allow_null=True, help_text="null for a price that is not kept")
    pool_id = serializers.CharField()
    side = serializers.ChoiceField(choices=Quote.Side.choices)
    status = serializers.ChoiceField(choices=QUOTE_STATUSES)
    firm = serializers.BooleanField()
    user_reference = serializers.CharField()
    source_asset = serializers.CharField()
    source_amount = _amount()
    target_asset = serializers.CharField()
    target_amount = _amount()
    fees = FeeItem(many=True)
    total_fee = _amount("in the wallet's asset")
    total_vat = _amount("in the wallet's asset")
    fx = Fx(allow_null=True, help_text="null where the pool takes the wallet's asset")
    price = _amount("one unit of the position in the wallet's asset, fees and VAT not counted")
    order_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="limits acceptance, not execution")


class OrderAnswer(serializers.Serializer[Any]):
    order_id = serializers.CharField()
    partner_order_id = serializers.CharField()
    user_reference = serializers.CharField()
    quote_id = serializers.CharField()
    pool_id = serializers.CharField()
    transact_id = serializers.CharField(help_text="its trade; the newest, where it was tried again")
    side = serializers.ChoiceField(choices=Quote.Side.choices)
    status = serializers.ChoiceField(choices=Order.State.choices)
    status_reason = serializers.CharField(allow_null=True, help_text="stable: debit_declined, debit_unknown, …")
    terminal = serializers.BooleanField(help_text="true: it is over and never changes")
    source_asset = serializers.CharField()
    source_amount = _amount()
    target_asset = serializers.CharField()
    target_amount = _amount()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    dry_run = serializers.BooleanField(required=False, help_text="true: nothing of this was kept; its ids name nothing")


class QuotePage(serializers.Serializer[Any]):
    data = QuoteAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class OrderPage(serializers.Serializer[Any]):
    data = OrderAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class MarketAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    question = serializers.CharField()
    outcome = serializers.CharField(help_text="yes or no: what one share of this pool bets on")
    status = serializers.ChoiceField(choices=Market.State.choices)
    price = serializers.CharField(allow_null=True, help_text="what one share pays, once the market is resolved")


class PoolAnswer(serializers.Serializer[Any]):
    pool_id = serializers.CharField()
    kind = serializers.CharField()
    cash_asset = serializers.CharField()
    position_asset = serializers.CharField()
    minimum = _amount()
    maximum = _amount()
    halted = serializers.BooleanField()
    market = MarketAnswer(allow_null=True, help_text="null where the pool trades a pair of assets")


class PoolList(serializers.Serializer[Any]):
    data = PoolAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so


class Action(serializers.Serializer[Any]):
    action = serializers.CharField()
    enabled = serializers.BooleanField()
    why_not = serializers.CharField(allow_null=True, help_text="a sentence for people")
    code = serializers.CharField(allow_null=True, help_text="the same, stable; branch on it")


class SideCapability(serializers.Serializer[Any]):
    side = serializers.ChoiceField(choices=Quote.Side.choices)
    enabled = serializers.BooleanField()
    why_not = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)


class PoolCapability(PoolAnswer):
    enabled = serializers.BooleanField(help_text="for a buy; `sides` tells both")
    why_not = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    sides = SideCapability(many=True)


class AssetAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    scale = serializers.IntegerField(help_text="the decimals of its major unit")


class Capabilities(serializers.Serializer[Any]):
    operator_id = serializers.CharField()
    environment = serializers.ChoiceField(choices=Environment.choices)
    scopes = serializers.ListField(child=serializers.CharField())
    wallet_asset = serializers.CharField(allow_null=True, help_text="what the connected wallet holds")
    actions = Action(many=True)
    assets = AssetAnswer(many=True)
    pools = PoolCapability(many=True)
