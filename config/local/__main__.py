"""``python -m config.local run|manage|code|reset|test``: what the Makefile's targets call."""

import argparse
import fcntl
import os
import subprocess
import sys
from pathlib import Path

from config.local.places import ROOT, USUAL_DATA, Places


def main() -> int:
    """Read the command line and do one thing."""
    parser = argparse.ArgumentParser(prog="python -m config.local")
    parser.add_argument("--data", type=Path, default=USUAL_DATA, help="the data folder (default: var)")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="start everything and wait for Ctrl-C")
    run.add_argument("--without", action="append", default=[], metavar="NAME", help="leave a process or step out")
    run.add_argument("--no-day", action="store_true", help="do not play the short day")
    run.add_argument("--once", action="store_true", help="stop again when everything is ready")
    commands.add_parser("shell-env", help="print the running stack's environment, for a shell to read")
    manage = commands.add_parser("manage", help="run manage.py with the running stack's environment")
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    code = commands.add_parser("code", help="print a current one-time code")
    code.add_argument("role")
    reset = commands.add_parser("reset", help="delete the data folder, after asking")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("lock", help="renew the locked requirements")
    test = commands.add_parser("test", help="run every check")
    test.add_argument("--budget", action="append", default=[], metavar="CHECK=SECONDS")
    test.add_argument("only", nargs="*", help="run these checks alone")

    given = parser.parse_args()
    places = Places(given.data.absolute())
    if given.command == "run":
        from config.local.run import run_stack

        return run_stack(places, without=given.without, with_day=not given.no_day, once=given.once)
    if given.command == "test":
        from config.local.checks import run_checks

        budgets = {name: int(seconds) for name, _, seconds in (pair.partition("=") for pair in given.budget)}
        return run_checks(only=given.only, budgets=budgets)
    if given.command == "lock":
        from config.local.locking import compile_requirements

        return compile_requirements()
    if given.command == "reset":
        return _reset(places, ask=not given.yes)
    if given.command == "shell-env":
        print(places.environment.read_text(), end="")
        return 0
    arguments = ["one_time_code", given.role] if given.command == "code" else given.arguments
    return _manage(places, arguments)


def _manage(places: Places, arguments: list[str]) -> int:
    from config.local.shell import read_exports

    if not places.environment.exists():
        print("there is no local stack yet: make run", file=sys.stderr)
        return 1
    environment = {**os.environ, **read_exports(places.environment)}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def _reset(places: Places, *, ask: bool) -> int:
    if not places.data.exists():
        print(f"{places.data} does not exist")
        return 0
    places.prepare()
    with places.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("the local stack is running: stop it first", file=sys.stderr)
            return 1
        if ask:
            print(f"This deletes the local database and everything else in {places.data}.")
            try:
                answer = input("Type yes to go on: ")
            except EOFError:
                answer = ""
            if answer.strip().lower() != "yes":
                print("nothing was deleted")
                return 1
        places.remove()
    print(f"{places.data} is deleted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
