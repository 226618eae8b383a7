"""Long lists as literals of PostgreSQL's arrays: psycopg looks at each element in Python, which costs more than the rest."""

import json
from collections.abc import Sequence


def integers(values: Sequence[int]) -> str:
    """Return an array's literal."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Sequence[str]) -> str | list[str]:
    """Return an array's literal, or the list itself where an element needs more than quotes around it."""
    quoted = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return list(values) if "\\" in quoted else "{" + quoted[1:-1] + "}"
