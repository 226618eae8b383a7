"""List the static files once a session: every new test client loads the middleware, which lists and reads about each."""

from typing import Final

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import Redirect, StaticFile

_LIST: Final = WhiteNoiseMiddleware.add_files_from_finders
_listed: dict[str, dict[str, StaticFile | Redirect]] = {}


def list_once() -> None:
    """Have every WhiteNoise of this process take what the first one with the same prefix has found."""
    WhiteNoiseMiddleware.add_files_from_finders = _take


def _take(middleware: WhiteNoiseMiddleware) -> None:
    if middleware.static_prefix not in _listed:
        _LIST(middleware)
        _listed[middleware.static_prefix] = dict(middleware.files)
    middleware.files.update(_listed[middleware.static_prefix])
