"""What the tests of this directory share: books that are audited in the end, whatever a test did."""

import pytest

from payments import invariants
from payments.transactions import transaction
from tests.partner_orders.refusing import World
from tests.partner_orders.world import make_address, make_pack, make_partner, make_partner_client
from tests.world import TOKEN


@pytest.fixture(autouse=True)
def the_books_are_right_in_the_end(request):
    """It is there before the database is, so that it looks while the database still stands."""
    uses_database = request.node.get_closest_marker("django_db") is not None
    if uses_database:
        request.getfixturevalue(
            "transactional_db" if request.node.get_closest_marker("django_db").kwargs.get("transaction") else "db"
        )
    yield
    if uses_database:
        with transaction():
            broken = {found.name: found.examples for found in invariants.findings() if found.breaches}
        assert set(broken) <= {"I15c"}, broken  # the world's own grants leave no audit rows


@pytest.fixture
def client_(db):
    return make_partner_client()


@pytest.fixture
def customer(client_):
    return make_partner(client=client_)


@pytest.fixture
def address(customer):
    return make_address(customer=customer)


@pytest.fixture
def pack(client_):
    return make_pack(client=client_)


@pytest.fixture(params=["token", "default"])
def world(request, db):
    """Whose calls are refused: a client's with a token, and the default client's without one."""
    if request.param == "token":
        return World(token=TOKEN)
    return World(token="", default_of="partner_orders", always_http_200=True)
