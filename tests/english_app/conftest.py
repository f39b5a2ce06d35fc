"""What the tests of this directory share: books that are audited in the end, whatever a test did."""

import pytest

from payments import invariants
from payments.models import ApiClient
from payments.transactions import transaction
from tests.english_app import world
from tests.english_app.dealings import NOW
from tests.english_app.refusing import CALLERS, World
from tests.english_app.world import MONTH_FEN


@pytest.fixture(autouse=True)
def the_books_are_right_in_the_end(request):
    """It is there before the database is, so that it looks while the database still stands."""
    marker = request.node.get_closest_marker("django_db")
    if marker is not None:
        request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    yield
    if marker is not None:
        with transaction():
            broken = {found.name: found.examples for found in invariants.findings() if found.breaches}
        # The world's own grants leave no audit rows, and what was placed at a moment long past is stale.
        assert set(broken) <= {"I15c", "I8c"}, broken


@pytest.fixture
def shop(db):
    """The client whose app it is, with Alipay set up."""
    client = world.make_english_client()
    world.make_alipay(client=client)
    return client


@pytest.fixture
def learner(shop):
    return world.make_learner(client=shop, balance_fen=100_000)


@pytest.fixture
def month(shop):
    return world.make_month(client=shop)


@pytest.fixture
def bought(shop, learner, month):
    """A month, paid and delivered at NOW."""
    return world.buy(client=shop, goods={month: 1}, at=NOW)


@pytest.fixture
def limited(shop):
    """What one person alone may refund is less than a month."""
    ApiClient.objects.filter(pk=shop.pk).update(approval_above_fen=MONTH_FEN - 1)


@pytest.fixture(name="world", params=CALLERS)
def world_of_a_caller(request, db):
    """Whose calls are refused: a client's with a token, the default app's without one, a listed network's."""
    return World(request.param)
