"""The two environments, each with its own book."""

from django.db.models import TextChoices


class Environment(TextChoices):
    LIVE = "live"
    """Real money."""
    TEST = "test"
    """The sandbox's money: same code, other book, other keys."""
