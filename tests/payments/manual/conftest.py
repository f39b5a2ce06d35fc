import pytest

from payments.gateways import memory


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()
