import pytest

from payments import invariants
from payments.gateways import memory
from payments.transactions import transaction
from tests.world import make_client, make_customer, make_memory_account


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture(autouse=True)
def the_books_are_right_in_the_end(db):
    yield
    with transaction():
        found = [finding.name for finding in invariants.findings() if finding.breaches]
        assert set(found) <= {"I15c"}  # the world's own grants leave no audit rows


@pytest.fixture
def shop():
    """Above 80 yuan of an order its refunds need a second person; its customer has 90 yuan in points."""
    client = make_client(approval_above_fen=8_000)
    make_customer(client=client, points_fen=9_000)
    make_memory_account()
    return client
