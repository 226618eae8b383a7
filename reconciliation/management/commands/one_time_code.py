"""Print current one-time codes. For local stacks alone: elsewhere a person's own device shows them."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice


class Command(BaseCommand):
    help = "Print the current one-time code of each role or user named, one line each (local stacks only)."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("name", nargs="+", help="a role or a user")

    def handle(self, *args: Any, **options: Any) -> None:
        if not os.environ.get("HOLDFAST_LOCAL"):
            raise CommandError("One-time codes are printed by a local stack only.")
        for name in options["name"]:
            device = TOTPDevice.objects.filter(user__username=name.replace(" ", "-"), confirmed=True).first()
            if device is None:
                raise CommandError(f"There is no one-time-code device of {name!r}.")
            self.stdout.write(f"{totp(device.bin_key, step=device.step, digits=device.digits):06d}")
