"""``make run``: bring the stack up, say where it is, wait, and take it down."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from types import FrameType

from rich.console import Console

from config.local.account import server_account
from config.local.kept import read_kept
from config.local.leftovers import stop_adopted
from config.local.outside import Outside
from config.local.places import Places
from config.local.processes import adopt_orphans
from config.local.stack import AlreadyRunning, LocalStack, StepFailed
from config.local.summary import show
from config.local.supervisor import SupervisorFailed


class StopRequested(BaseException):
    """Somebody asked the stack to stop: Ctrl-C, TERM, or a closed terminal."""


def run_stack(places: Places, *, without: Collection[str], with_day: bool, once: bool) -> int:
    """Start everything, print the summary, and stop everything when asked to."""
    console = Console(highlight=False)
    began = time.monotonic()
    adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _request_stop)
    stack = LocalStack(places.data, without=without, outside=Outside.named_in(os.environ), say=console.print)
    code = 0
    try:
        _bring_up(stack, console, with_day=with_day)
        show(stack, console, seconds=time.monotonic() - began)
        if not once:
            _wait(stack, console)
    except AlreadyRunning:
        console.print("[yellow]The stack of this clone is running already.[/]")
        _show_where(places, console)
    except StopRequested:
        console.print()
    except (SupervisorFailed, StepFailed) as error:
        console.print(f"[bold red]{error}[/]")
        console.print(f"The logs lie in {places.logs}.")
        code = 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _take_down(stack, console)
    return code


def _bring_up(stack: LocalStack, console: Console, *, with_day: bool) -> None:
    stack.take_over()
    if server_account() is not None:
        console.print("  as root: PostgreSQL runs as the unprivileged user nobody")
    last = "traffic, and one-time codes" if with_day else "one-time codes"
    steps: list[tuple[str, Callable[[], None]]] = [
        ("PostgreSQL 18 and Valkey", stack.start_servers),
        ("migrations and rows", stack.load),
        ("web, sandbox, venue, worker, beat and relay", stack.start_processes),
        (last, lambda: stack.finish(with_day=with_day)),
    ]
    for number, (title, step) in enumerate(steps, start=1):
        console.print(f"[bold]{number}/{len(steps)}[/] {title} …")
        began = time.monotonic()
        step()
        console.print(f"  [green]✓[/] {title} ({time.monotonic() - began:.1f} s)")


def _wait(stack: LocalStack, console: Console) -> None:
    """Wait for the signal; end by ourselves only when the supervisor has died."""
    console.print("[bold]Ctrl-C stops everything.[/]")
    while not stack.supervisor.has_ended():
        time.sleep(0.5)
    raise SupervisorFailed("the supervisor died; its processes end with it")


def _take_down(stack: LocalStack, console: Console) -> None:
    if stack.is_up:
        console.print("stopping …")
    stack.stop()
    killed = stop_adopted()
    if killed:
        console.print(f"[yellow]had to kill {len(killed)} processes that did not stop[/]")
    sys.stdout.flush()


def _show_where(places: Places, console: Console) -> None:
    try:
        state = json.loads(places.state.read_text())
    except (OSError, ValueError):
        return
    console.print(f"Console: http://127.0.0.1:{state['ports']['web']}/console/ (process {state['process']})")
    if people := read_kept(places.kept).get("people"):
        console.print(f"Roles: {', '.join(people)}; a one-time code: make code ROLE=…")


def _request_stop(_number: int, _frame: FrameType | None) -> None:
    raise StopRequested
