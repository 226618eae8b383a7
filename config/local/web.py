"""The WSGI application as the local stack serves it: a worker ends when its server is killed hard."""

import signal

from config.local.processes import die_with_parent

die_with_parent(signal.SIGTERM)

from config.wsgi import application  # noqa: E402

__all__ = ["application"]
