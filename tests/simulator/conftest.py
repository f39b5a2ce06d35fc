from collections.abc import Iterator

import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator_process import Simulator, simulator, simulator_process

__all__ = ["simulator", "simulator_process"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def alipay(simulator: Simulator, receiver: Receiver) -> Iterator[AlipayClient]:
    """A merchant in key mode whose notifications the receiver gets."""
    with AlipayClient(simulator.register_merchant(), notify_url=receiver.url) as client:
        yield client
