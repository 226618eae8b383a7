"""What the shell says in place of what the local stack would bring."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outside:
    """Real servers in place of the embedded ones, by DATABASE_URL and REDIS_URL; what else the shell may say."""

    database_url: str = ""
    migrate_database_url: str = ""
    application_role: str = ""
    redis_url: str = ""
    receivers: str = ""
    """More of OUTBOUND_ALLOW: receivers of one's own on this machine, which webhooks may reach."""

    @classmethod
    def named_in(cls, environment: Mapping[str, str]) -> "Outside":
        """Read the shell's variables, unless it is a shell of the local stack itself."""
        if environment.get("HOLDFAST_LOCAL"):
            return cls()
        database = environment.get("DATABASE_URL", "")
        return cls(
            database_url=database,
            migrate_database_url=environment.get("MIGRATE_DATABASE_URL", database),
            application_role=environment.get("APP_DATABASE_ROLE", ""),
            redis_url=environment.get("REDIS_URL", ""),
            receivers=environment.get("OUTBOUND_ALLOW", ""),
        )
