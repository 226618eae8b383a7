"""REST of transactions: posted one by one or as a list, tried out, found again. Always through an event type."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger import adjustments, direct_posting, journal, transaction_rows
from ledger.chart.active import UnknownEventType
from ledger.chart.template import MissingParameter, TemplateFailed, UnknownParameter
from ledger.controls.refusals import NotFound
from ledger.controls.rest import idempotency, problems
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.pages import MalformedCursor
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from ledger.direct_posting import TWO_PEOPLE
from ledger.rest import answers, requests, shapes
from ledger.transaction_rows import TransactionRow

_BULK_BYTES = 4 * 1024 * 1024
_CHECKED = (
    UnknownEventType,
    MissingParameter,
    UnknownParameter,
    TemplateFailed,
    direct_posting.AccountDoesNotFit,
    direct_posting.KeyOfAFlow,
    direct_posting.HoldOfAnotherType,
)


class TransactionsView(ApiView):
    scopes = {"GET": Scope.LEDGER, "POST": Scope.LEDGER}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {
        "GET": (MalformedCursor,),
        "POST": (
            *_CHECKED,
            journal.PostingRefused,
            direct_posting.KeyTaken,
            adjustments.AlreadyProposed,
            adjustments.ReasonMissing,
        ),
    }

    @extend_schema(
        operation_id="list_transactions",
        parameters=[shapes.TransactionQuery],
        responses=shapes.TransactionPage,
        tags=["ledger"],
    )
    def get(self, request: Request) -> HttpResponse:
        """The book's transactions with their postings, newest first."""
        query = read_query(request, shapes.TransactionQuery)
        rows, cursor = transaction_rows.page(
            environment=self.caller.environment,
            key=query.get("key", ""),
            subject=query.get("subject", ""),
            after=query["after"],
            limit=query["limit"],
        )
        return answer({"data": [shown(row) for row in rows], "next": cursor})

    @extend_schema(
        operation_id="post_transaction",
        parameters=[shapes.DryRunQuery],
        request=shapes.SingleTransactionRequest,
        responses={200: shapes.PostedAnswer, 201: shapes.PostedAnswer, 202: shapes.ProposalAnswer},
        tags=["ledger"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Post through an event type. One that takes two people is proposed (202); what stands already answers 200.

        A hold is ended by its event type's settle or release, with `hold_key`. `?dry_run=true` walks the same path and
        rolls it back. A refusal of the ledger is kept: a key that failed for a transient reason stays failed.
        """
        dry_run = read_query(request, shapes.DryRunQuery)["dry_run"]
        asked = requests.read_one(request.data)
        two_people = asked.draft.event_type in TWO_PEOPLE

        def work(now: datetime) -> HttpResponse:
            if two_people:
                return self._proposed(asked, dry_run=dry_run, now=now)
            return self._posted(asked, dry_run=dry_run, now=now)

        return idempotency.try_out(work) if dry_run else self.once(work, rule=KeyRule.REQUIRED)

    def _posted(self, asked: requests.Asked, *, dry_run: bool, now: datetime) -> HttpResponse:
        environment = self.caller.environment
        outcome = direct_posting.post(environment=environment, drafts=[asked.draft], now=now)
        (posted,) = outcome.posted
        refusal = direct_posting.refusal_of(posted)
        if refusal is not None:
            return problems.of_refusal(refusal)  # not raised: what the ledger noted of its key commits with the answer
        assert posted.result.transaction_id is not None
        row = transaction_rows.one(environment=environment, transaction_id=posted.result.transaction_id)
        assert row is not None
        body = {
            **shown(row),
            "result": posted.result.code,
            "balances": [answers.balance(balance) for balance in outcome.balances],
        }
        if dry_run:
            return answer({**body, "dry_run": True})
        created = posted.result.code == "created"
        headers = {"Location": f"/v1/transactions/{row.transaction.pk}"}
        return answer(body, status=201 if created else 200, headers=headers)

    def _proposed(self, asked: requests.Asked, *, dry_run: bool, now: datetime) -> HttpResponse:
        proposal = adjustments.propose(
            environment=self.caller.environment,
            draft=asked.draft,
            reason=asked.reason,
            maker=self.caller.actor,
            now=now,
            key_issued_by=self.caller.issued_by,
        )
        body: dict[str, Any] = {
            "approval_id": proposal.reference,
            "status": "proposed",
            "event_type": asked.draft.event_type,
            "key": asked.draft.key,
            "postings": answers.preview(journal.postings_of(asked.draft, environment=self.caller.environment)),
        }
        if dry_run:
            return answer({**body, "dry_run": True})
        self.note.subject = proposal.reference
        return answer(body, status=202)


class BulkView(ApiView):
    scopes = {"POST": Scope.LEDGER}
    key_rules = {"POST": KeyRule.FOR_CHANGES}
    refusals = {"POST": (*_CHECKED, direct_posting.TwoPeopleNeeded, direct_posting.TooManyPostings)}
    body_limit = _BULK_BYTES

    @extend_schema(
        operation_id="post_transactions",
        parameters=[shapes.DryRunQuery],
        request=shapes.BulkRequest,
        responses=shapes.BulkAnswer,
        tags=["ledger"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Post up to 10,000 postings in one call: a result for each transaction, in TigerBeetle's words.

        Each transaction stands alone unless `linked` ties it to the next. One that is refused leaves nothing but, for a
        transient reason, its failed key. A list with a malformed member is refused whole.
        """
        dry_run = read_query(request, shapes.DryRunQuery)["dry_run"]
        drafts = requests.read_list(request.data)

        def work(now: datetime) -> HttpResponse:
            outcome = direct_posting.post(environment=self.caller.environment, drafts=drafts, now=now)
            body = answers.bulk(outcome)
            return answer({**body, "dry_run": True} if dry_run else body)

        return idempotency.try_out(work) if dry_run else self.once(work, rule=KeyRule.REQUIRED)


class TransactionView(ApiView):
    scopes = {"GET": Scope.LEDGER}

    @extend_schema(operation_id="get_transaction", responses=shapes.TransactionAnswer, tags=["ledger"])
    def get(self, request: Request, transaction_id: UUID) -> HttpResponse:
        """One transaction with its postings, and its hold if it placed one."""
        read_query(request, Shape)
        row = transaction_rows.one(environment=self.caller.environment, transaction_id=transaction_id)
        if row is None:
            raise NotFound
        return answer(shown(row))


class HoldsView(ApiView):
    scopes = {"GET": Scope.LEDGER}
    refusals = {"GET": (MalformedCursor,)}

    @extend_schema(
        operation_id="list_holds", parameters=[shapes.HoldQuery], responses=shapes.TransactionPage, tags=["ledger"]
    )
    def get(self, request: Request) -> HttpResponse:
        """The transactions that placed a hold, newest first, each with what became of it."""
        query = read_query(request, shapes.HoldQuery)
        rows, cursor = transaction_rows.holds(
            environment=self.caller.environment,
            state=query.get("state", ""),
            after=query["after"],
            limit=query["limit"],
        )
        return answer({"data": [shown(row) for row in rows], "next": cursor})


def shown(row: TransactionRow) -> dict[str, Any]:
    return answers.transaction(row.transaction, postings=row.postings, hold=row.hold)
