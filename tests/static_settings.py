"""The settings with placeholders, for tools that look at the code and touch no server."""

import os

os.environ.setdefault("SECRET_KEY", "a placeholder that signs nothing and opens nothing")
os.environ.setdefault("SECRETS_KEYS", "YS1wbGFjZWhvbGRlci1vZi10aGlydHktdHdvLWJ5dGU")
os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")

from config.settings import *
