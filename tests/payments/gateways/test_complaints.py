"""What gateways and adapters say is told in the reader's language."""

import ast
import pathlib

import pytest
from django.utils.translation import override

from payments.gateways import complaints

GATEWAYS = pathlib.Path(complaints.__file__).parent
OF_ACCOUNTS = [
    *(GATEWAYS / adapter / f"{module}.py" for adapter in ("alipay", "wechat_v2", "wechat_v3")
      for module in ("gateway", "keys", "client")),
    GATEWAYS / "keys.py", GATEWAYS / "wechat_oauth.py",
]  # fmt: skip


def sentences(path):
    """Yield the literal sentences of the ValueErrors that a module raises."""
    for node in ast.walk(ast.parse(path.read_text())):
        call = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "ValueError":
            yield from (each.value for each in call.args if isinstance(each, ast.Constant))


def test_whatever_an_adapter_says_of_an_account_can_be_translated():
    said = {sentence for path in OF_ACCOUNTS if path.exists() for sentence in sentences(path)}

    assert "api_key must have 32 characters" in said
    assert said - set(complaints.ADAPTERS_SAY) == set()


@pytest.mark.parametrize(
    "said", ["public_key: not an RSA public key", "not an RSA public key", "something of Python's: its own"]
)
def test_in_english_a_sentence_stays_as_it_is(said):
    with override("en"):
        assert complaints.translated(said) == said


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ('HTTP 401, unsigned: {"code":"SIGN_ERROR","message":"错误的签名，验签失败"}', "The gateway refuses our"),
        (
            'HTTP 401, unsigned: {"code":"SIGN_ERROR","message":"Http头Authorization中的timestamp与…"}',
            "The gateway finds",
        ),
        ("APPID_MCHID_NOT_MATCH: appid和mch_id不匹配", "App id and merchant"),
        ("NO_AUTH: 商户无权限", "The keys are right"),
        ("signed at 1529035200, which is not now", "The gateway finds"),
        ("HTTP 502", "The gateway is out of order"),
        ("HTTP 301", "What answers there is no gateway"),
        ("something new", "The gateway gave no answer that can be believed"),
    ],
)
def test_words_of_a_gateway_are_explained(said, begins):
    with override("en"):
        assert complaints.explained(said).startswith(begins)
