"""`python -m tests.simulation 1-300`: live through the worlds of these seeds; each failure with what replays it.

`--processes 2` shares them out among so many processes, each with a database of its own; `--trace` prints what happened;
`--reach` fails when something that the worlds of CI have to meet was not met: what is rare may be missed by these seeds, so
`--further 300` plays up to so many that follow, a stretch at a time, until it is. `--counts` prints how often each was met.
"""

import argparse
import sys
import time

from rich.console import Console

from tests.simulation.shares import counts_of, played_here, played_in_shares, reach_of

_MOST_SEEDS = 1_000_000
_MOST_PROCESSES = 8
_STRETCH = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("seeds", nargs="?", default="1-300", help="7, or 1-300")
    parser.add_argument("--processes", type=int, default=1, choices=range(1, _MOST_PROCESSES + 1))
    parser.add_argument("--trace", action="store_true", help="print what happened")
    parser.add_argument("--reach", action="store_true", help="fail when something was not met")
    parser.add_argument("--further", type=int, default=0, metavar="WORLDS", help="at most so many more for --reach")
    parser.add_argument("--counts", action="store_true", help="print how often each thing was met, the rarest first")
    parser.add_argument("--report", default="", help=argparse.SUPPRESS)  # for the process that shares out
    given = parser.parse_args()
    seeds = _range(parser, given.seeds)
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    if given.processes > 1:
        played = played_in_shares(seeds, given.processes, say=console.print)
        last = seeds[-1] + given.further if given.reach else seeds[-1]
        while played.missing and not played.failed and seeds[-1] < last:
            console.print(f"{played.worlds} worlds, and not met: {', '.join(played.missing)}")
            seeds = range(seeds[-1] + 1, min(seeds[-1] + _STRETCH, last) + 1)
            played.add(played_in_shares(seeds, given.processes, say=console.print))
            played.missing = reach_of(played)
    else:
        played = played_here(seeds, say=console.print, trace=given.trace)
    if given.report:
        played.write(given.report)
        return 0
    if given.counts:
        console.print("\n".join(f"{number:7} {thing}" for number, thing in counts_of(played)))
    console.print(f"{played.worlds} worlds, {played.checks} looks at the rules, {time.monotonic() - began:.1f} s")
    missing = played.missing if given.reach else []
    for one in missing:
        console.print(f"[red]not met:[/] {one}")
    if played.failed:
        console.print(f"[bold red]{len(played.failed)} failed: {', '.join(map(str, played.failed))}[/]")
    elif not missing:
        console.print("[bold green]every rule held[/]")
    return 1 if played.failed or missing else 0


def _range(parser: argparse.ArgumentParser, text: str) -> range:
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() if dash else not last)):
        parser.error(f"seeds are 7 or 1-300, not {text}")
    seeds = range(int(first), int(last or first) + 1)
    if not seeds or seeds[0] < 1 or seeds[-1] > _MOST_SEEDS:
        parser.error(f"seeds go from 1 to {_MOST_SEEDS}, the smaller first, not {text}")
    return seeds


if __name__ == "__main__":
    sys.exit(main())
