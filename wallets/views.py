"""REST of remote operations and claims: what became of a key, theirs or ours."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ledger import assets
from ledger.controls import claims
from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer, instant, instant_or_none
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from wallets.models import RemoteOperation


class OperationAnswer(serializers.Serializer[Any]):
    idempotency_key = serializers.CharField()
    sent_by = serializers.ChoiceField(choices=["you", "us"])
    status = serializers.CharField(help_text="answered or in_progress; of a key of ours: its state")
    answer_status = serializers.IntegerField(allow_null=True, required=False)
    answer = serializers.JSONField(allow_null=True, required=False, help_text="a secret that it showed is left out")
    order_id = serializers.CharField(required=False)
    leg = serializers.CharField(required=False, help_text="debit, reverse, …")
    asks = serializers.IntegerField(required=False, help_text="how often your wallet was asked")
    lookups = serializers.IntegerField(required=False, help_text="how often your wallet was looked up")
    asset = serializers.CharField(required=False)
    amount = serializers.CharField(required=False)
    remote_ref = serializers.CharField(allow_null=True, required=False, help_text="from your answer")
    rejected_reason = serializers.CharField(allow_null=True, required=False, help_text="from your answer")
    created_at = serializers.DateTimeField()
    asked_at = serializers.DateTimeField(allow_null=True, required=False)
    answered_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField(required=False)


class OperationView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_operation", responses=OperationAnswer, tags=["operations"])
    def get(self, request: Request, idempotency_key: str) -> HttpResponse:
        """What became of an idempotency key: one that you sent us (the first answer), or one that we sent you."""
        read_query(request, Shape)
        found = _theirs(self, idempotency_key) or _ours(self, idempotency_key)
        if found is None:
            raise NotFound
        return answer(found)


def _theirs(view: ApiView, key: str) -> dict[str, Any] | None:
    kept = claims.look_up(operator_id=view.caller.operator_id, environment=view.caller.environment, key=key)
    if kept is None:
        return None
    return {
        "idempotency_key": key,
        "sent_by": "you",
        "status": "in_progress" if kept.answer is None else "answered",
        "answer_status": kept.answer and kept.answer.status,
        "answer": kept.answer and _without_secret(kept.answer.json()),
        "created_at": instant(kept.claimed_at),
        "answered_at": instant_or_none(kept.answered_at),
    }


def _without_secret(body: Any) -> Any:
    """Leave out what an answer showed once: whoever may read may not therefore sign."""
    return {name: value for name, value in body.items() if name != "secret"} if isinstance(body, dict) else body


def _ours(view: ApiView, key: str) -> dict[str, Any] | None:
    row = RemoteOperation.objects.filter(
        key=key, operator_id=view.caller.operator_id, environment=view.caller.environment
    ).first()
    if row is None:
        return None
    return {
        "idempotency_key": key,
        "sent_by": "us",
        "status": row.state,
        "order_id": row.owner,
        "leg": row.leg,
        "asks": row.asks,
        "lookups": row.lookups,
        "asset": row.asset,
        "amount": assets.text(int(row.amount_minor), row.asset),
        "remote_ref": row.remote_ref or None,
        "rejected_reason": row.rejected_reason or None,
        "created_at": instant(row.created_at),
        "asked_at": instant_or_none(row.asked_at),
        "answered_at": instant_or_none(row.answered_at),
        "updated_at": instant(row.updated_at),
    }
