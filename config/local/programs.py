"""The processes of the local stack, in the order in which they start; they stop the other way round."""

import sys
from dataclasses import dataclass
from pathlib import Path

from config.local.child import supervised
from config.local.places import ROOT, Places
from config.local.supervisor import Program


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stack listens on loopback."""

    web: int
    sandbox: int
    postgres: int
    valkey: int
    streams: int
    venue: int


def record_path(places: Places, name: str) -> Path:
    """Return the file that keeps a program's process record."""
    return places.run / f"{name}.process"


def application_programs(places: Places, ports: Ports) -> list[Program]:
    """Return the programs that need a migrated database."""
    python = sys.executable

    def program(name: str, order: int, *command: str, patience: int = 15) -> Program:
        return Program(
            name=name,
            command=supervised([python, *command], record=record_path(places, name)),
            order=order,
            stop_patience=patience,
        )

    return [
        program(
            "sandbox",
            30,
            "-m",
            "wallets.sandbox",
            "--port",
            str(ports.sandbox),
            "--store",
            str(places.sandbox),
        ),
        program(
            "venue",
            35,
            "-m",
            "orders.sandbox",
            "--port",
            str(ports.venue),
            "--store",
            str(places.sandbox),
        ),
        program("relay", 40, str(ROOT / "manage.py"), "relay"),
        program(
            "worker",
            50,
            *("-m", "celery", "-A", "config.celery:app", "worker", "--pool", "prefork", "--concurrency", "2"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
            patience=30,
        ),
        program(
            "beat",
            60,
            *("-m", "celery", "-A", "config.celery:app", "beat", "--pidfile=", "--loglevel", "WARNING"),
        ),
        program(
            "streams",
            65,
            *("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(ports.streams)),
            *("--workers", "1", "--backlog", "1024", "--no-ws"),
            *("--respawn-failed-workers", "--workers-kill-timeout", "5", "--log-level", "warning"),
            "config.local.streams:application",
        ),
        program(
            "web",
            70,
            *("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(ports.web)),
            *("--workers", "2", "--blocking-threads", "8", "--backlog", "512", "--no-ws"),
            *("--respawn-failed-workers", "--workers-kill-timeout", "10", "--log-level", "warning"),
            "config.local.web:application",
        ),
    ]
