"""The three database roles: superuser (ours alone), owner (migrations), application (all processes)."""

from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

OWNER: Final = "holdfast_owner"
APPLICATION: Final = "holdfast_app"
DATABASE: Final = "holdfast"
_NO_RIGHTS: Final = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")


@dataclass(frozen=True, slots=True)
class RolePasswords:
    """The passwords of the three roles."""

    superuser: str
    owner: str
    application: str


def prepare(superuser_url: str, passwords: RolePasswords, *, database: str = DATABASE) -> None:
    """Make the roles and the owner's database, whichever is missing, and renew the passwords.

    The application's role may connect and nothing else: every table right comes from a migration.
    """
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for role, password in ((OWNER, passwords.owner), (APPLICATION, passwords.application)):
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                    verb, sql.Identifier(role), _NO_RIGHTS, sql.Literal(password)
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(OWNER))
            )
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(APPLICATION))
        )
