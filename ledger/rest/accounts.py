"""REST of accounts: opened from the chart, listed, read with their balances and statements."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger import account_kinds, account_rows, accounts, assets, statements
from ledger.account_rows import AccountRow
from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer, instant
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.pages import MalformedCursor
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_body, read_query
from ledger.controls.rest.views import ApiView
from ledger.rest import answers, shapes


class AccountsView(ApiView):
    scopes = {"GET": Scope.LEDGER, "POST": Scope.LEDGER}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"GET": (MalformedCursor,), "POST": (assets.UnknownAsset, account_kinds.NoAccountKind)}

    @extend_schema(
        operation_id="list_accounts", parameters=[shapes.AccountQuery], responses=shapes.AccountPage, tags=["ledger"]
    )
    def get(self, request: Request) -> HttpResponse:
        """The book's accounts with their balances, by address and asset."""
        query = read_query(request, shapes.AccountQuery)
        rows, place = account_rows.page(
            environment=self.caller.environment,
            asset=query.get("asset", ""),
            gl_code=query.get("gl_code", ""),
            after=query["after"],
            limit=query["limit"],
        )
        return answer({"data": [shown(row) for row in rows], "next": place})

    @extend_schema(
        operation_id="open_account",
        request=shapes.AccountRequest,
        responses={200: shapes.AccountAnswer, 201: shapes.AccountAnswer},
        tags=["ledger"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Open an account where the chart has a place for it. One that is there already stays as it is (200)."""
        read_query(request, Shape)
        body = read_body(request, shapes.AccountRequest)

        def work(now: datetime) -> HttpResponse:
            address, asset = body["address"], assets.named(body["asset"]).code
            kind = account_kinds.kind_of(self.caller.environment, address)
            here = _account(self.caller.environment, address, asset)
            if here is not None:
                return answer(shown(here))
            opening = accounts.Opening(address, asset, kind)
            accounts.open_accounts(environment=self.caller.environment, openings=[opening])
            opened = _account(self.caller.environment, address, asset)
            assert opened is not None
            return answer(shown(opened), status=201, headers={"Location": f"/v1/accounts/{address}/balances"})

        return self.once(work)


class BalancesView(ApiView):
    scopes = {"GET": Scope.LEDGER}

    @extend_schema(operation_id="get_account_balances", responses=shapes.AccountBalances, tags=["ledger"])
    def get(self, request: Request, address: str) -> HttpResponse:
        """The balances of one address, asset by asset, as they are now."""
        read_query(request, Shape)
        rows = account_rows.of_address(environment=self.caller.environment, address=address)
        if not rows:
            raise NotFound
        return answer({"address": address, "data": [shown(row) for row in rows]})


class StatementView(ApiView):
    scopes = {"GET": Scope.LEDGER}
    refusals = {"GET": (MalformedCursor,)}

    @extend_schema(
        operation_id="get_account_statement",
        parameters=[shapes.StatementQuery],
        responses=shapes.StatementAnswer,
        tags=["ledger"],
    )
    def get(self, request: Request, address: str) -> HttpResponse:
        """An account's postings with running balances, oldest first, pending and posted apart."""
        query = read_query(request, shapes.StatementQuery)
        found = statements.statement(
            environment=self.caller.environment,
            address=address,
            asset=query["asset"],
            after=cursor(query["after"]),
            limit=query["limit"],
        )
        return answer(answers.statement(found))


def shown(row: AccountRow) -> dict[str, Any]:
    return {
        **answers.balance(row.balance),
        "account_class": row.account_class,
        "gl_code": row.gl_code,
        "workflow_view": row.workflow_view,
        "balance_rule": row.balance_rule,
        "opened_at": instant(row.opened_at),
    }


def _account(environment: str, address: str, asset: str) -> AccountRow | None:
    rows = account_rows.of_address(environment=environment, address=address)
    return next((row for row in rows if row.balance.asset == asset), None)


def cursor(text: str) -> UUID | None:
    """Read a statement's cursor; None for none. Raises MalformedCursor."""
    if not text:
        return None
    try:
        found = UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text:
        raise MalformedCursor(errors={"after": ["This is not a cursor of this statement."]})
    return found
