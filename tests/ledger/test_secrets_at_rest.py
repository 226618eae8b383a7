"""Secrets at rest: encrypted in every column, readable with any of the keys, renewed with the newest."""

import base64
import io
from typing import Any

import psycopg
import pytest
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import call_command
from django.db import transaction as db_transaction
from pytest_django.fixtures import Settings

from config.settings import environment
from ledger.controls import ciphers, claims, clock
from ledger.controls.encrypted_columns import encrypt_column
from tests.webhooks.edge import make_endpoint
from tests.webhooks.provider import make_sender
from webhooks.models import Endpoint, ProviderSecret

pytestmark = pytest.mark.usefixtures("database")

OLD = base64.urlsafe_b64encode(b"o" * 32).decode()
NEW = base64.urlsafe_b64encode(b"n" * 32).decode().rstrip("=")


def raw(connection: psycopg.Connection[Any], question: str) -> list[Any]:
    return [row[0] for row in connection.execute(question).fetchall()]


def test_database_has_no_plain_secret(superuser_connection: psycopg.Connection[Any]) -> None:
    secrets = [make_endpoint().secret, make_sender().secret]
    kept = raw(superuser_connection, "SELECT secret FROM webhooks_endpoint")
    kept += raw(superuser_connection, "SELECT secret FROM webhooks_providersecret")
    assert all(text.startswith("enc1:") for text in kept)
    assert not [secret for secret in secrets if any(secret in text or secret[6:] in text for text in kept)]
    assert [Endpoint.objects.get().secret, ProviderSecret.objects.get().secret] == secrets


def test_same_secret_is_kept_as_another_text_each_time() -> None:
    assert ciphers.encrypt(b"x") != ciphers.encrypt(b"x")


def test_plain_text_is_refused_and_not_shown(superuser_connection: psycopg.Connection[Any]) -> None:
    make_endpoint()
    superuser_connection.execute("UPDATE webhooks_endpoint SET secret = 'whsec_plain'")
    with pytest.raises(ciphers.Unreadable) as raised:
        Endpoint.objects.get()
    assert "whsec_plain" not in str(raised.value)


def test_spoilt_text_is_refused(superuser_connection: psycopg.Connection[Any]) -> None:
    make_endpoint()
    superuser_connection.execute("UPDATE webhooks_endpoint SET secret = overlay(secret placing 'AAAA' from 40)")
    with pytest.raises(ciphers.Unreadable):
        Endpoint.objects.get()


def test_encrypted_column_cannot_be_searched_nor_serialized() -> None:
    from django.core import serializers

    endpoint = make_endpoint()
    with pytest.raises(FieldError, match="encrypted"):
        Endpoint.objects.filter(secret=endpoint.secret).first()
    assert endpoint.secret not in serializers.serialize("json", [endpoint])


def test_every_column_is_renewed_with_the_newest_key_and_the_old_one_may_go(
    settings: Settings, superuser_connection: psycopg.Connection[Any]
) -> None:
    settings.SECRETS_KEYS = [OLD]
    endpoint, sender = make_endpoint(), make_sender()
    body = b'{"endpoint_id":"ep_1","secret":"' + endpoint.secret.encode() + b'"}'
    _claim("k-1", body)
    _claim("k-2", b'{"plain":true}')
    settings.SECRETS_KEYS = [NEW, OLD]
    assert Endpoint.objects.get().secret == endpoint.secret
    out = io.StringIO()
    call_command("rotate_secrets", stdout=out)
    assert out.getvalue().split("\n")[:4] == [
        "wallets_gateway.secret: 0",
        "webhooks_endpoint.secret: 1",
        "webhooks_providersecret.secret: 1",
        "ledger_claim.answer_body: 1",
    ]
    settings.SECRETS_KEYS = [NEW]
    assert Endpoint.objects.get().secret == endpoint.secret
    assert ProviderSecret.objects.get().secret == sender.secret
    assert [_again("k-1"), _again("k-2")] == [body, b'{"plain":true}']
    again = io.StringIO()
    call_command("rotate_secrets", stdout=again)
    assert {line.rpartition(" ")[2] for line in again.getvalue().splitlines()} == {"0"}


