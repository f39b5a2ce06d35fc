"""What the database offers of a gateway is what its adapter speaks."""

import pytest

from payments.gateways import wechat
from payments.gateways.alipay.gateway import METHODS
from payments.gateways.models import Channel, GatewayKind
from payments.gateways.registry import GATEWAYS, NOTIFY_PATHS
from payments.gateways.wechat_v2.gateway import TRADE_TYPES
from payments.gateways.wechat_v3.gateway import ROADS

SPOKEN = {GatewayKind.ALIPAY: METHODS, GatewayKind.WECHAT_V2: TRADE_TYPES, GatewayKind.WECHAT_V3: ROADS}


@pytest.mark.parametrize("kind", SPOKEN)
def test_every_mode_on_offer_is_one_that_the_adapter_speaks_and_no_other(kind):
    assert set(kind.modes) == set(SPOKEN[kind])


def test_both_protocols_of_wechat_take_the_same_modes():
    assert set(wechat.MODES) == set(TRADE_TYPES) == set(ROADS)


def test_every_kind_has_an_adapter_an_address_and_a_channel():
    assert set(GATEWAYS) == set(NOTIFY_PATHS) == set(GatewayKind)
    assert {kind.channel for kind in GatewayKind} == set(Channel)
