"""REST of transfers and intents. A view translates in, makes one domain call, translates out."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import NotFound
from ledger.controls.rest import idempotency, pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from ledger.journal import PostingRefused
from orders import intent_answers, intent_shapes
from orders.intent_lists import with_status
from orders.locks import IntentFrozen
from orders.models import Intent
from orders.operations import cancel_transfer, schedule_transfer, transfer_now
from orders.transfers import requests
from orders.transfers.parties import SameWallet
from wallets.conditions import ConditionFailed
from wallets.holders import AssetNotHeld, WalletClosed, WalletFrozen
from wallets.limits import LimitExceeded
from wallets.pricing import FeesExceedAmount
from webhooks.streams.views import LAST_EVENT_ID, STREAM, EventStreamView

_LIST_BYTES = 512 * 1024
_REFUSED = (
    NotFound,
    SameWallet,
    WalletFrozen,
    WalletClosed,
    AssetNotHeld,
    FeesExceedAmount,
    ConditionFailed,
    LimitExceeded,
    transfer_now.InsufficientFunds,
    transfer_now.DuplicatePartnerReference,
    PostingRefused,
)


class TransfersView(ApiView):
    scopes = {"POST": Scope.PAYMENTS}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {"POST": (*_REFUSED, schedule_transfer.NotInTheFuture)}

    @extend_schema(
        operation_id="create_transfer",
        parameters=[intent_shapes.DryRunQuery],
        request=intent_shapes.TransferRequest,
        responses={
            200: intent_shapes.IntentAnswer,
            201: intent_shapes.IntentAnswer,
            202: intent_shapes.IntentAnswer,
        },
        tags=["intents"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Transfer between two of your wallets: SETTLED with the answer (201). With `scheduled_for` it waits (202).

        A refusal leaves nothing and is the answer that its key keeps. `?dry_run=true` walks the same path and rolls it
        back (200).
        """
        dry_run = read_query(request, intent_shapes.DryRunQuery)["dry_run"]
        asked = requests.read_one(request.data)

        def work(now: datetime) -> HttpResponse:
            if asked.scheduled_for is None:
                intent = transfer_now.transfer_now(caller=self.caller, asked=asked, now=now)
            else:
                intent = schedule_transfer.schedule_transfer(caller=self.caller, asked=asked, now=now)
            shown = intent_answers.intent(intent)
            if dry_run:
                return answer({**shown, "dry_run": True})
            headers = {"Location": f"/v1/intents/{intent.reference}"}
            return answer(shown, status=201 if intent.terminal else 202, headers=headers)

        return idempotency.try_out(work) if dry_run else self.once(work, rule=KeyRule.REQUIRED)


class TransferListView(ApiView):
    scopes = {"POST": Scope.PAYMENTS}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {"POST": (transfer_now.ListRefused,)}
    body_limit = _LIST_BYTES

    @extend_schema(
        operation_id="create_transfers",
        parameters=[intent_shapes.DryRunQuery],
        request=intent_shapes.TransferListRequest,
        responses=intent_shapes.TransferListAnswer,
        tags=["intents"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Carry out up to 1,000 transfers in one call: a result for each, in order; one that is refused leaves nothing.

        With `"atomic": true` all are carried out, or none. A list with a malformed member is refused whole.
        """
        dry_run = read_query(request, intent_shapes.DryRunQuery)["dry_run"]
        asked, atomic = requests.read_list(request.data)

        def work(now: datetime) -> HttpResponse:
            done = transfer_now.transfer_list(caller=self.caller, asked=asked, atomic=atomic, now=now)
            shown = intent_answers.transfer_list(done)
            return answer({**shown, "dry_run": True} if dry_run else shown)

        return idempotency.try_out(work) if dry_run else self.once(work, rule=KeyRule.REQUIRED)


class TransferView(ApiView):
    scopes = {"DELETE": Scope.PAYMENTS}
    key_rules = {"DELETE": KeyRule.OPTIONAL}
    refusals = {"DELETE": (IntentFrozen, IllegalMove)}

    @extend_schema(
        operation_id="cancel_transfer", request=None, responses={200: intent_shapes.IntentAnswer}, tags=["intents"]
    )
    def delete(self, request: Request, intent_id: str) -> HttpResponse:
        """Take a scheduled transfer back before it is due. One that was taken back already stays so."""
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            intent = cancel_transfer.cancel_transfer(caller=self.caller, reference=intent_id, now=now)
            return answer(intent_answers.intent(intent))

        return self.once(work)


class IntentsView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_intents",
        parameters=[intent_shapes.IntentList],
        responses=intent_shapes.IntentPage,
        tags=["intents"],
    )
    def get(self, request: Request) -> HttpResponse:
        """Your transfers and payouts, newest first."""
        query = read_query(request, intent_shapes.IntentList)
        mine = _intents(self)
        shown = mine
        if "status" in query:
            shown = with_status(shown, query["status"])
        if "kind" in query:
            shown = shown.filter(kind=query["kind"])
        if "wallet_id" in query:
            shown = shown.filter(Q(payer=query["wallet_id"]) | Q(payee=query["wallet_id"]))
        if "partner_reference" in query:
            shown = shown.filter(partner_reference=query["partner_reference"])
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": [intent_answers.intent(row) for row in found], "next": cursor})


class IntentView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_intent", responses=intent_shapes.IntentAnswer, tags=["intents"])
    def get(self, request: Request, intent_id: str) -> HttpResponse:
        """One of your intents. It is over when `terminal` is true; until then ask again, or watch its stream."""
        read_query(request, Shape)
        row = _intents(self).filter(reference=intent_id).first()
        if row is None:
            raise NotFound
        return answer(intent_answers.intent(row))


class IntentEventsView(EventStreamView):
    subject_name = "intents"

    @extend_schema(operation_id="watch_intent", parameters=[LAST_EVENT_ID], responses=STREAM, tags=["intents"])
    def get(self, request: Request, intent_id: str) -> HttpResponse:
        """Watch an intent as server-sent events: its present state first, then each change, until its end.

        The last event carries the reference number. The streams' own address keeps the answer open. Here it ends at
        once, with what there is, and an EventSource comes again every two seconds.
        """
        return self.answered(request, intent_id)


def _intents(view: ApiView) -> "QuerySet[Intent]":
    return Intent.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)
