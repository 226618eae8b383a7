"""Make a person for each role, with a password and a one-time-code device; prints one JSON object. For local stacks."""

import json
import secrets
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand
from django.db import transaction as db_transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from ledger.controls.roles import Role


class Command(BaseCommand):
    help = "Make a person for each role (idempotent; a password is shown only when it is made)."

    def handle(self, *args: Any, **options: Any) -> None:
        people: dict[str, dict[str, str]] = {}
        with db_transaction.atomic():
            for role in Role:
                people[role.value] = _person(role)
        self.stdout.write(json.dumps({"people": people}))


def _person(role: Role) -> dict[str, str]:
    name = role.value.replace(" ", "-")
    if User.objects.filter(username=name).exists():
        return {"user": name}
    password = secrets.token_urlsafe(9)
    user = User.objects.create_user(username=name, password=password, is_staff=True)
    user.groups.add(Group.objects.get(name=role.value))
    TOTPDevice.objects.create(user=user, name="local stack", confirmed=True)
    return {"user": name, "password": password}
