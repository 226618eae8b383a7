"""Who asks: a person with their roles, in one question a request."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend

from ledger.controls.roles import with_roles


class PeopleBackend(ModelBackend):
    def get_user(self, user_id: Any) -> Any:
        """Return the person of a session, or None for one who may not sign in any more."""
        person = with_roles(get_user_model()._default_manager.filter(pk=user_id)).first()
        return person if person is not None and self.user_can_authenticate(person) else None
