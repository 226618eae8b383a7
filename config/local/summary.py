"""What ``make run`` prints at its end: where to look, who may log in, and a call to try."""

from rich.console import Console
from rich.table import Table

from config.local.kept import read_kept
from config.local.stack import LocalStack, StepFailed


def show(stack: LocalStack, console: Console, *, seconds: float) -> None:
    """Print addresses, a log-in per role with its current one-time code, and a ready-made curl line."""
    kept = read_kept(stack.places.kept)
    console.print()
    console.rule(f"Holdfast is up after {seconds:.0f} s")
    console.print(f"Console      {stack.url}/console/")
    console.print(f"API docs     {stack.url}/v1/docs")
    console.print(f"Sandbox      http://127.0.0.1:{stack.ports.sandbox}/")
    console.print(f"Data, logs   {stack.places.data}")
    people = kept.get("people")
    if isinstance(people, dict) and people:
        _show_people(stack, console, people)
    if key := kept.get("api_key"):
        console.print()
        console.print("Try it:")
        line = f"  curl -H 'Authorization: Bearer {key}' {stack.url}/v1/capabilities"
        console.print(line, soft_wrap=True, markup=False)
    console.print()


def _show_people(stack: LocalStack, console: Console, people: dict[str, dict[str, str]]) -> None:
    table = Table("role", "user", "password", "one-time code now")
    codes = _codes(stack, list(people))
    for role, person in people.items():
        table.add_row(role, person.get("user", ""), person.get("password", ""), codes.get(role, ""))
    console.print(table)
    console.print("A new one-time code: make code ROLE=…")


def _codes(stack: LocalStack, names: list[str]) -> dict[str, str]:
    """Return each role's code of this moment; ``one_time_code`` prints one line per role named."""
    try:
        answer = stack.answer_of("one_time_code", *names)
    except StepFailed:
        return {}
    return dict(zip(names, answer.split(), strict=False))
