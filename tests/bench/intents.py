"""F5 and F6: transfers through REST with everything on, one by one and in lists of a thousand."""

import json
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from config.local.places import ROOT
from config.local.ports import free_port
from config.local.stack import LocalStack
from tests.bench.load import Request, hammer, steady
from tests.bench.rows import Row

_WALLETS = 400
_CONNECTIONS = 8
_SECONDS = 6.0
_WARM_UP = 6.0
_STEADY = 200.0
_LIST = 1000
_LISTS_SECONDS = 8.0
_ROUNDS = 3


def prepare(stack: LocalStack) -> list[str]:
    """Open funded wallets of the stack's operator, and put a fee with VAT and limits in force. Returns the wallets' ids."""
    from django.db import transaction as db_transaction

    from ledger import journal
    from ledger.accounts import OUTSIDE, WORLD, Opening, open_accounts
    from ledger.controls import clock
    from ledger.drafts import Draft
    from ledger.money import Money
    from tests.wallets.rules import fee, in_force, limit
    from wallets import holders, operators

    caller = operators.caller_with_key(secret=str(stack.kept()["api_key"]))
    assert caller is not None
    in_force(fee("bench", flow="transfer", phase="PRE", fixed_minor=5, basis_points=10, vat_basis_points=700))
    in_force(limit("bench_single", period="transaction", cap_minor=1_000_000))
    in_force(limit("bench_daily", cap_minor=10**12))
    open_accounts(environment="test", openings=[Opening(WORLD, "EUR", OUTSIDE)])
    opened = []
    for number in range(_WALLETS):
        with db_transaction.atomic():
            opened.append(
                holders.open_wallet(
                    operator_id=caller.operator_id,
                    environment="test",
                    kind="user",
                    user_reference=f"bench-{number}",
                    assets=["EUR"],
                    now=clock.now(),
                )
            )
    drafts = [
        Draft(
            event_type="OPENING_BALANCE",
            key=f"bench:fund:{wallet.reference}",
            subject="bench",
            amounts={"amount": Money(10**11, "EUR")},
            accounts={"world": WORLD, "account": holders.available_address(wallet)},
        )
        for wallet in opened
    ]
    journal.post_all(environment="test", drafts=drafts)
    return [wallet.reference for wallet in opened]


def single_transfers(stack: LocalStack, wallets: list[str]) -> list[Row]:
    """F5: 8 connections against a bare DRF view that calls one posting function, then a steady rate."""
    ours, bare = [], []
    with _bare(stack) as address:  # every connection has its plans before anything is counted
        hammer(address, _posting, connections=_CONNECTIONS, seconds=_WARM_UP, wanted=200)
        hammer(stack.url, _Single(stack, wallets), connections=_CONNECTIONS, seconds=_WARM_UP, wanted=201)
        for _ in range(_ROUNDS):
            bare.append(hammer(address, _posting, connections=_CONNECTIONS, seconds=_SECONDS, wanted=200))
            ours.append(
                hammer(stack.url, _Single(stack, wallets), connections=_CONNECTIONS, seconds=_SECONDS, wanted=201)
            )
    calm = steady(stack.url, _Single(stack, wallets), per_second=_STEADY, connections=32, seconds=_SECONDS, wanted=201)
    value, baseline = (statistics.median(load.rate for load in loads) for loads in (ours, bare))
    ratio = statistics.median(a.rate / b.rate for a, b in zip(ours, bare, strict=True))
    p99, bare_p99 = (statistics.median(load.at(0.99) for load in loads) for loads in (ours, bare))
    conditions = (
        "two workers, 8 connections, fee, VAT, two limits; baseline: a bare DRF view calling one posting function"
    )
    return [
        Row("F5", value, "transfers/s", baseline, ratio, "≥ 0.5", conditions),
        Row("F5 p99", p99, "ms", bare_p99, p99 / bare_p99, "≤ 50 ms", conditions),
        Row("F5 p50 at 200/s", calm.at(0.5), "ms", None, None, "≤ 8 ms", f"{calm.rate:.0f}/s answered"),
        Row("F5 p99 at 200/s", calm.at(0.99), "ms", None, None, "≤ 25 ms", f"{calm.rate:.0f}/s answered"),
    ]


