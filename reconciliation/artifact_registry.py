"""The artifacts that there are: every file of `reconciliation/artifacts/`, in the order of their places."""

import pkgutil
from functools import cache
from importlib import import_module

from reconciliation import artifacts
from reconciliation.artifact import Artifact


@cache
def every_artifact() -> tuple[Artifact, ...]:
    found: list[Artifact] = [
        import_module(f"{artifacts.__name__}.{module.name}").ARTIFACT
        for module in pkgutil.iter_modules(artifacts.__path__)
    ]
    found.sort(key=lambda artifact: artifact.place)
    assert len({artifact.name for artifact in found}) == len({artifact.place for artifact in found}) == len(found)
    return tuple(found)
