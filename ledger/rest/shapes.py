"""What the book's routes take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import shapes
from ledger.models.journal import AccountClass, BalanceRule, HoldState, PostingKind

SIDES = [("debit", "debit"), ("credit", "credit")]


def amount_text(help_text: str = "a decimal string with exactly the asset's scale") -> serializers.RegexField:
    return serializers.RegexField(r"^-?[0-9]+([.][0-9]+)?$", help_text=help_text)


def _words(help_text: str) -> serializers.DictField:
    return serializers.DictField(child=serializers.CharField(), required=False, help_text=help_text)


class DryRunQuery(shapes.Shape):
    dry_run = shapes.QueryFlag(required=False, default=False, help_text="walk the same path, and roll it back")


class PageQuery(shapes.Shape):
    limit = shapes.QueryNumber(min_value=1, max_value=100, required=False, default=50, help_text="how many at most")
    after = shapes.Text(max_length=400, required=False, default="", help_text="`next` of the page before")


class AccountQuery(PageQuery):
    asset = shapes.Text(max_length=20, required=False, help_text="an asset's code")
    gl_code = shapes.Text(max_length=20, required=False, help_text="finance's number")


class StatementQuery(shapes.Shape):
    asset = shapes.Text(max_length=20, help_text="an asset's code")
    limit = shapes.QueryNumber(min_value=1, max_value=500, required=False, default=50, help_text="how many at most")
    after = shapes.Text(max_length=36, required=False, default="", help_text="`next` of the page before")


class TransactionQuery(PageQuery):
    key = shapes.Text(required=False, help_text="the ledger key")
    subject = shapes.Text(max_length=64, required=False, help_text="the order, intent or return whose money moved")


class HoldQuery(PageQuery):
    state = shapes.Word(choices=HoldState.choices, required=False)


class AccountRequest(shapes.Shape):
    address = shapes.Text(help_text="merchants:m1:available; the chart has a place for it")
    asset = shapes.Text(max_length=20)


class AskedAmount(serializers.Serializer[Any]):
    amount = serializers.CharField(help_text="a decimal string in major units, at most the asset's scale")
    asset = serializers.CharField()


class TransactionRequest(serializers.Serializer[Any]):
    """What a transaction is asked with. It is read by `ledger.rest.requests`; here it is described."""

    event_type = serializers.RegexField(r"^[A-Z][A-Z0-9_]{0,59}$", help_text="nothing is posted except through one")
    key = serializers.RegexField(
        r"^[A-Za-z0-9._:@-]{1,255}$", help_text="the ledger key: the same key with the same content is `exists`"
    )
    amounts = serializers.DictField(child=AskedAmount(), required=False, help_text="the event type's, by name")
    accounts = _words("addresses, by the event type's names")
    subject = serializers.CharField(max_length=64, required=False, allow_blank=True)
    refs = _words("references that it joins to, by name")
    metadata = _words("words of yours")
    effective_at = serializers.DateTimeField(
        allow_null=True, required=False, help_text="when it counts; now if not given"
    )
    timeout = serializers.IntegerField(
        min_value=0, max_value=4_294_967_295, required=False, help_text="of a hold, in seconds; 0 is never"
    )
    hold_key = serializers.CharField(
        allow_null=True, required=False, help_text="the key of the transaction that placed the hold which this one ends"
    )


class SingleTransactionRequest(TransactionRequest):
    reason = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, help_text="needed where two people decide"
    )


class LinkedTransactionRequest(TransactionRequest):
    linked = serializers.BooleanField(required=False, help_text="stands or falls with the next one")


class BulkRequest(serializers.Serializer[Any]):
    transactions = LinkedTransactionRequest(many=True, help_text="at most 10,000 postings in all")


class BalanceAnswer(serializers.Serializer[Any]):
    address = serializers.CharField()
    asset = serializers.CharField()
    normal_side = serializers.ChoiceField(choices=SIDES)
    debits_posted = amount_text()
    credits_posted = amount_text()
    debits_pending = amount_text()
    credits_pending = amount_text()
    balance = amount_text("posted, on the account's normal side")
    available = amount_text("posted credits less posted and pending debits")


class AccountAnswer(BalanceAnswer):
    account_class = serializers.ChoiceField(choices=AccountClass.choices)
    gl_code = serializers.CharField()
    workflow_view = serializers.CharField()
    balance_rule = serializers.ChoiceField(choices=BalanceRule.choices)
    opened_at = serializers.DateTimeField()


class AccountPage(serializers.Serializer[Any]):
    data = AccountAnswer(many=True)  # type: ignore[assignment]  # the name is the answer's, not DRF's
    next = serializers.CharField(allow_null=True)


class AccountBalances(serializers.Serializer[Any]):
    address = serializers.CharField()
    data = AccountAnswer(many=True)  # type: ignore[assignment]  # as above


class FourBalances(serializers.Serializer[Any]):
    debits_posted = amount_text()
    credits_posted = amount_text()
    debits_pending = amount_text()
    credits_pending = amount_text()


class StatementLine(serializers.Serializer[Any]):
    ledger_id = serializers.CharField()
    transaction_id = serializers.UUIDField()
    key = serializers.CharField()
    event_type = serializers.CharField()
    kind = serializers.ChoiceField(choices=PostingKind.choices)
    subject = serializers.CharField()
    effective_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    value_date = serializers.DateTimeField(allow_null=True)
    counterparty = serializers.CharField()
    side = serializers.ChoiceField(choices=SIDES)
    posted = amount_text("what it moved")
    pending = amount_text("what it reserved, or gave back (negative)")
    after = FourBalances()


class StatementAnswer(serializers.Serializer[Any]):
    address = serializers.CharField()
    asset = serializers.CharField()
    normal_side = serializers.ChoiceField(choices=SIDES)
    opening = FourBalances()
    data = StatementLine(many=True)  # type: ignore[assignment]  # as above
    closing = FourBalances()
    next = serializers.CharField(allow_null=True)


class PostingAnswer(serializers.Serializer[Any]):
    ledger_id = serializers.CharField()
    position = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=PostingKind.choices)
    ends_ledger_id = serializers.CharField(allow_null=True, help_text="the pending posting that it ends")
    debit_account = serializers.CharField()
    credit_account = serializers.CharField()
    asset = serializers.CharField()
    amount = amount_text()


class HoldAnswer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=HoldState.choices)
    expires_at = serializers.DateTimeField(allow_null=True)
    ended_by = serializers.UUIDField(allow_null=True, help_text="the transaction that ended it")
    ended_at = serializers.DateTimeField(allow_null=True)


class TransactionAnswer(serializers.Serializer[Any]):
    transaction_id = serializers.UUIDField()
    key = serializers.CharField()
    event_type = serializers.CharField()
    phase = serializers.CharField()
    subject = serializers.CharField()
    refs = serializers.DictField()
    metadata = serializers.DictField()
    request_id = serializers.CharField()
    effective_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    value_date = serializers.DateTimeField(allow_null=True, help_text="what was asked, where that date was locked")
    timeout = serializers.IntegerField()
    ends_hold_of = serializers.UUIDField(allow_null=True, help_text="the transaction whose hold it ended")
    hold = HoldAnswer(allow_null=True)
    postings = PostingAnswer(many=True)


class PostedAnswer(TransactionAnswer):
    result = serializers.CharField(help_text="created, or exists")
    balances = BalanceAnswer(many=True, help_text="of every account that it touched, afterwards")
    dry_run = serializers.BooleanField(required=False)


class PreviewPosting(serializers.Serializer[Any]):
    debit_account = serializers.CharField()
    credit_account = serializers.CharField()
    asset = serializers.CharField()
    amount = amount_text()


class ProposalAnswer(serializers.Serializer[Any]):
    approval_id = serializers.CharField()
    status = serializers.ChoiceField(choices=[("proposed", "proposed")])
    event_type = serializers.CharField()
    key = serializers.CharField()
    postings = PreviewPosting(many=True, help_text="what will be posted when a second person approves it")
    dry_run = serializers.BooleanField(required=False)


class BulkItem(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="from 0")
    key = serializers.CharField()
    result = serializers.CharField(help_text="created, exists, or why not, in TigerBeetle's words")
    transaction_id = serializers.UUIDField(allow_null=True)
    failed_posting = serializers.IntegerField(allow_null=True, help_text="from 0")
    ledger_ids = serializers.ListField(child=serializers.CharField())


class BulkAnswer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    existing = serializers.IntegerField()
    refused = serializers.IntegerField()
    data = BulkItem(many=True)  # type: ignore[assignment]  # as above
    balances = BalanceAnswer(many=True, help_text="of every account that was touched, afterwards")
    dry_run = serializers.BooleanField(required=False)


class TransactionPage(serializers.Serializer[Any]):
    data = TransactionAnswer(many=True)  # type: ignore[assignment]  # as above
    next = serializers.CharField(allow_null=True)
