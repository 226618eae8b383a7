"""REST of payouts. A view translates in, makes one domain call a transaction, translates out."""

from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.assets import UnknownAsset
from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import NotFound, Refusal
from ledger.controls.rest import pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_body, read_query
from ledger.controls.rest.views import ApiView
from ledger.journal import PostingRefused
from orders import intent_answers, intent_shapes, payout_answers, payout_requests, payout_shapes
from orders.intent_lists import with_status
from orders.locks import IntentFrozen
from orders.models import Intent
from orders.operations import create_payout
from orders.operations.transfer_now import DuplicatePartnerReference, InsufficientFunds
from orders.operations.try_payout import try_payout
from wallets.conditions import ConditionFailed
from wallets.gateway_terms import NoChannel
from wallets.holders import AssetNotHeld, WalletClosed, WalletFrozen
from wallets.limits import LimitExceeded
from wallets.pricing import FeesExceedAmount
from wallets.recipient_queries import RecipientAnswer

_HOLDING = (
    IntentFrozen,
    NoChannel,
    WalletFrozen,
    WalletClosed,
    LimitExceeded,
    InsufficientFunds,
    PostingRefused,
)


class PayoutsView(ApiView):
    scopes = {"GET": Scope.READ, "POST": Scope.PAYMENTS}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {
        "GET": (pages.MalformedCursor,),
        "POST": (
            *_HOLDING,
            NotFound,
            UnknownAsset,
            AssetNotHeld,
            FeesExceedAmount,
            ConditionFailed,
            DuplicatePartnerReference,
            create_payout.AssetNotPaidOut,
            create_payout.RecipientNotPayable,
            create_payout.ChannelUnavailable,
        ),
    }

    @extend_schema(
        operation_id="list_payouts",
        parameters=[payout_shapes.PayoutList],
        responses=intent_shapes.IntentPage,
        tags=["intents"],
    )
    def get(self, request: Request) -> HttpResponse:
        """Your payouts, newest first."""
        query = read_query(request, payout_shapes.PayoutList)
        mine = _payouts(self)
        shown = mine
        if "status" in query:
            shown = with_status(shown, query["status"])
        if "partner_reference" in query:
            shown = shown.filter(partner_reference=query["partner_reference"])
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": [intent_answers.intent(row) for row in found], "next": cursor})

    @extend_schema(
        operation_id="create_payout",
        parameters=[intent_shapes.DryRunQuery],
        request=payout_shapes.PayoutBody,
        responses={
            200: payout_shapes.TriedPayout,
            201: intent_shapes.IntentAnswer,
            202: intent_shapes.IntentAnswer,
        },
        tags=["intents"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Pay out of a wallet: AUTHORIZED, requiresMonitoring true (202). Open its stream, or ask again, until it is over.

        With `"confirm": false` it stops at VALIDATED (201), and is confirmed or cancelled within 15 minutes. A refusal
        ends the intent as FAILED. `channel_unavailable` moved nothing: send the same request again with the same key after
        `Retry-After` seconds; the channel did not answer, is paused, or is asked as much as it takes at once.
        `?dry_run=true` walks the same path, the question to the channel too, and rolls it back (200): the priced terms,
        what each limit would hold, the lines that would be posted and the wallet's balance after the hold.
        """
        dry_run = read_query(request, intent_shapes.DryRunQuery)["dry_run"]
        body = read_body(request, payout_shapes.PayoutBody)
        asked = payout_requests.read(
            wallet=body["payer_wallet_id"],
            amount=body["amount"],
            asset=body["asset"],
            channel=body["channel"],
            recipient=body["recipient"],
            partner_reference=body["partner_reference"],
            note=body["note"],
        )

        if dry_run:
            return answer(payout_answers.tried(try_payout(caller=self.caller, asked=asked, confirm=body["confirm"])))

        def begin(now: datetime) -> str:
            return create_payout.begin_payout(caller=self.caller, asked=asked, now=now).reference

        def finish(reference: str, told: RecipientAnswer | None, now: datetime) -> HttpResponse:
            intent = create_payout.finish_payout(
                reference=reference, told=told, confirm=body["confirm"], actor=self.caller.actor, now=now
            )
            return _answered(intent, status=202 if intent.requires_monitoring else 201)

        def refused(reference: str, refusal: Refusal, now: datetime) -> None:
            create_payout.end_refused(reference=reference, refusal=refusal, actor=self.caller.actor, now=now)

        return self.once_in_two(begin=begin, question=create_payout.ask_who, finish=finish, refused=refused)


class PayoutView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_payout", responses=intent_shapes.IntentAnswer, tags=["intents"])
    def get(self, request: Request, intent_id: str) -> HttpResponse:
        """One of your payouts. It is over when `terminal` is true; SETTLED has its `reference_number`."""
        read_query(request, Shape)
        row = _payouts(self).filter(reference=intent_id).first()
        if row is None:
            raise NotFound
        return answer(intent_answers.intent(row))


class PayoutConfirmView(ApiView):
    scopes = {"POST": Scope.PAYMENTS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (*_HOLDING, IllegalMove, create_payout.ConfirmationExpired)}

    @extend_schema(
        operation_id="confirm_payout", request=None, responses={202: intent_shapes.IntentAnswer}, tags=["intents"]
    )
    def post(self, request: Request, intent_id: str) -> HttpResponse:
        """Confirm a payout that stopped at VALIDATED, at the terms that it was validated with."""
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            intent = create_payout.confirm_payout(caller=self.caller, reference=intent_id, now=now)
            return _answered(intent, status=202)

        return self.once(work)


class PayoutCancelView(ApiView):
    scopes = {"POST": Scope.PAYMENTS}
    key_rules = {"POST": KeyRule.OPTIONAL}
    refusals = {"POST": (IntentFrozen, IllegalMove)}

    @extend_schema(
        operation_id="cancel_payout", request=None, responses={200: intent_shapes.IntentAnswer}, tags=["intents"]
    )
    def post(self, request: Request, intent_id: str) -> HttpResponse:
        """Cancel a payout before it is authorized: its funds never left. One that was cancelled stays so."""
        read_query(request, Shape)

        def work(now: datetime) -> HttpResponse:
            return _answered(create_payout.cancel_payout(caller=self.caller, reference=intent_id, now=now), status=200)

        return self.once(work)


def _payouts(view: ApiView) -> "QuerySet[Intent]":
    return Intent.objects.filter(
        operator_id=view.caller.operator_id, environment=view.caller.environment, kind=Intent.Kind.PAYOUT
    )


def _answered(intent: Intent, *, status: int) -> HttpResponse:
    headers = {"Location": f"/v1/payouts/{intent.reference}"}
    return answer(intent_answers.intent(intent), status=status, headers=headers)
