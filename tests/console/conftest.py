from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from ledger.controls import bell
from tests.orders.desk import Desk, open_desk
from tests.orders.wallet import ScriptedWallet


@pytest.fixture
def desk(database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk on a clock of its own, for what happens before people look."""
    from ledger.controls import clock
    from ledger.controls.clock import DatabaseClock, FixedClock

    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    wallet = ScriptedWallet()
    monkeypatch.setattr("wallets.remote_operations.adapter", lambda name: wallet)
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        yield open_desk(wallet, fixed, not_found_horizon_ms=1_000)


@pytest.fixture
def person(database: None) -> Callable[[str, str], User]:
    """Make a person of a role, with a one-time-code device."""

    def make(name: str, role: str) -> User:
        user = User.objects.create_user(username=name, password="a long password", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        TOTPDevice.objects.create(user=user, name="test", confirmed=True)
        return user

    return make


@pytest.fixture
def signed_in(person: Callable[[str, str], User]) -> Callable[[str, str], Client]:
    """Make a person of a role and return a client that has passed both factors."""

    def sign_in(name: str, role: str) -> Client:
        user = person(name, role)
        client = Client(enforce_csrf_checks=False)
        client.force_login(user)
        session = client.session
        session[DEVICE_ID_SESSION_KEY] = TOTPDevice.objects.get(user=user).persistent_id
        session.save()
        return client

    return sign_in
