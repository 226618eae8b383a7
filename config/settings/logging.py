"""Structured logs; what they may not show is removed in config/logging.py."""

from config.logging import configure, dictionary
from config.settings import environment

LOG_FORMAT = environment.choice("LOG_FORMAT", allowed=("json", "console"), default="json")
LOG_LEVEL = environment.choice("LOG_LEVEL", allowed=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO")

LOGGING = dictionary(format=LOG_FORMAT, level=LOG_LEVEL)
configure()
