"""The ASGI application: the streams, and nothing else."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config.authentication import caller_of  # noqa: E402
from wallets import request_log  # noqa: E402
from webhooks.streams.application import Application  # noqa: E402

application = Application(authenticate=caller_of, note=request_log.write_stream)
