"""Who can be given a review case: active people whose role works reviews."""

from typing import Final

from django.contrib.auth import get_user_model

from ledger.controls.roles import Ability, roles_that

_MOST: Final = 200


def reviewers() -> list[str]:
    """Return their user names."""
    groups = [role.value for role in roles_that(Ability.WORK_REVIEWS)]
    found = get_user_model()._default_manager.filter(is_active=True, groups__name__in=groups)
    return list(found.order_by("username").values_list("username", flat=True).distinct()[:_MOST])
