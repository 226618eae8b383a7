"""What the local stack loads and plays: a list of management commands, easily extended.

``python -m config.local.bootstrap before-web|after-web|codes … --kept FILE`` runs phases' steps in one process.
Each command is idempotent: it decides itself what is there already. A step that is *kept* prints one JSON
object; it is merged into the file, so that what is shown once (a key, a password) is not lost by a later run.
"""

import argparse
import io
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import django
from django.core.management import call_command

from config.local.kept import keep, read_kept


@dataclass(frozen=True, slots=True)
class Step:
    """One management command; a kept one answers with a JSON object."""

    title: str
    command: str
    kept: bool = False


BEFORE_WEB: Final = (
    Step("pools, fees and rates of the sandbox", "sandbox_pools"),
    Step("sandbox operator and its test key", "sandbox_operator", kept=True),
    Step("pools at the sandbox's venue", "sandbox_venue"),
    Step("a person for each role", "console_people", kept=True),
)
AFTER_WEB: Final = (Step("the short day", "short_day"),)
_STEPS: Final = {"before-web": BEFORE_WEB, "after-web": AFTER_WEB}


def main() -> None:
    """Run the steps of the phases, in the order given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("phases", nargs="+", choices=("before-web", "after-web", "codes"))
    parser.add_argument("--kept", type=Path, required=True)
    parser.add_argument("--without", action="append", default=[], metavar="COMMAND")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["HOLDFAST_KEPT"] = str(given.kept)
    django.setup()
    for phase in given.phases:
        if phase == "codes":
            keep_codes(given.kept)
        for step in _STEPS.get(phase, ()):
            if step.command not in given.without:
                perform(step, kept=given.kept)


def perform(step: Step, *, kept: Path) -> None:
    """Run one step and say how long it took."""
    began = time.monotonic()
    if step.kept:
        answer = io.StringIO()
        call_command(step.command, stdout=answer)
        keep(kept, answer.getvalue())
    else:
        call_command(step.command, stdout=sys.stdout)
    print(f"  ✓ {step.title} ({time.monotonic() - began:.1f} s)", flush=True)


def keep_codes(kept: Path) -> None:
    """Keep each role's one-time code of this moment, for the summary."""
    roles = list(read_kept(kept).get("people", {}))
    if roles:
        answer = io.StringIO()
        call_command("one_time_code", *roles, stdout=answer)
        codes = dict(zip(roles, answer.getvalue().split(), strict=True))
        keep(kept, json.dumps({"codes": codes}))


if __name__ == "__main__":
    main()
