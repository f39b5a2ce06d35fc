"""What the tests of this directory share: books that are audited in the end, whatever a test did."""

import pytest

from payments import invariants
from payments.transactions import transaction
from tests.english_app.refusing import CALLERS, World


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
        assert set(broken) <= {"I15c"}, broken  # the world's own grants leave no audit rows


@pytest.fixture(params=CALLERS)
def world(request, db):
    """Whose calls are refused: a client's with a token, the default app's without one, a listed network's."""
    return World(request.param)
