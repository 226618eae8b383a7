"""Arrays written as text come out of PostgreSQL as what went in."""

import pytest
from django.db import connection
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.controls import arrays

pytestmark = pytest.mark.usefixtures("database")

_TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=5)


@settings(max_examples=200, deadline=None)
@example(["NULL", "null", "", " ", ",", "{", "}", "{a,b}", "é", "users:1"])
@example(['"', "\\", "\n", "\x1f", "\x7f", '\\"'])
@given(_TEXTS)
def test_texts_come_out_as_they_went_in(values: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [arrays.texts(values)])
        assert cursor.fetchone() == (values,)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**128), 2**128), max_size=5))
def test_integers_come_out_as_they_went_in(values: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::numeric[]", [arrays.integers(values)])
        assert cursor.fetchone() == (values,)
