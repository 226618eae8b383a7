"""What the routes of payouts take (for the document); answers are intents', and a dry run's."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from orders.intent_shapes import STATUSES, IntentAnswer
from orders.payout_requests import CHANNELS


class PayoutBody(shapes.Shape):
    payer_wallet_id = shapes.Text(max_length=40)
    asset = shapes.Text(max_length=20)
    amount = shapes.AmountText(
        help_text="fees that the payer pays and the network's fee come on top of it, others out of it"
    )
    channel = shapes.Word(choices=[(channel, channel) for channel in CHANNELS])
    recipient = serializers.DictField(
        child=shapes.Text(max_length=140),
        help_text="promptpay: proxy_type (mobile, national_id, ewallet) and proxy_value; bank_transfer: bank_code, "
        "account_number and name",
    )
    partner_reference = shapes.Text(
        max_length=80, required=False, default="", help_text="your own id for it: one intent each"
    )
    note = shapes.Text(max_length=140, required=False, default="", allow_blank=True)
    confirm = shapes.Flag(
        required=False, default=True, help_text="false: it stops at VALIDATED, to be confirmed within 15 minutes"
    )


class PayoutList(pages.PageQuery):
    status = shapes.Word(choices=STATUSES, required=False)
    partner_reference = shapes.Text(max_length=80, required=False)


class TriedLimit(serializers.Serializer[Any]):
    name = serializers.CharField()
    scope = serializers.CharField()
    period = serializers.CharField()
    day = serializers.DateField(allow_null=True, help_text="in your zone; null for a limit of one payment")
    amount = serializers.CharField(help_text="what this payment takes")
    used = serializers.CharField(help_text="what the day's limit holds after it")


class TriedLine(serializers.Serializer[Any]):
    to = serializers.ChoiceField(choices=[(one, one) for one in ("recipient_bank", "fees", "vat")])
    amount = serializers.CharField()
    asset = serializers.CharField()


class TriedBalance(serializers.Serializer[Any]):
    asset = serializers.CharField()
    posted = serializers.CharField()
    held = serializers.CharField()
    available = serializers.CharField()


class TriedPayout(IntentAnswer):
    """A dry run: the intent as it would be, and what would stand; nothing of it was kept."""

    limits = TriedLimit(many=True)
    postings = TriedLine(many=True, help_text="out of the wallet, when it is paid")
    balance = TriedBalance(help_text="of the wallet, after funds are held")
