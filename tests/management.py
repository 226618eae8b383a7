"""manage.py as a person types it, within this process: its status, what it prints, what it complains about."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from django.core.management import execute_from_command_line


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    out: str
    err: str


def manage(*arguments: str) -> Ended:
    """Run a command as manage.py does, so that a traceback would come through as an exception."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        with mock.patch.object(sys, "argv", ["manage.py", *arguments]):
            try:
                execute_from_command_line(["manage.py", *arguments])
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
    return Ended(status, out.getvalue(), err.getvalue())
