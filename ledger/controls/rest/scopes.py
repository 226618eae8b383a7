"""Scopes: what an API key may do. Each route names the one that it needs, method by method."""

from enum import StrEnum
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ledger.controls.refusals import Forbidden
from ledger.controls.rest.caller import Caller


class Scope(StrEnum):
    """What a key may do. The last three are the house's alone."""

    QUOTES = "quotes"
    ORDERS = "orders"
    READ = "read"
    WEBHOOKS = "webhooks"
    WALLETS = "wallets"
    PAYMENTS = "payments"
    LEDGER = "ledger"
    FINANCE = "finance"
    SUPPORT = "support"


HOUSE_ONLY = frozenset({Scope.LEDGER, Scope.FINANCE, Scope.SUPPORT})


class MissingScope(Forbidden):
    """This key lacks the scope that the route needs."""

    code = "scope_missing"


class HasScope(BasePermission):
    """Let a caller pass whose key has the view's scope for this method. Raises MissingScope, which names it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = request.user
        if not isinstance(caller, Caller):
            return False
        scope = view.scopes.get(request.method)
        if scope is not None and (scope not in caller.scopes or (scope in HOUSE_ONLY and not caller.is_house)):
            raise MissingScope(f"This key lacks the scope “{scope}”.", scope=str(scope))
        return True
