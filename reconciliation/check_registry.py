"""The checks that there are: every file of `reconciliation/checks/`, in the order of their places."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from reconciliation import checks
from reconciliation.check import Check


@cache
def every_check() -> tuple[Check, ...]:
    """Return the checks in DESIGN.md's order."""
    found: list[Check] = [
        import_module(f"{checks.__name__}.{module.name}").CHECK for module in pkgutil.iter_modules(checks.__path__)
    ]
    found.sort(key=lambda check: check.place)
    assert len({check.name for check in found}) == len({check.place for check in found}) == len(found)
    return tuple(found)


def check_named(name: str) -> Check | None:
    return next((check for check in every_check() if check.name == name), None)


def is_approvable(name: str) -> bool:
    """Tell whether a second person may accept a break of this type; one whose check is gone may be."""
    check = check_named(name)
    return check is None or check.approvable


def lasting(detail: Mapping[str, Any], *, of: str) -> dict[str, Any]:
    """Return what of a break's detail stays the same while the break does; `of` is its type."""
    check = check_named(of)
    passing = check.passing if check is not None else ()
    return {key: value for key, value in detail.items() if key not in passing}
