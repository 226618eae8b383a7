"""What the routes of transfers and intents take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from orders.intent_answers import REFUSED
from orders.models import Intent
from orders.transfers.requests import LONGEST_NOTE, MOST_TRANSFERS, PARTNER_REFERENCE, WALLET_ID

STATUSES = [(state.upper(), state.upper()) for state in Intent.State.values]
RESULTS = [(status, status) for status in (Intent.State.SETTLED.upper(), REFUSED)]


class ListedTransfer(serializers.Serializer[Any]):
    """What a transfer is asked with. It is read by `orders.transfers.requests`; here it is described."""

    payer_wallet_id = serializers.RegexField(f"^{WALLET_ID}$")
    payee_wallet_id = serializers.RegexField(f"^{WALLET_ID}$", help_text="another wallet of yours, with this asset")
    asset = serializers.CharField(max_length=20)
    amount = serializers.RegexField(
        r"^(0|[1-9][0-9]{0,38})([.][0-9]{1,38})?$",
        help_text="a decimal string; fees that the payer pays come on top of it, others out of it",
    )
    partner_reference = serializers.RegexField(
        f"^{PARTNER_REFERENCE}$", required=False, help_text="your own id for it: one intent each"
    )
    note = serializers.CharField(max_length=LONGEST_NOTE, required=False, allow_blank=True)


class TransferRequest(ListedTransfer):
    scheduled_for = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="with a zone, in the future: it waits, and fees, limits and funds are taken then",
    )


class TransferListRequest(serializers.Serializer[Any]):
    transfers = serializers.ListField(child=ListedTransfer(), min_length=1, max_length=MOST_TRANSFERS)
    atomic = serializers.BooleanField(required=False, default=False, help_text="all or none")


class DryRunQuery(shapes.Shape):
    dry_run = shapes.QueryFlag(required=False, default=False, help_text="walk the same path, and roll it back")


class IntentList(pages.PageQuery):
    status = shapes.Word(choices=STATUSES, required=False)
    kind = shapes.Word(choices=Intent.Kind.choices, required=False)
    wallet_id = shapes.Text(max_length=40, required=False, help_text="that pays or is paid")
    partner_reference = shapes.Text(max_length=80, required=False)


def _amount(help_text: str = "a decimal string with exactly the asset's scale", **options: Any) -> Any:
    return serializers.RegexField(r"^[0-9]+([.][0-9]+)?$", help_text=help_text, **options)


class IntentFeeItem(serializers.Serializer[Any]):
    name = serializers.CharField()
    rule = serializers.CharField(help_text="with the version that priced it")
    version = serializers.IntegerField()
    phase = serializers.ChoiceField(
        choices=[("PRE", "PRE"), ("POST", "POST")], help_text="PRE: on top of the debit; POST: out of the credit"
    )
    amount = _amount()
    vat = _amount()
    asset = serializers.CharField()


class IntentAnswer(serializers.Serializer[Any]):
    intent_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Intent.Kind.choices)
    channel = serializers.ChoiceField(choices=Intent.Channel.choices)
    status = serializers.ChoiceField(choices=STATUSES)
    status_reason = serializers.CharField(allow_null=True, help_text="stable: insufficient_funds, limit_exceeded, …")
    terminal = serializers.BooleanField(help_text="true: it is over and never changes")
    requiresMonitoring = serializers.BooleanField(help_text="true: open its stream, or ask again, until it is over")
    payer_wallet_id = serializers.CharField()
    payee_wallet_id = serializers.CharField(allow_null=True)
    recipient = serializers.DictField(allow_null=True, help_text="of a payout: who is paid outside")
    asset = serializers.CharField()
    amount = _amount()
    debit = _amount("taken from the payer in all; null until it is validated", allow_null=True)
    credit = _amount("what the payee gets; null until it is validated", allow_null=True)
    fees = IntentFeeItem(many=True)
    total_fee = _amount()
    total_vat = _amount()
    network_fee = _amount()
    lookupRef = serializers.CharField(allow_null=True)
    receiverName = serializers.CharField(allow_null=True)
    responseId = serializers.CharField(allow_null=True)
    settlementDate = serializers.DateField(allow_null=True)
    reference_number = serializers.CharField(allow_null=True, help_text="what the user is shown at the end")
    partner_reference = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    scheduled_for = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="an unconfirmed payout is cancelled then; null for all others"
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    dry_run = serializers.BooleanField(required=False, help_text="true: nothing of this was kept; its ids name nothing")


class IntentPage(serializers.Serializer[Any]):
    data = IntentAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class ListedError(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="as a single transfer's problem has it")
    detail = serializers.CharField()


class ListedResult(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=RESULTS)
    requiresMonitoring = serializers.BooleanField()
    intent_id = serializers.CharField(allow_null=True, help_text="null for one that was refused: it left nothing")
    partner_reference = serializers.CharField(allow_null=True)
    debit = _amount(allow_null=True)
    credit = _amount(allow_null=True)
    reference_number = serializers.CharField(allow_null=True)
    error = ListedError(allow_null=True)


class TransferListAnswer(serializers.Serializer[Any]):
    data = ListedResult(many=True)  # type: ignore[assignment]  # DRF names its own property so
    settled = serializers.IntegerField()
    refused = serializers.IntegerField()
    dry_run = serializers.BooleanField(required=False)
