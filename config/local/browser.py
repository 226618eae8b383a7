"""Find the system's Chromium, which draws the console in tests."""

import shutil
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Return the path of Chromium, or None when there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)