def listed_transfers(stack: LocalStack, wallets: list[str]) -> Row:
    """F6: lists of a thousand from two connections, against the ledger's write door alone with the same drafts."""
    load = hammer(stack.url, _Listed(stack, wallets), connections=2, seconds=_LISTS_SECONDS, wanted=200)
    value, baseline = load.rate * _LIST, _door_alone(wallets)
    return Row(
        "F6",
        value,
        "transfers/s",
        baseline,
        value / baseline,
        "≥ 10k/s",
        f"1000 a request, two connections, {load.at(0.5):.0f} ms each; baseline: their holds and settlements through the"
        " write door alone, one connection",
    )


class _Single:
    """Makes requests for transfers between two of the wallets."""

    def __init__(self, stack: LocalStack, wallets: list[str]) -> None:
        self._key = str(stack.kept()["api_key"])
        self._wallets = wallets

    def __call__(self, turn: int) -> Request:
        return "/v1/transfers", json.dumps(self.one()).encode(), self.headers()

    def one(self) -> dict[str, str]:
        payer, payee = random.sample(self._wallets, 2)
        return {"payer_wallet_id": payer, "payee_wallet_id": payee, "asset": "EUR", "amount": "1.00"}

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }


class _Listed(_Single):
    """Makes requests for lists of a thousand of them."""

    def __call__(self, turn: int) -> Request:
        body = {"transfers": [self.one() for _ in range(_LIST)]}
        return "/v1/transfers/bulk", json.dumps(body).encode(), self.headers()


def _posting(turn: int) -> Request:
    payer, payee = random.randint(1, 1000), random.randint(1, 1000)
    body = {"debit": f"bench:payer:{payer}", "credit": f"bench:payee:{payee}", "minor": "1"}
    return "/post", json.dumps(body).encode(), {"Content-Type": "application/json"}


@contextmanager
def _bare(stack: LocalStack) -> Iterator[str]:
    """Serve the bare view as the stack serves its web."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "2", "--blocking-threads", "8", "--backlog", "512", "--no-ws", "--log-level", "warning"),
        "tests.bench.bare.web:application",
    ]
    process = subprocess.Popen(command, cwd=ROOT, env={**_surroundings(), **stack.environment})
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _is_up(address):
            assert time.monotonic() < deadline, "the bare view does not answer"
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _is_up(address: str) -> bool:
    try:
        with urlopen(f"{address}/nothing", timeout=2):
            return True
    except URLError as error:
        return getattr(error, "code", None) == 404
    except OSError:
        return False


def _surroundings() -> dict[str, str]:
    from tests.stacks import surroundings

    return surroundings()


def _door_alone(wallets: list[str]) -> float:
    """Return the transfers a second whose holds and settlements the write door takes, in lists of a thousand."""
    from django.db import transaction as db_transaction

    from ledger import accounts, journal
    from ledger.drafts import Draft
    from ledger.money import Money

    def pair() -> list[Draft]:
        payer, payee = random.sample(wallets, 2)
        reference = f"bench:{uuid.uuid4()}"
        amounts = {name: Money(minor, "EUR") for name, minor in (("debit", 105), ("credit", 100), ("fee", 5))}
        places = {
            "payer": accounts.user(payer),
            "payee": accounts.user(payee),
            "transit": accounts.TRANSFER_TRANSIT,
            "revenue": accounts.TRANSFER_REVENUE,
            "vat": accounts.VAT_PAYABLE,
        }
        return [
            Draft("TRANSFER_HOLD", f"{reference}:hold", reference, amounts, places, timeout=300, linked=True),
            Draft("TRANSFER_SETTLE", f"{reference}:settle", reference, amounts, places, hold_key=f"{reference}:hold"),
        ]

    lists = [[draft for _ in range(_LIST) for draft in pair()] for _ in range(4)]
    began = time.monotonic()
    for drafts in lists:
        with db_transaction.atomic():
            journal.post_all(environment="test", drafts=drafts)
    return _LIST * len(lists) / (time.monotonic() - began)
