"""
Hostile XML, against the one reader of WeChat Pay v2: the collected cases and those that belong to our own rules.
Where the reader refuses, a notice is rejected and an answer is no outcome.
"""

import socket
import time
import tracemalloc

import pytest

from payments.gateways.base import NotificationRejected, RawNotification
from payments.gateways.wechat_v2 import markup
from payments.gateways.wechat_v2.gateway import WechatV2Account, WechatV2Gateway
from tests.conformance.vectors import SKIPPED, cases, parametrize

CASES = cases("xml_attacks.json")
GATEWAY = WechatV2Gateway(WechatV2Account(app_id="wx1", merchant_id="1", api_key="0" * 32))


def body(case):
    if repeat := case.get("body_repeat"):
        return (repeat["open"] * repeat["count"] + repeat["close"] * repeat["count"]).encode()
    return case["body"].encode()


def reason(content):
    with pytest.raises(NotificationRejected) as rejected:
        GATEWAY.parse_notification(RawNotification(headers={}, body=content))
    assert "root:" not in str(rejected.value)
    return rejected.value.reason


@parametrize(CASES)
def test_a_hostile_body_is_malformed_soon_and_without_a_connection(case, monkeypatch):
    def no_socket(*args, **kwargs):
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    before = time.process_time()

    assert reason(body(case)) == "malformed"

    assert time.process_time() - before < 0.05


@SKIPPED
def test_there_are_cases():
    assert len(CASES) == 10


ENTITY = b'<!DOCTYPE x [<!ENTITY a "1">]>'


@pytest.mark.parametrize(
    "content",
    [
        ENTITY + b"<xml><a>1</a></xml>",
        ENTITY + b"<xml><a>&a;</a></xml>",
        b"<!DOCTYPE xml><xml><a>1</a></xml>",
        b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:1/x.dtd"><xml><a>1</a></xml>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]><xml><a>1</a></xml>',
        b"<xml><a>&undeclared;</a></xml>",
        b"<xml><a>1</a><a>2</a></xml>",
        b"<xml><a/><a/></xml>",
        b"<xml><a><b>1</b></a></xml>",
        b"<xml><a>1<b/>2</a></xml>",
        b"<xml>1<a>1</a></xml>",
        b"<xml><a>1</a>1</xml>",
        b'<xml><a x="1">1</a></xml>',
        b'<xml xmlns="urn:x"><a>1</a></xml>',
        b"<xml><a>1<!-- -->2</a></xml>",
        b"<xml><a>1<?php ?>2</a></xml>",
        b"<?php ?><xml><a>1</a></xml>",
        b"<xml><n:a>1</n:a></xml>",
        "<xml><é>1</é></xml>".encode(),
        b"<XML><a>1</a></XML>",
        b"<root><a>1</a></root>",
        b"<xml><a>1</a></xml><xml><a>2</a></xml>",
        b"<xml><a>1</a></xml>trailing",
        b" <?xml version='1.0'?><xml><a>1</a></xml>",
        b"<xml><a>1</a>",
        b"<xml><a>1",
        b"<xml><a>\x00</a></xml>",
        b"<xml><a>\xff</a></xml>",
        b"<xml><a>\xc0\x80</a></xml>",
        b"<xml><a>&#0;</a></xml>",
        "<xml><a>中</a></xml>".encode("gbk"),
        "<xml><a>1</a></xml>".encode("utf-16"),
        "<xml><a>1</a></xml>".encode("utf-16-le"),
        "<xml><a>1</a></xml>".encode("utf-16-be"),
        "<xml><a>1</a></xml>".encode("utf-32"),
        b"<xml>" + b"<a>" * 8000 + b"</a>" * 8000 + b"</xml>",
        "<?xml version='1.0' encoding='utf-16'?><xml><a>1</a></xml>".encode("utf-16"),
        b"<?xml version='1.0' encoding='iso-8859-1'?><xml><a>1</a></xml>",
        b"<?xml version='1.0' encoding='utf-7'?><xml><a>+ADw-</a></xml>",
        b"",
        b"   ",
        b"\xef\xbb\xbf",
        b"{}",
    ],
)
def test_what_is_not_flat_utf_8_under_one_root_is_refused(content):
    with pytest.raises(markup.Malformed):
        markup.read(content)

    assert reason(content) == "malformed"


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"<xml></xml>", {}),
        (b"<xml/>", {}),
        (b"<xml><a/><b></b></xml>", {"a": "", "b": ""}),
        ("<xml><a>中 </a></xml>".encode(), {"a": "中 "}),
        (b"<xml>\r\n\t<a>1</a>\n</xml>\n", {"a": "1"}),
        (b"<?xml version='1.0' encoding='UTF-8'?><xml><a>1</a></xml>", {"a": "1"}),
        (b"<?xml version='1.0'?><xml><a>1</a></xml>", {"a": "1"}),
        (b"\xef\xbb\xbf<xml><a>1</a></xml>", {"a": "1"}),
        (b"<xml><a>&lt;&amp;&#65;</a></xml>", {"a": "<&A"}),
        (b"<xml><a><![CDATA[</a><b>2</b>]]></a></xml>", {"a": "</a><b>2</b>"}),
        (b"<xml><a>x<![CDATA[y]]>z</a></xml>", {"a": "xyz"}),
    ],
)
def test_what_wechat_writes_is_read_as_it_stands(content, fields):
    assert markup.read(content) == fields


@pytest.mark.parametrize("text", ["]]>", "]]]]>>", "]]", "<a>&amp;", "中 \n", "]]>]]>", "<![CDATA["])
def test_what_is_written_is_read_back(text):
    assert markup.read(markup.write({"a": text, "b": "", "c": "1"})) == {"a": text, "c": "1"}


def test_the_length_ends_at_64_kib():
    longest = b"<xml><a>" + b"1" * (64 * 1024 - 18) + b"</a></xml>"
    longest += b" " * (64 * 1024 - len(longest))

    assert len(markup.read(longest)["a"]) == 64 * 1024 - 18
    with pytest.raises(markup.Malformed, match="more than 65536 bytes"):
        markup.read(longest + b" ")


def test_entities_that_multiply_take_no_memory():
    laughs = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(20))
    tracemalloc.start()
    try:
        with pytest.raises(markup.Malformed, match="a document type"):
            markup.read(f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><xml><a>&l20;</a></xml>'.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000
