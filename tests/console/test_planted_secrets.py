"""Secrets that are planted wherever one is kept, and echoed wherever one may be echoed, come out nowhere.

One walk: every page of the console that a superuser can reach, every file that it links, every route with an operator's key
and the house's, every log line, what is sent, the close's files, the archive, every command's output, and the tables.
"""

import base64
import io
import logging
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as live_settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import get_commands
from django.db import transaction as db_transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, resolve, reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from psycopg import sql
from pytest_django.fixtures import Settings

from config.logging import formatter
from ledger.controls import clock, drains
from reconciliation import close_runs
from reconciliation.models import CloseRun
from tests.management import manage
from tests.orders.wallet import ScriptedWallet
from tests.reconciliation.statements import HEADER, bring, operator_source, text
from tests.rest.conftest import Shop, _full_buckets, open_house, pools, shop, wallet  # noqa: F401
from tests.rest.routes import TABLE
from tests.rest.world import make_world
from tests.webhooks.edge import record_events
from tests.webhooks.provider import Sender, make_sender
from wallets.models import Gateway, OperatorKey
from webhooks import outbound, rotation, routing
from webhooks.models import Endpoint
from webhooks.routing import InboundMessage, Judgement, RelayedEvent

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

_MARK: Final = "zqmarker"


def _planted(name: str) -> str:
    return "whsec_" + base64.b64encode(f"{_MARK} {name} {_MARK} {name}".encode()).decode()


ENDPOINT, RETIRED, PROVIDER, GATEWAY = (_planted(name) for name in ("endpoint", "retired", "provider", "gateway"))
SEED: Final = f"{_MARK} seed of a".encode()  # 20 octets, as a one-time code's seed has

_IN_REASON: Final = {"login", "logout", "jsi18n", "view_on_site", "autocomplete", "password_change_done"}
_BY_POST_ALONE: Final = re.compile(r".*-act$|order-freeze|close-run|adjustment-decide")
_OTHERS: Final = {"adjustment": "two people's postings: tests/console/test_ledger_pages.py"}

_COMMANDS: Final[Mapping[str, list[list[str]]]] = {
    "archive_events": [["--days", "1"]],
    "chart": [["drift"]],
    "close": [[]],
    "dead_letters": [[], ["--resend", "evt_nobodys"]],
    "inbox_provider": [["disable", "planted"], ["enable", "planted"]],
    "numscript": [["test", "nowhere"]],
    "operator": [["acme"]],
    "operator_key": [["acme", "--list"]],
    "payout_channel": [["promptpay", "--url", "http://127.0.0.1:1", "--secret", GATEWAY, "--asset", "EUR"]],
    "quote_margin": [["nowhere", "--environment", "test", "--basis-points", "1"]],
    "rotate_secrets": [[]],
    "verify_ledger": [[]],
    "import_statement": [["nobody", "nowhere.csv", "--environment", "test"]],
    "check_operator_wallet": [
        ["--url", "http://127.0.0.1:1", "--secret", GATEWAY, "--timeout", "0.1", "--patience", "0.1"]
    ],
}
_OTHER_COMMANDS: Final = {
    "draw_states": "writes docs/ from code, touches no database",
    "reference_rows": "as the owner; tests/ledger",
    "sandbox_pools": "makes pools, which have no secret",
    "sandbox_venue": "tests/orders/test_venue_http.py",
    "sandbox_operator": "shows a key of its own making, once: tests/local",
    "console_people": "shows passwords of its own making, once",
    "one_time_code": "a code is no seed, and is what it is for",
    "load_close_files": "writes into another database what the close's files say, which are read here",
    "short_day": "speaks REST with a running stack",
    "relay": "a loop: its work is drained here, its log lines are these",
}


