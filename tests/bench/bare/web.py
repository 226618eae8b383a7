"""The bare view's WSGI application; a worker ends when its server is killed hard."""

import os
import signal

from config.local.processes import die_with_parent

die_with_parent(signal.SIGTERM)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.bare.settings"

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

__all__ = ["application"]
