"""The streams as the local stack serves them: a worker ends when its server is killed hard."""

import signal

from config.local.processes import die_with_parent

die_with_parent(signal.SIGTERM)

from config.streams import application  # noqa: E402

__all__ = ["application"]
