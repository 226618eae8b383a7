"""Migrate the database and load the reference rows, as the owner of the tables: ``python -m config.migrate``.

The application's role owns no table and may create none, so its own DATABASE_URL is set aside here.
"""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader


def main() -> None:
    """Do both; each changes nothing when there is nothing to do. A database of a newer version is left as it is."""
    owner = os.environ.get("MIGRATE_DATABASE_URL")
    if not owner:
        raise ImproperlyConfigured("MIGRATE_DATABASE_URL is not set: migrations are run by the owner of the tables")
    os.environ["DATABASE_URL"] = owner
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    if newer := unknown_migrations():
        sys.exit(f"the database is of a newer version, which has migrated it by {', '.join(newer)}: nothing is changed")
    call_command("migrate", interactive=False, verbosity=0)
    call_command("reference_rows")


def unknown_migrations() -> list[str]:
    """Return what was applied to the database of the installed apps and is not in this version, as ``app.name``.

    The reference rows of an older version would take away the legal moves that a newer one has rows in.
    """
    loader = MigrationLoader(connection)
    assert loader.applied_migrations is not None
    assert loader.disk_migrations is not None
    known = set(loader.disk_migrations).union(*(one.replaces for one in loader.disk_migrations.values()))
    return sorted(
        f"{app}.{name}" for app, name in set(loader.applied_migrations) - known if app in loader.migrated_apps
    )


if __name__ == "__main__":
    main()
