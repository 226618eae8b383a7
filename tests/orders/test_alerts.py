import pytest
from django.test import Client

from tests.orders.desk import Desk
from tests.orders.wallet import lost_before

pytestmark = pytest.mark.usefixtures("database")


def test_an_open_review_is_counted_as_an_alert(desk: Desk) -> None:
    desk.wallet.script = [lost_before]
    desk.order()
    desk.drive(passes=12)
    page = Client().get("/metrics").content.decode()
    assert 'holdfast_reviews_open{environment="test",reason="debit_unknown"} 1' in page
