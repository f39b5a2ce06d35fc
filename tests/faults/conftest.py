"""What the tests of this directory share: a site that lives as long as the session, and books that are audited."""

import pytest

from payments import invariants
from tests.attacks.conftest import site, site_process
from tests.payments.gateways.simulated import receiver

__all__ = ["receiver", "site", "site_process"]


@pytest.fixture(autouse=True)
def the_books_are_right_in_the_end(transactional_db):
    """Whatever went wrong. It was there first, so it looks when everybody else has left."""
    yield
    assert list(_breaches()) == []


def _breaches():
    for finding in invariants.check():
        # What a customer of `tests.world` begins with nobody has granted.
        examples = [example for example in finding.examples if not example.startswith("opening:")]
        if examples:
            yield finding.name, examples
