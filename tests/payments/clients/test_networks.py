import ipaddress

import pytest

from payments.clients.networks import caller


@pytest.fixture(autouse=True)
def proxies(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "is_plain"),
    [
        ("203.0.113.7", None, "203.0.113.7", True),
        ("::1", None, "::1", True),
        ("::ffff:203.0.113.7", None, "203.0.113.7", True),
        ("10.0.0.1", None, "10.0.0.1", True),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7", True),
        ("10.0.0.1", "127.0.0.1, 203.0.113.7", "203.0.113.7", True),
        ("10.0.0.1", "127.0.0.1,203.0.113.7 , 10.9.9.9", "203.0.113.7", True),
        ("fd00::1", "2001:db8::7", "2001:db8::7", True),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2", True),
        ("10.0.0.1", "127.0.0.1, nonsense", None, True),
        ("10.0.0.1", "", None, True),
        ("203.0.113.7", "127.0.0.1", "203.0.113.7", False),
        ("127.0.0.1", "", "127.0.0.1", False),
        ("", None, None, True),
    ],
)
def test_the_callers_address(peer, forwarded, address, is_plain):
    meta = {"REMOTE_ADDR": peer} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})

    found = caller(meta)

    assert found.address == (address and ipaddress.ip_address(address))
    assert found.is_plain is is_plain


def test_an_unreadable_address_is_in_no_network():
    assert not caller({"REMOTE_ADDR": ""}).is_in(["0.0.0.0/0", "::/0"])


def test_a_network_holds_its_own_addresses():
    here = caller({"REMOTE_ADDR": "192.168.7.9"})

    assert here.is_in(["10.0.0.0/8", "192.168.0.0/16"])
    assert not here.is_in(["10.0.0.0/8", "fd00::/8"])
    assert not here.is_in([])
