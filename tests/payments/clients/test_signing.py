import hashlib
import hmac

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from payments.clients.signing import canonical, matches, sign, splittable
from payments.wire.parsers import parse_object

SECRET = "thisistestkey"
# Document 000's example, as it stands there, with a timestamp.
BODY = """{
    "out_trade_no":"20111111111", "client_pay_id":"0000010111135", "total_amount":2144, "shipping_fee":5.00,
    "redirect_url":"https://www.example.com", "user_id":"442090", "ee_no":"a09999", "timestamp":1529035200
}"""
CANONICAL = (
    "client_pay_id=0000010111135&ee_no=a09999&out_trade_no=20111111111&redirect_url=https://www.example.com"
    "&shipping_fee=5.00&timestamp=1529035200&total_amount=2144&user_id=442090&key=thisistestkey"
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
values = st.recursive(
    st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(names, children, max_size=3),
    max_leaves=4,
)
calls = st.dictionaries(names, values, min_size=1, max_size=6)


def signed(params, sign_type="MD5", secret=SECRET):
    return sign(params=params, secret=secret, sign_type=sign_type)


def test_document_000_signs_as_written_out_here():
    params = parse_object(BODY.encode())

    assert canonical(params=params, secret=SECRET) == CANONICAL
    assert signed(params) == hashlib.md5(CANONICAL.encode()).hexdigest()
    assert signed(params, "HMAC-SHA256") == hmac.new(SECRET.encode(), CANONICAL.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"b": "2", "a": "1", "B": "0", "é": "3", "中": "4", "😀": "5"}', "B=0&a=1&b=2&é=3&中=4&😀=5"),
        ('{"sign": "x", "none": null, "empty": "", "a": 1}', "a=1"),
        ('{"zero": 0, "no": false, "list": [], "object": {}}', "list=[]&no=false&object={}&zero=0"),
        ('{"yes": true, "no": false}', "no=false&yes=true"),
        ('{"n": 5.00, "m": 1e2, "k": -0, "t": "5.00"}', "k=-0&m=1e2&n=5.00&t=5.00"),
        (
            '{"goods": [{"num": 2, "id": 1.50}, {"name": "怡安 \\"x\\"", "none": null, "empty": ""}]}',
            'goods=[{"id":1.50,"num":2},{"empty":"","name":"怡安 \\"x\\"","none":null}]',
        ),
        ('{"Sign": "counts", "a": {"sign": "counts"}}', 'Sign=counts&a={"sign":"counts"}'),
        ('{"a": "x&b=y", "url": "https://e.com/?q=1&r= +"}', "a=x&b=y&url=https://e.com/?q=1&r= +"),
    ],
)
def test_the_text_that_is_signed(body, text):
    assert canonical(params=parse_object(body.encode()), secret="k") == f"{text}&key=k"


def test_names_sort_by_bytes_beyond_the_first_plane_too():
    params = {"\uffee": "1", "\U00010000": "2", "z": "0"}

    text = canonical(params=params, secret="k")

    assert [pair.split("=")[0] for pair in text.split("&")[:-1]] == sorted(params, key=str.encode)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_upper_and_lower_case_are_alike(sign_type, case):
    params = {"a": "1"}

    assert matches(given=case(signed(params, sign_type)), params=params, secret=SECRET, sign_type=sign_type)


@pytest.mark.parametrize("given_sign", [None, "", "x", 5, ["a"], "签", "0" * 32, True])
def test_what_is_not_the_sign_does_not_match(given_sign):
    assert not matches(given=given_sign, params={"a": "1"}, secret=SECRET, sign_type="MD5")


def test_the_other_method_does_not_match():
    params = {"a": "1"}

    assert not matches(given=signed(params, "MD5"), params=params, secret=SECRET, sign_type="HMAC-SHA256")
    assert not matches(given=signed(params, "HMAC-SHA256"), params=params, secret=SECRET, sign_type="MD5")


@given(calls, st.randoms())
def test_the_order_of_the_parameters_does_not_matter(params, random):
    shuffled = list(params.items())
    random.shuffle(shuffled)

    assert signed(dict(shuffled)) == signed(params)


@given(calls, st.data())
def test_a_changed_value_changes_the_sign(params, data):
    name = data.draw(st.sampled_from(sorted(params)))
    other = data.draw(st.text("abc123", min_size=1, max_size=6))
    assume(name != "sign")
    assume(canonical(params={"x": params[name]}, secret="") != canonical(params={"x": other}, secret=""))

    assert not matches(given=signed(params), params=params | {name: other}, secret=SECRET, sign_type="MD5")


@given(calls, st.text("abc", min_size=1, max_size=4))
def test_a_sign_under_another_secret_does_not_match(params, secret):
    assert not matches(given=signed(params, secret=secret), params=params, secret=SECRET, sign_type="MD5")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"a": "1=2", "n": 5.00, "l": [1, {"x": "="}], "t": true, "none": null, "sign": "&"}', None),
        ('{"a": "1", "b": "x&c=3"}', "b"),
        ('{"a": "&"}', "a"),
        ('{"goods_list": [{"good_id": "1&b=2", "num": 1}]}', "goods_list"),
        ('{"goods_list": [{"a&b": 1}]}', "goods_list"),
        ('{"goods_list": "[{\\"good_id\\": \\"\\\\u0026\\"}]"}', None),
        ('{"goods_list": [{"good_id": "\\u0026"}]}', "goods_list"),
    ],
)
def test_a_value_that_could_be_split_is_found_by_its_text(body, name):
    assert splittable(parse_object(body.encode())) == name


@given(calls)
def test_what_cannot_be_split_can_be_read_back_from_the_text_that_is_signed(params):
    assume(splittable(params) is None)
    assume(not any(set("=&") & set(name) for name in params))
    said = {name: canonical(params={"x": value}, secret="")[2:-5] for name, value in params.items() if name != "sign"}

    pairs = canonical(params=params, secret=SECRET).split("&")[:-1]

    assert dict(pair.split("=", 1) for pair in pairs) == said


@given(calls)
def test_an_empty_parameter_changes_nothing(params):
    assume("nothing" not in params)

    assert signed(params | {"nothing": "", "sign": "x"}) == signed({k: v for k, v in params.items() if k != "sign"})
