"""The console and the documentation page load nothing from the outside."""

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("page", ["/v1/docs", "/console/login/"])
def test_page_loads_only_our_own_files_and_they_are_served(client: Client, page: str) -> None:
    answer = client.get(page)
    assert answer.status_code == 200
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"([^\"]+)\"", answer.content.decode())
    assert loaded
    for address in loaded:
        assert address.startswith("/static/"), address
        assert client.get(address).status_code == 200, address
