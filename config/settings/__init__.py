"""Holdfast's settings, one file per concern, read from the environment."""

from config.settings.console import *
from config.settings.core import *
from config.settings.database import *
from config.settings.logging import *
from config.settings.money import *
from config.settings.notices import *
from config.settings.rest import *
from config.settings.security import *
from config.settings.tasks import *
