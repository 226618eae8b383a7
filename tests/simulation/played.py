"""What worlds came to: what broke, and what they met."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self


class Break(NamedTuple):
    """One rule that does not hold."""

    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}: {self.detail}"


@dataclass(slots=True)
class Reach:
    """What a world (or many) met: edges of machines as (machine, from, to); faults, crash points, sleeps, acts."""

    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    things: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: "Reach") -> None:
        self.edges.update(other.edges)
        self.things.update(other.things)


@dataclass(slots=True)
class Played:
    """`failed` lists the seeds that broke a rule, `breaks` what they broke; `missing` is what none of them met."""

    worlds: int = 0
    checks: int = 0
    reach: Reach = field(default_factory=Reach)
    failed: list[int] = field(default_factory=list)
    breaks: dict[int, list[Break]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, other: "Played") -> None:
        self.worlds += other.worlds
        self.checks += other.checks
        self.reach.add(other.reach)
        self.failed += other.failed
        self.breaks |= other.breaks

    def write(self, path: str) -> None:
        """Write what another process reads."""
        content = {
            "worlds": self.worlds,
            "checks": self.checks,
            "edges": [[*edge, number] for edge, number in self.reach.edges.items()],
            "things": [[*thing, number] for thing, number in self.reach.things.items()],
            "failed": self.failed,
            "breaks": {str(seed): [list(one) for one in breaks] for seed, breaks in self.breaks.items()},
        }
        Path(path).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            worlds=content["worlds"],
            checks=content["checks"],
            reach=Reach(
                Counter({(machine, source, target): number for machine, source, target, number in content["edges"]}),
                Counter({(kind, thing): number for kind, thing, number in content["things"]}),
            ),
            failed=content["failed"],
            breaks={int(seed): [Break(*one) for one in breaks] for seed, breaks in content["breaks"].items()},
        )
