"""A bank's channel connected in the console: by an admin alone, with its inbox's secret shown once."""

from collections.abc import Callable
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from wallets import operators
from wallets.models import Gateway

pytestmark = pytest.mark.usefixtures("database")

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FORM = {
    "slug": "house",
    "environment": "live",
    "channel": "promptpay",
    "url": "https://bank.example.com",
    "secret": SECRET,
    "asset": "THB",
}


def test_an_admin_connects_a_channel_and_nobody_else(signed_in: Callable[[str, str], Client]) -> None:
    operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())
    url = reverse("admin:operation", args=["connect-channel"])
    assert signed_in("lena", "ops lead").post(url, FORM).status_code == 403
    admin = signed_in("root", "admin")
    assert "Connect a payout channel" in admin.get(url).content.decode()
    for off in ({"secret": "whsec_x"}, {"url": "http://bank.example.com"}, {"asset": "XXX"}, {"channel": "wallet"}):
        page = unescape(admin.post(url, {**FORM, **off}).content.decode())
        assert "The channel cannot be connected." in page
    assert not Gateway.objects.exists()
    page = unescape(admin.post(url, FORM).content.decode())
    assert "/v1/inbox/house-promptpay-live; the secret, shown this once: whsec_" in page
    gateway = Gateway.objects.get()
    assert (gateway.requery_cap, gateway.secret) == (10, SECRET)
    assert SECRET not in page
    logged = LogEntry.objects.latest("pk")
    assert (logged.object_id, logged.object_repr) == ("house", "Connect a payout channel")
    assert SECRET not in logged.change_message
