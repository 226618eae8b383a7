"""Who can be given a case: active people whose role works such cases."""

from typing import Final

from django.contrib.auth import get_user_model

from ledger.controls.roles import Ability, roles_that

_MOST: Final = 200


def reviewers() -> list[str]:
    """Return the user names of those who work review cases."""
    return _who_may(Ability.WORK_REVIEWS)


def exception_workers() -> list[str]:
    """Return the user names of those who work exception cases."""
    return _who_may(Ability.WORK_EXCEPTIONS)


def _who_may(ability: Ability) -> list[str]:
    groups = [role.value for role in roles_that(ability)]
    found = get_user_model()._default_manager.filter(is_active=True, groups__name__in=groups)
    return list(found.order_by("username").values_list("username", flat=True).distinct()[:_MOST])
