"""``livez``, ``readyz`` and ``metrics``: what the supervisor, the balancer and the alerts ask.

Postgres is the queue of record, so it alone decides readiness; Redis is reported.
"""

import secrets
from functools import cache

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from config.metrics import exposition

log = structlog.get_logger(__name__)


@require_GET
def livez(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process serves requests."""
    return JsonResponse({"status": "ok"})


@require_GET
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database is reached and no migration is pending, else 503."""
    database = _database()
    ready = database == "ok"
    return JsonResponse(
        {"status": "ok" if ready else "not ready", "database": database, "redis": _redis()},
        status=200 if ready else 503,
    )


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format; where METRICS_TOKEN is set, only to its bearer."""
    token: str = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "")
    if token and not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    except (DatabaseError, InterfaceError) as error:
        log.warning("readyz.database", error=str(error))
        return "unreachable"
    return "ok" if _migrations_on_disk() <= applied else "migrations pending"


@cache
def _migrations_on_disk() -> frozenset[tuple[str, str]]:
    loader = MigrationLoader(None)
    assert loader.disk_migrations is not None
    replaced = {name for migration in loader.disk_migrations.values() for name in migration.replaces}
    squashed = {key for key, migration in loader.disk_migrations.items() if migration.replaces}
    return frozenset(set(loader.disk_migrations) - replaced - squashed)


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
            client.ping()
    except (redis.RedisError, OSError):
        return "unreachable"
    return "ok"