def test_secret_is_lost_without_its_key(settings: Settings) -> None:
    settings.SECRETS_KEYS = [OLD]
    make_endpoint()
    settings.SECRETS_KEYS = [NEW]
    with pytest.raises(ciphers.Unreadable):
        Endpoint.objects.get()


def test_answer_that_shows_a_secret_is_kept_encrypted_and_replayed_byte_for_byte(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    body = b'{"endpoint_id":"ep_1","secret":"whsec_c2VjcmV0"}  '
    _claim("k-1", body)
    (kept,) = raw(superuser_connection, "SELECT answer_body FROM ledger_claim")
    assert bytes(kept).startswith(b"enc1:")
    assert b"whsec_" not in bytes(kept)
    assert _again("k-1") == body
    found = claims.look_up(operator_id=1, environment="test", key="k-1")
    assert found is not None
    assert found.answer is not None
    assert found.answer.body == body


def test_answered_claim_changes_in_nothing_but_its_encryption(
    application_connection: psycopg.Connection[Any],
) -> None:
    _claim("k-1", b'{"secret":"whsec_c2VjcmV0"}')
    _claim("k-2", b'{"plain":true}')
    for change in (
        "answer_body = '{}'",
        "answer_body = NULL",
        "answer_body = 'enc1:x', answer_status = 500",
        "answer_body = 'enc1:x', answered_at = now()",
        "answer_body = 'enc1:x', digest = 'x'",
        "answer_status = 500",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            application_connection.execute(f"UPDATE ledger_claim SET {change} WHERE key = 'k-1'")
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute("UPDATE ledger_claim SET answer_body = 'enc1:x' WHERE key = 'k-2'")


def test_migration_encrypts_what_stood_there_in_plain_text(
    superuser_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any]
) -> None:
    from django.db import connection

    first, second = make_endpoint(), make_endpoint()
    superuser_connection.execute("UPDATE webhooks_endpoint SET secret = 'whsec_plain' WHERE id = %s", [first.pk])
    operation = encrypt_column("webhooks_endpoint", "secret")
    with connection.schema_editor() as editor:
        operation.code(None, editor)
    assert Endpoint.objects.get(pk=first.pk).secret == "whsec_plain"
    assert Endpoint.objects.get(pk=second.pk).secret == second.secret
    with connection.schema_editor() as editor:
        assert operation.reverse_code is not None
        operation.reverse_code(None, editor)
    plain = raw(superuser_connection, "SELECT secret FROM webhooks_endpoint ORDER BY id")
    assert plain == ["whsec_plain", second.secret]


@pytest.mark.parametrize(
    "value, complaint",
    [
        ("", "X is not set"),
        (" , ", "X is not set"),
        ("short", "X must be a list of keys of 32 bytes each, in URL-safe base64"),
        (f"{OLD},tooshort", "X must be a list of keys of 32 bytes each, in URL-safe base64"),
        ("!" * 44, "X must be a list of keys of 32 bytes each, in URL-safe base64"),
    ],
)
def test_error_names_the_variable_and_shows_no_key(monkeypatch: pytest.MonkeyPatch, value: str, complaint: str) -> None:
    monkeypatch.setenv("X", value)
    with pytest.raises(ImproperlyConfigured) as raised:
        environment.keys("X")
    assert str(raised.value) == complaint


def test_keys_are_read_padded_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", f"{NEW}, {OLD}")
    assert environment.keys("X") == [NEW, OLD]


def _claim(key: str, body: bytes) -> None:
    with db_transaction.atomic():
        taken = claims.take(operator_id=1, environment="test", key=key, digest="d" * 64, route="POST /v1/x")
        assert isinstance(taken, claims.Taken)
        claims.answer(taken, claims.Answer(201, body, {}), now=clock.now())


def _again(key: str) -> bytes:
    with db_transaction.atomic():
        found = claims.take(operator_id=1, environment="test", key=key, digest="d" * 64, route="POST /v1/x")
    assert isinstance(found, claims.Answered)
    return found.answer.body
