"""Migrate the database and load the reference rows, as the owner of the tables: ``python -m config.migrate``.

The application's role owns no table and may create none, so its own DATABASE_URL is set aside here.
"""

import os

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command


def main() -> None:
    """Do both; each changes nothing when there is nothing to do."""
    owner = os.environ.get("MIGRATE_DATABASE_URL")
    if not owner:
        raise ImproperlyConfigured("MIGRATE_DATABASE_URL is not set: migrations are run by the owner of the tables")
    os.environ["DATABASE_URL"] = owner
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("reference_rows")


if __name__ == "__main__":
    main()
