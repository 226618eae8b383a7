"""The console's roles: groups of people, what each sees and what each may do (DESIGN.md section 10)."""

from enum import StrEnum
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from ledger.controls.refusals import Forbidden


class Role(StrEnum):
    SUPPORT = "support"
    OPS = "ops"
    OPS_LEAD = "ops lead"
    FINANCE = "finance"
    FINANCE_LEAD = "finance lead"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Section(StrEnum):
    """What a page is about."""

    ORDERS = "orders"
    QUEUES = "queues"
    LEDGER = "ledger"
    WEBHOOKS = "webhooks"
    CLOSE = "close"
    OPERATORS = "operators"
    RULES = "rules"
    AUDIT = "audit"
    PEOPLE = "people"


class Ability(StrEnum):
    """What changes something."""

    NOTE = "write notes"
    WORK_REVIEWS = "assign, look up, propose"
    APPROVE_REVIEWS = "approve resolutions"
    HALT_AND_FREEZE = "halt pools, pause wallets, freeze orders and wallets, lift any of them, report returned trades"
    KEEP_WALLETS = "open and close wallets, and open closed ones again"
    RUN_MARKETS = "open, close, resolve and void markets"
    WORK_EXCEPTIONS = "work exception cases"
    CLOSE = "run a close, prepare it, propose to open it again"
    SIGN_CLOSES = "approve exceptions, sign closes, open them again"
    MANAGE_KEYS = "create operators and keys"
    REPLAY = "resend and replay"
    MANAGE_ENDPOINTS = "manage webhook endpoints"
    PROPOSE_CHART = "propose charts, mappings and templates"
    ACTIVATE_CHART = "activate charts, mappings and templates"
    PROPOSE_RULES = "propose fee and limit rules"
    ACTIVATE_RULES = "activate fee and limit rules"
    PROPOSE_POSTINGS = "propose adjustments and settlements"
    APPROVE_POSTINGS = "approve adjustments and settlements"
    WORK_STATEMENTS = "import statements, match and unmatch their lines"


_OPS = {Role.OPS, Role.OPS_LEAD}
_FINANCE = {Role.FINANCE, Role.FINANCE_LEAD}

_SEES: dict[Section, set[Role]] = {
    Section.ORDERS: {Role.SUPPORT, *_OPS, *_FINANCE, Role.AUDITOR},
    Section.QUEUES: {Role.SUPPORT, *_OPS, *_FINANCE, Role.AUDITOR},
    Section.LEDGER: {*_FINANCE, Role.AUDITOR},
    Section.WEBHOOKS: {*_OPS, Role.AUDITOR, Role.ADMIN},
    Section.CLOSE: {*_FINANCE, Role.AUDITOR},
    Section.OPERATORS: {*_OPS, Role.AUDITOR, Role.ADMIN},
    Section.RULES: {*_OPS, *_FINANCE, Role.AUDITOR, Role.ADMIN},
    Section.AUDIT: {*_OPS, *_FINANCE, Role.AUDITOR},
    Section.PEOPLE: {Role.ADMIN},
}

_DOES: dict[Ability, set[Role]] = {
    Ability.NOTE: {Role.SUPPORT, *_OPS},
    Ability.WORK_REVIEWS: _OPS,
    Ability.APPROVE_REVIEWS: {Role.OPS_LEAD},
    Ability.HALT_AND_FREEZE: {Role.OPS_LEAD},
    Ability.KEEP_WALLETS: {Role.OPS_LEAD},
    Ability.RUN_MARKETS: {Role.OPS_LEAD},
    Ability.WORK_EXCEPTIONS: _FINANCE,
    Ability.CLOSE: _FINANCE,
    Ability.SIGN_CLOSES: {Role.FINANCE_LEAD},
    Ability.MANAGE_KEYS: {Role.ADMIN},
    Ability.REPLAY: _OPS,
    Ability.MANAGE_ENDPOINTS: {Role.ADMIN},
    Ability.PROPOSE_CHART: _FINANCE,
    Ability.ACTIVATE_CHART: {Role.FINANCE_LEAD},
    Ability.PROPOSE_RULES: _FINANCE,
    Ability.ACTIVATE_RULES: {Role.FINANCE_LEAD},
    Ability.PROPOSE_POSTINGS: _FINANCE,
    Ability.APPROVE_POSTINGS: {Role.FINANCE_LEAD},
    Ability.WORK_STATEMENTS: _FINANCE,
}


class NotYourRole(Forbidden):
    """Your role may not do that."""

    code = "not_your_role"


def with_roles(people: "QuerySet[Any]") -> "QuerySet[Any]":
    """Have the names of each person's groups read in the same question."""
    from django.contrib.auth.models import Group

    names = Group.objects.filter(user=OuterRef("pk")).values("name")
    found: QuerySet[Any] = people.annotate(role_names=ArraySubquery(names))
    return found


def roles_of(user: Any) -> frozenset[str]:
    """Return the names of a person's groups, read once per request's user."""
    known = getattr(user, "role_names", None)
    if known is None:
        known = user.groups.values_list("name", flat=True) if user.is_authenticated else ()
        user.role_names = known = frozenset(known)
    return frozenset(known)


def roles_that(ability: Ability) -> frozenset[Role]:
    """Return the roles that may."""
    return frozenset(_DOES[ability])


def sees(user: Any, section: Section) -> bool:
    return bool(user.is_active and (user.is_superuser or roles_of(user) & _SEES[section]))


def may(user: Any, ability: Ability) -> bool:
    return bool(user.is_active and (user.is_superuser or roles_of(user) & _DOES[ability]))


def works(name: str, ability: Ability) -> bool:
    """Tell whether there is an active person of that name who may."""
    from django.contrib.auth import get_user_model

    if "\x00" in name:
        return False
    found = with_roles(get_user_model()._default_manager.filter(username=name, is_active=True)).first()
    return found is not None and may(found, ability)


def need(user: Any, ability: Ability) -> None:
    """Raise NotYourRole unless the person may."""
    if not may(user, ability):
        raise NotYourRole(f"Your role may not {ability}.")


def load() -> None:
    """Create the groups that are missing."""
    from django.contrib.auth.models import Group

    for role in Role:
        Group.objects.get_or_create(name=role.value)
