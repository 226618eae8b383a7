"""Show what was given up, of the relay and of the inbox, or send it round again."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from webhooks import dead_letters, inbox_worker

_ACTOR = "command line"


class Command(BaseCommand):
    help = "List dead letters as JSON lines; with --resend evt_…, --resend-all or --replay inb_… try again."

    def add_arguments(self, parser: Any) -> None:
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--resend", default="", metavar="EVENT", help="of the relay: evt_…")
        one.add_argument("--resend-all", action="store_true", help="the oldest thousand of the relay")
        one.add_argument("--replay", default="", metavar="EVENT", help="of the inbox: inb_…")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with db_transaction.atomic():
                self._carry_out(options)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal

    def _carry_out(self, options: dict[str, Any]) -> None:
        now = clock.now()
        if options["resend"]:
            dead_letters.resend(reference=options["resend"], actor=_ACTOR, now=now)
        elif options["replay"]:
            inbox_worker.replay(reference=options["replay"], actor=_ACTOR, now=now)
        elif options["resend_all"]:
            self.stdout.write(str(dead_letters.resend_all(actor=_ACTOR, now=now)))
        else:
            for letter in dead_letters.waiting():
                self.stdout.write(json.dumps(asdict(letter), cls=DjangoJSONEncoder))
            for event in inbox_worker.dead():
                self.stdout.write(json.dumps(event, cls=DjangoJSONEncoder))
