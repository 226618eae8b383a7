"""What a step came to: it moved its order, it waits, or there is nothing to do in this state."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Moved:
    """The state has changed (or somebody else changed it): look again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before this long from now."""

    pause: timedelta


@dataclass(frozen=True, slots=True)
class Stopped:
    """Terminal, or waiting for people."""


Progress = Moved | Wait | Stopped
MOVED = Moved()
