from collections.abc import Iterator

import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator.wechat_v3_merchant import V3Receiver, WechatV3Client
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


@pytest.fixture
def v3_receiver() -> Iterator[V3Receiver]:
    with V3Receiver() as receiver:
        yield receiver


@pytest.fixture
def wechat_v3(simulator: Simulator, v3_receiver: V3Receiver) -> Iterator[WechatV3Client]:
    """A merchant that uses WeChat Pay's public key, and may close an order as soon as it is made."""
    merchant = simulator.register_wechat_merchant(closable_after_s=0)
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        yield client


@pytest.fixture
def v2_receiver() -> Iterator[V2Receiver]:
    with V2Receiver() as receiver:
        yield receiver


@pytest.fixture
def wechat_v2(simulator: Simulator, v2_receiver: V2Receiver) -> Iterator[WechatV2Client]:
    """A merchant that signs with MD5, as it may, and waits five minutes before it closes, as it must."""
    with WechatV2Client(simulator.register_wechat_merchant(), notify_url=v2_receiver.url) as client:
        yield client