def test_no_planted_secret_comes_out_anywhere(
    shop: Shop,  # noqa: F811
    wallet: ScriptedWallet,  # noqa: F811
    signed_in: SignIn,
    settings: Settings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    superuser_connection: psycopg.Connection[Any],
) -> None:
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="django")  # templates say at DEBUG what they look for in vain
    world = make_world(shop.api)
    client = signed_in("root", "auditor")
    User.objects.update(is_superuser=True)
    TOTPDevice.objects.update(key=SEED.hex())
    _plant(shop, world.endpoint)
    sent = _echo()
    bring(operator_source(), text(HEADER, [f"t1,{clock.now().date()},10.00,debit,,,"]))

    found = Found(_forms(shop))
    for name, route in TABLE.items():
        for who, api in (("operator", shop.api), ("house", open_house())):
            answer = route.call(api, world)
            assert answer.status < 500, (name, answer.body)
            found.look(f"{who} {name}", answer.body, *(f"{key}: {value}" for key, value in answer.headers.items()))
    for path in ("/livez", "/readyz", "/metrics", "/v1/schema", "/v1/docs"):
        found.look(path, shop.api.get(path).body)
    close_runs.run(close=close_runs.ensure(environment="test", business_date=clock.now().date()))
    files = [path for path in settings.ARTIFACTS_ROOT.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        found.look(str(path), path.read_bytes())

    Endpoint.objects.update(secret=ENDPOINT)  # whichever of their pages is opened
    visited = _crawl(client, found)
    for command, ways in _COMMANDS.items():
        for arguments in ways:
            ended = manage(command, *arguments)
            found.look(f"manage.py {command} {arguments[:1]}", ended.out, ended.err)
    for one in sent:
        found.look("what is sent", one.body, *(f"{key}: {value}" for key, value in one.headers.items()))
    for table, rows in _tables(superuser_connection):
        found.look(f"table {table}", rows)
    assert len(caplog.records) > 50
    for way in ("json", "console"):
        lines = formatter(format=way)
        for record in caplog.records:
            found.look(f"log {record.name}", lines.format(record))

    assert found.leaks == []
    assert sent
    missing = _pages() - visited - _OTHERS.keys()
    assert missing == set(), "pages that this walk did not reach"
    ours = {
        name
        for name, app in get_commands().items()
        if app in ("ledger", "webhooks", "wallets", "orders", "reconciliation")
    }
    assert ours == _COMMANDS.keys() | _OTHER_COMMANDS.keys()


class Found:
    """What was searched, and where something was found."""

    def __init__(self, forms: Mapping[str, str]) -> None:
        self._forms = forms
        self.leaks: list[tuple[str, str]] = []

    def look(self, where: str, *contents: str | bytes) -> None:
        for content in contents:
            text = _text(content)
            self.leaks += [(where, name) for name, form in self._forms.items() if form in text]


def _forms(shop: Shop) -> Mapping[str, str]:  # noqa: F811
    """Return every form in which a planted secret could be told."""
    forms = {
        "API key": shop.api.secret.removeprefix("hf_test_")[8:],
        "seed, hex": SEED.hex(),
        "seed, base32": base64.b32encode(SEED).decode().rstrip("="),
        "seed, text": SEED.decode(),
        "a key of the settings": live_settings.SECRETS_KEYS[0],
        "Django's key": live_settings.SECRET_KEY,
        "the database's password": str(live_settings.DATABASES["default"]["PASSWORD"]),
        "an encrypted secret": "enc1:",
    }
    for name, secret in (("endpoint", ENDPOINT), ("retired", RETIRED), ("provider", PROVIDER), ("gateway", GATEWAY)):
        core = secret.removeprefix("whsec_")
        forms |= {f"{name}, base64": core, f"{name}, text": base64.b64decode(core).decode()}
    return forms


def _plant(shop: Shop, endpoint: str) -> None:  # noqa: F811
    """Put recognisable secrets where secrets are kept."""
    Gateway.objects.update(secret=GATEWAY)
    row = Endpoint.objects.get(reference=endpoint)
    Endpoint.objects.filter(pk=row.pk).update(secret=RETIRED)
    with db_transaction.atomic():
        rotation.rotate(
            operator_id=row.operator_id,
            environment=row.environment,
            reference=endpoint,
            overlap=timedelta(days=1),
            now=clock.now(),
        )
    Endpoint.objects.filter(pk=row.pk).update(secret=ENDPOINT)
    make_sender("planted", secret=PROVIDER)
    assert OperatorKey.objects.filter(operator=shop.operator).exists()


def _echo() -> list[outbound.OutboundRequest]:
    """Have everything that speaks to us, or fails in our midst, say the secrets that it knows."""
    sent: list[outbound.OutboundRequest] = []
    everything = " ".join((ENDPOINT, RETIRED, PROVIDER, GATEWAY))
    bare = " ".join(secret.removeprefix("whsec_") for secret in (ENDPOINT, RETIRED))  # no pattern finds these

    class Echo:
        def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
            sent.append(request)
            return outbound.OutboundResponse(status=500, headers={}, body=f"you said {bare} {everything}".encode())

    def fails(_: InboundMessage) -> Judgement:
        raise RuntimeError(f"cannot read {everything}")

    def fails_too(_: RelayedEvent) -> None:
        raise RuntimeError(f"cannot hear {everything}")

    sender = Sender("planted", PROVIDER)
    routing.handle("planted.fails", fails)
    routing.listen("order.processed", fails_too)
    try:
        assert (
            sender.send("evt_1", kind="planted.fails", data={"note": everything, "secret": ENDPOINT}).status_code == 202
        )
        assert sender.send("evt_2", kind="planted.nobodys", data={"note": PROVIDER}).status_code == 202
        assert Sender("planted", GATEWAY).send("evt_3").status_code == 401
        drains.drain("inbox")
        record_events("ord_planted", range(1, 2))
        drains.drain("relay")
    finally:
        routing.unhandle("planted.fails")
        routing.silence("order.processed", fails_too)
    with outbound.use(Echo()):
        drains.drain("deliveries")
    return sent


def _crawl(client: Client, found: Found) -> set[str]:
    """Follow every link from the home page, a few of each kind; return the names of the pages that were opened."""
    start = [reverse("admin:index"), reverse("admin:search"), reverse("admin:trace-search")]
    start += [
        reverse("admin:close-progress", args=[reference])
        for reference in CloseRun.objects.values_list("reference", flat=True)
    ]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        start.append(reverse(f"{name}_changelist"))
        start += [reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.order_by("-pk")[:1]]
    waiting, seen, opened = list(dict.fromkeys(start)), set[str](), Counter[str]()
    while waiting:
        url = waiting.pop(0)
        if url in seen:
            continue
        seen.add(url)
        name = str(resolve(urlsplit(url).path).url_name)
        kind = "history" if name.endswith("_history") else name
        most = 1 if name.endswith(("_changelist", "_history", "_add", "_delete")) else 2
        if opened[kind] >= most or name in _IN_REASON:
            continue
        answer = client.get(url)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert answer.status_code < 500, url
        if answer.status_code == 200:
            opened[kind] += 1
        found.look(url, body, *(f"{key}: {value}" for key, value in answer.items()))
        if answer.status_code in (301, 302):
            waiting += _inside([answer["Location"]], url)
        elif "html" in answer["Content-Type"]:
            waiting += _inside(re.findall(r'(?:href|action)="([^"#]+)', body.decode()), url)
    return set(opened)


def _inside(links: list[str], here: str) -> Iterator[str]:
    for link in map(unescape, links):
        path = urlsplit(link).path if not link.startswith("?") else urlsplit(here).path
        if path.startswith("/console/"):
            yield link if not link.startswith("?") else path + link


def _pages() -> set[str]:
    """Return the names of the console's own pages that a GET opens, and of every list and record."""

    def walk(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns)
            elif one.name:
                yield one.name

    found = {name for name in walk(admin.site.get_urls()) if not _BY_POST_ALONE.fullmatch(name)} - _IN_REASON
    return {
        name for name in found if not re.search(r"_(add|delete|history|change|changelist|config|qrcode)$", name)
    } | {f"{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}


def _tables(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield every table as text; what is meant to be there is left out: seeds, evidence as it came, ciphertexts."""
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    for (name,) in names:
        if name == "otp_totp_totpdevice":
            continue
        with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))) as copy:
            rows = b"".join(bytes(piece) for piece in copy).decode()
        yield name, re.sub(r"enc1:[A-Za-z0-9_\-=]+", "", rows)


def _text(content: str | bytes) -> str:
    """Return what a content says; of a ZIP, what its files say."""
    if isinstance(content, str):
        return content
    if not content.startswith(b"PK"):
        return content.decode(errors="replace")
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return "".join(_text(package.read(name)) for name in package.namelist())
