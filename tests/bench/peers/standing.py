"""What the peers' scripts share: the smallest Django around a peer, and the loop that counts its transfers.

These scripts run in a virtual environment of their own; nothing of the project is imported in them.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import django
from django.conf import settings
from django.core.management import call_command
from psycopg.conninfo import conninfo_to_dict


def stand_up(*apps: str) -> None:
    """Configure Django for these applications on the database that PEER_DATABASE_URL names, and migrate it."""
    at = conninfo_to_dict(os.environ["PEER_DATABASE_URL"])
    settings.configure(
        SECRET_KEY="signs nothing",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", *apps],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": at["dbname"],
                "USER": at["user"],
                "PASSWORD": at["password"],
                "HOST": at["host"],
                "PORT": at["port"],
            }
        },
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DEFAULT_CURRENCY="EUR",
        CURRENCIES=["EUR"],
    )
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


def counted(transfer: Callable[[], object]) -> int:
    """Transfer for so many seconds as the first argument says; print the rate as JSON; return how many there were.

    One goes ahead of the clock, so that no first-time cost is counted against the peer; it is in what is returned.
    """
    seconds = float(sys.argv[1])
    transfer()
    began, count = time.monotonic(), 0
    while (spent := time.monotonic() - began) < seconds:
        transfer()
        count += 1
    print(json.dumps({"transfers_per_second": count / spent}))
    return count + 1
