"""F13: one transfer, Python call to Python call, against two double-entry packages for Django.

The peers are no dependencies of the project: they stand in a virtual environment of their own, which is kept between
runs under a name that changes with their versions. `make reset` deletes it with the rest of `var/`.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.local.places import ROOT, USUAL_DATA
from config.local.stack import LocalStack
from tests.bench.postings import through_python
from tests.bench.rows import Row

_ROUNDS = 3
_SECONDS = 5
_INSTALLS_WITHIN = 300.0
_PINNED = Path(__file__).parent / "peers" / "requirements.txt"
_PEERS = {
    "hordak": ("tests.bench.peers.hordak_transfer", "Account.transfer_to", "≥ 4"),
    "django-ledger": ("tests.bench.peers.ledger_entry", "LedgerModel.commit_txs, posted", "≥ 20"),
}


class NotInstalled(RuntimeError):
    """The peers could not be installed; the message says why."""


def against_peers(stack: LocalStack, say: Callable[[str], None]) -> list[Row]:
    """Measure ours and each peer in turns; without the peers return rows that say so."""
    began = time.monotonic()
    try:
        python = _installed()
    except NotInstalled as reason:
        return [
            Row(f"F13 {peer}", None, "transfers/s", None, None, reach, f"not measured: {reason}")
            for peer, (_, _, reach) in _PEERS.items()
        ]
    say(f"the peers' environment was ready after {time.monotonic() - began:.1f} s, which no row counts")
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer: [] for peer in _PEERS}
    urls = {peer: _own_database(stack, f"bench_{peer.replace('-', '_')}") for peer in _PEERS}
    for _ in range(_ROUNDS):
        ours.append(through_python(stack, seconds=_SECONDS))
        for peer, (script, _, _) in _PEERS.items():
            theirs[peer].append(_transfers(python, script, urls[peer]))
    return [
        Row(
            f"F13 {peer}",
            statistics.median(ours),
            "transfers/s",
            statistics.median(theirs[peer]),
            statistics.median(a / b for a, b in zip(ours, theirs[peer], strict=True)),
            reach,
            f"one process, one connection; baseline: {call}; by round: {_by_round(ours, theirs[peer])}",
        )
        for peer, (_, call, reach) in _PEERS.items()
    ]


def _by_round(ours: list[float], theirs: list[float]) -> str:
    """Say each round's two rates: where they lie far apart, the machine was busy and the ratio means little."""
    return ", ".join(f"{a:,.0f} to {b:,.0f}" for a, b in zip(ours, theirs, strict=True))


def _installed() -> Path:
    """Return the Python of the peers' environment; make it if it is not there, whole, under its name."""
    same = [f"django=={version('django')}", f"psycopg[binary]=={version('psycopg')}"]  # as ours, whatever ours are
    name = hashlib.sha256("\n".join([sys.version, *same, _PINNED.read_text(encoding="utf-8")]).encode()).hexdigest()[
        :16
    ]
    folder = USUAL_DATA / "bench-peers" / name
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.exists():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [*pip, "--retries", "1", "-r", str(_PINNED), *same],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALLS_WITHIN)
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"the peers were not installed within {_INSTALLS_WITHIN:.0f} s") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
            raise NotInstalled(f"the peers could not be installed: {said[-1]}")
    complete.touch()
    return python


def _own_database(stack: LocalStack, name: str) -> str:
    """Make an empty database beside ours, on the same server, and return its URL."""
    with psycopg.connect(stack.superuser_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlsplit(stack.superuser_url())._replace(path=f"/{name}").geturl()


def _transfers(python: Path, script: str, url: str) -> float:
    """Run a peer's script in its environment and return its transfers a second."""
    done = subprocess.run(
        [str(python), "-m", script, str(_SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ.get("PATH", ""), "PEER_DATABASE_URL": url},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(json.loads(done.stdout.splitlines()[-1])["transfers_per_second"])
