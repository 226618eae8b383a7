"""PostgreSQL, reached as the application's role.

Migrations are run by the owner: ``python -m config.migrate`` puts MIGRATE_DATABASE_URL in DATABASE_URL's
place.
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from config.settings import environment


def connection_settings(name: str) -> dict[str, Any]:  # type: ignore[explicit-any, unused-ignore]  # Django's shape
    """Return Django's database settings for a libpq URL in the variable ``name``.

    A Unix socket is written as ``postgresql://user:password@/database?host=/folder&port=5432``.
    """
    address = environment.url(name, schemes=("postgresql", "postgres"))
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(address).items() if value is not None}
    except ProgrammingError:
        raise ImproperlyConfigured(f"{name} is not a PostgreSQL URL") from None
    if "dbname" not in parts:
        raise ImproperlyConfigured(f"{name} names no database")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        # psycopg prepares nothing: it would have the server forget all that is prepared at each rollback, and what is
        # prepared is kept by ledger.controls.round_trips.
        "OPTIONS": {"connect_timeout": "5", "application_name": "holdfast", "prepare_threshold": None, **parts},
        "CONN_MAX_AGE": environment.whole_number("DATABASE_CONNECTION_SECONDS", default=300),
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


DATABASES = {"default": connection_settings("DATABASE_URL")}

# The role that migrations grant to; it owns nothing.
APP_DATABASE_ROLE = environment.text("APP_DATABASE_ROLE", default="holdfast_app")
