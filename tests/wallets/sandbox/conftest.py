from collections.abc import Iterator

import pytest

from tests.wallets.sandbox.calls import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.store.close()
