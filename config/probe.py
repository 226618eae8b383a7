"""Say whether this container is healthy: ask the URL given, or the database when none is."""

import os
import sys
import urllib.error
import urllib.request

import psycopg

_SECONDS = 4


def main(arguments: list[str]) -> int:
    """Return 0 when it is."""
    try:
        if arguments:
            with urllib.request.urlopen(arguments[0], timeout=_SECONDS) as answer:
                return 0 if answer.status == 200 else 1
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=_SECONDS) as connection:
            connection.execute("SELECT 1")
    except (OSError, psycopg.Error) as error:
        print(type(error).__name__, error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
