"""What ``make run`` prints at its end: where to look, who may log in, and a call to try."""

from rich.console import Console
from rich.table import Table

from config.local.stack import LocalStack


def show(stack: LocalStack, console: Console, *, seconds: float) -> None:
    """Print addresses, a log-in per role with its current one-time code, and a ready-made curl line."""
    kept = stack.kept()
    console.print()
    console.rule(f"Holdfast is up after {seconds:.0f} s")
    console.print(f"Console      {stack.url}/console/")
    console.print(f"API docs     {stack.url}/v1/docs")
    console.print(f"Streams      http://127.0.0.1:{stack.ports.streams}/v1/orders/{{order_id}}/events")
    console.print(f"Sandbox      http://127.0.0.1:{stack.ports.sandbox}/")
    console.print(f"  its venue  http://127.0.0.1:{stack.ports.venue}/")
    console.print(f"Data, logs   {stack.places.data}")
    people = kept.get("people")
    if isinstance(people, dict) and people:
        _show_people(people, kept.get("codes", {}), console)
    if key := kept.get("api_key"):
        console.print()
        console.print("Try it:")
        line = f"  curl -H 'Authorization: Bearer {key}' {stack.url}/v1/capabilities"
        console.print(line, soft_wrap=True, markup=False)
    console.print()


def _show_people(people: dict[str, dict[str, str]], codes: dict[str, str], console: Console) -> None:
    table = Table("role", "user", "password", "one-time code now")
    for role, person in people.items():
        table.add_row(role, person.get("user", ""), person.get("password", ""), codes.get(role, ""))
    console.print(table)
    console.print("A new one-time code: make code ROLE=…")
