import pytest

from payments.gateways import memory
from payments.reconciliation import bills
from tests.payments.reconciliation.statements import Statements
from tests.world import make_client, make_customer, make_memory_account, place_order


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def account():
    return make_memory_account()


@pytest.fixture
def order(account):
    client = make_client()
    make_customer(client=client)
    return place_order(client=client)


@pytest.fixture
def statements(monkeypatch):
    """The one statement source of every account."""
    source = Statements()
    monkeypatch.setattr(bills, "statement_source", lambda account: source)
    return source
