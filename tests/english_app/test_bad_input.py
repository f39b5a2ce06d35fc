"""What cannot be read of document 004's calls: its envelope in Chinese, the field named, and nothing moved."""

import json

import pytest

from english_app.models import NUM_MAX
from payments.models import Order
from payments.wire import WireNumber
from tests.calls import Text, body
from tests.english_app.calls import FORM, LISTS, WAYS, data, flat, path_of, send
from tests.english_app.refusing import CALLS, CHINESE, LEFT_OUT, books, refused

pytestmark = pytest.mark.django_db

READS = ("submitGoodsOrder", "init")
OF_ORDER = ("pay", "cancel")
FORMS = ("GET", "form", "multipart")


def refuse(client, world, name, *, way="json", status=400, code="invalid_field", field="", **changes):
    params = world.proven(world.params(name, **changes), way=way)
    is_known = world.caller != "app" or field != "app_id"  # which names the client
    return refused(client, world, name, params, status=status, code=code, field=field, way=way, is_known=is_known)


def cases(table):
    """Return (call, field, values) of a table calls → field → values."""
    return [
        pytest.param(name, field, values, id=f"{name}-{field}")
        for (names, field), values in table.items()
        for name in ([names] if isinstance(names, str) else names)
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["payWay", "lists", "submitGoodsOrder", "init"])
def test_control_the_good_call_is_answered_whatever_else_is_sent(client, world, name, way):
    params = world.proven(world.params(name, colour="红", extra=[1, {"a": None}]), way=way)

    assert data(client, name, params, way=way, **world.how()) is not None
    assert Order.objects.count() == (2 if name == "init" else 0)


# --- each parameter

NO_TEXT = [[], ["1"], {}, {"a": 1}, True, False, Text("1.5"), Text("-1"), Text("1e3")]
NO_NUMBER = [*NO_TEXT, Text("1.0"), 10**12, "１", "1 ", " 1", "x", "0x1", "+1", "-1", "1_0", "9" * 400, "一"]
NO_YUAN = [
    [], {}, True, False, Text("-1"), "-0.01", Text("19.005"), "19.999", Text("1e2"), "1E2", "NaN", "x", "１９", "19,00",
    " 19", "19 ", "+19", ".5", "5.", "0x1", Text("9" * 13), "一",
]  # fmt: skip
NO_LINE = ["a\nb", "a\tb", "\x7f", "\x1b[31m", "a\u2028b", "a\r\nSet-Cookie: x=1"]
NO_WAY = [*NO_TEXT, "WeChat", "weixin", "balance", "memory", "微信", "wechat ", 1]
OUT_OF_MEASURE = [0, "0", 10**9, 10**12]
NO_LIST = [{}, {"good_id": 1, "num": 1}, True, 1, 0, "x", "garbage", "[", "1", '"[]"', "null", "{}", ["1"], [1], [[]],
           [None], [True], [{"good_id": 1, "num": 1}, 1], "[1]", '[{"good_id": 1, "num": 1}] x',
           "good_id=1"]  # fmt: skip

WRONG = {
    (("lists", *READS, *OF_ORDER), "user_id"): [*NO_TEXT, "x" * 65, Text("9" * 65)],
    ("lists", "page"): [*NO_NUMBER, *OUT_OF_MEASURE],
    ("lists", "limit"): [*NO_NUMBER, *OUT_OF_MEASURE, 101],
    (OF_ORDER, "order_sn"): [*NO_TEXT, "x" * 65],
    (READS, "goods_list"): NO_LIST,
    ("init", "price_total"): NO_YUAN,
    ("init", "money"): NO_YUAN,
    ("init", "pay_way_name"): NO_WAY,
    ("init", "title"): [*NO_TEXT, *NO_LINE, "题" * 129],
    ("init", "user_name"): [*NO_TEXT, *NO_LINE, "名" * 65],
    ("init", "imeil"): [*NO_TEXT, *NO_LINE, "8" * 65],
    ("init", "agent_id"): NO_NUMBER,
    (CALLS[1:], "app_id"): NO_NUMBER,
}
REQUIRED = {
    (("lists", *READS, *OF_ORDER), "user_id"): [LEFT_OUT, None, ""],
    (OF_ORDER, "order_sn"): [LEFT_OUT, None, ""],
    (READS, "goods_list"): [LEFT_OUT, None, "", [], "[]"],
    ("init", "title"): [LEFT_OUT, None, "", " ", "\u3000"],
    ("init", "price_total"): [LEFT_OUT, None, ""],
    ("init", "money"): [LEFT_OUT, None, ""],
    ("init", "pay_way_name"): [LEFT_OUT, None, ""],
}


@pytest.mark.parametrize(("name", "field", "values"), cases(WRONG))
def test_what_is_no_such_value_is_refused_by_name(client, world, name, field, values):
    for value in values:
        refuse(client, world, name, field=field, **{field: value})


@pytest.mark.parametrize(("name", "field", "values"), cases(REQUIRED))
def test_a_missing_parameter_is_named(client, world, name, field, values):
    for value in values:
        refuse(client, world, name, code="missing_field", field=field, **{field: value})


TEXTS = [
    ("lists", "page", "0"), ("lists", "limit", "1e9"), ("submitGoodsOrder", "goods_list", "garbage"),
    ("init", "goods_list", "{}"), ("init", "money", "-1"), ("init", "price_total", "29.001"), ("init", "title", "a\tb"),
    ("pay", "user_id", "x" * 65), ("cancel", "order_sn", "9" * 65),
]  # fmt: skip


@pytest.mark.parametrize("way", FORMS)
@pytest.mark.parametrize("name", CALLS[1:])
def test_a_form_is_read_as_strictly(client, world, name, way):
    for field, value in [(field, value) for of, field, value in TEXTS if of == name]:
        refuse(client, world, name, field=field, way=way, **{field: value})


OPTIONAL = ("app_id", "user_name", "imeil", "agent_id")


@pytest.mark.parametrize("value", [LEFT_OUT, None, ""], ids=["left out", "null", "empty"])
@pytest.mark.parametrize("field", OPTIONAL)
def test_an_optional_parameter_may_be_missing(client, world, field, value):
    params = world.proven(world.params("init", **{field: value}))

    assert data(client, "init", params, **world.how())["pay_order_sn"]


@pytest.mark.parametrize("name", ["lists", *READS, *OF_ORDER])
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
def test_a_nul_or_half_a_pair_is_refused_by_name(client, world, name, escape):
    for field in (*world.params(name), "extra"):
        params = world.proven(world.params(name, **{field: "x"})) | {field: Text(f'"a{escape}"')}

        is_known = world.caller != "app"  # nothing is read of such a body, nor whose it is
        refused(client, world, name, params, status=400, code="unusable_text", field=field, is_known=is_known)


# --- a list of goods

NO_ENTRY = ["-1", -1, Text("1.5"), "x", "１", Text("1.0"), Text("1e2"), True, Text("[]"), Text("{}"), 10**9, "一", "1 "]
WRONG_OF_A_GOOD = {"good_id": NO_ENTRY, "num": [*NO_ENTRY, 0, "0", 1_000, "1000"]}


def second(world, **entry):
    """Return the text of a list of two goods, the second of them changed."""
    given = {"good_id": world.card.pk, "num": 1} | entry
    entries = [{"good_id": world.month.pk, "num": 1}, {name: given[name] for name in given if given[name] != LEFT_OUT}]
    return f"[{', '.join(body(entry) for entry in entries)}]"


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("field", ["good_id", "num"])
@pytest.mark.parametrize("way", ["json", "text", "form"])
def test_what_is_no_number_of_a_good_is_refused_by_its_place(client, world, name, field, way):
    for value in WRONG_OF_A_GOOD[field]:
        refuse_second(client, world, name, way=way, field=field, **{field: value})


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("field", ["good_id", "num"])
@pytest.mark.parametrize("value", [LEFT_OUT, None, ""], ids=["left out", "null", "empty"])
def test_what_an_entry_lacks_is_named(client, world, name, field, value):
    refuse_second(client, world, name, code="missing_field", field=field, **{field: value})


def refuse_second(client, world, name, *, field, way="json", code="invalid_field", **entry):
    """Have a list refused for its second entry. By "text" it stands in the JSON as a text."""
    text = second(world, **entry)
    as_read = json.loads(text, parse_int=WireNumber, parse_float=WireNumber) if way == "json" else text
    params = world.proven(world.params(name, goods_list=as_read), way="form" if way == "form" else "json")
    if way == "json":
        params |= {"goods_list": Text(text)}
    refused(
        client, world, name, params, status=400, code=code, field=f"goods_list.1.{field}",
        way="form" if way == "form" else "json",
    )  # fmt: skip


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("num", [1, "1", NUM_MAX, "001"])
def test_control_a_num_is_a_whole_number_or_its_text(client, world, name, num):
    entry = [{"good_id": world.card.pk, "num": num}]
    total = f"{int(num) * 9.9:.2f}"
    changes = {"price_total": total, "money": total} if name == "init" else {}

    answer = data(client, name, world.proven(world.params(name, goods_list=entry, **changes)), **world.how())

    assert answer.get("price_total", int(num) * 9.9) == pytest.approx(int(num) * 9.9)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("way", ["json", "form"])
def test_more_than_a_hundred_entries_are_refused(client, world, name, way):
    entries = [{"good_id": world.month.pk, "num": 1}] * 101

    refuse(client, world, name, field="goods_list", way=way, goods_list=entries)


@pytest.mark.parametrize("name", READS)
def test_a_name_that_stands_twice_in_an_entry_is_refused_in_a_text_too(client, world, name):
    refuse(client, world, name, field="goods_list.num", goods_list='[{"num": 1, "num": 2, "good_id": 1}]')


@pytest.mark.parametrize("name", READS)
def test_a_list_nested_too_deep_is_refused_in_a_text_too(client, world, name):
    refuse(client, world, name, field="goods_list", goods_list="[" * 50_000)


# --- what is read, and refused all the same


def test_pieces_of_a_good_are_added_up_before_they_are_counted(client, world):
    entries = [{"good_id": world.card.pk, "num": 500}] * 2

    for name in READS:
        refuse(client, world, name, status=422, code="too_many", field="goods_list", goods_list=entries)


@pytest.mark.parametrize("name", READS)
def test_what_costs_more_than_any_order_may_is_refused(client, world, name):
    world.month.price_fen = 100_000_000_00
    world.month.save(update_fields=["price_fen"])
    entries = [{"good_id": world.month.pk, "num": 2}]

    refuse(client, world, name, status=422, code="total_too_large", field="goods_list", goods_list=entries)


@pytest.mark.parametrize("name", ["lists", *READS])
@pytest.mark.parametrize("user_id", ["nobody", "stranger", "01", "１", 10**12, "1 ", "'", "%", "用户"])
def test_who_is_nobody_to_the_client_is_unknown(client, world, name, user_id):
    refuse(client, world, name, status=404, code="customer_unknown", field="user_id", user_id=user_id)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("good", ["none", "zero", "off_sale", "their_good"])
def test_what_the_client_does_not_sell_is_unknown(client, world, name, good):
    good_id = {"none": 999_999_999, "zero": 0}.get(good) or getattr(getattr(world, good, None), "pk", 0)
    entries = [{"good_id": world.month.pk, "num": 1}, {"good_id": good_id, "num": 1}]

    sentence = refuse(client, world, name, status=404, code="good_unknown", field="goods_list", goods_list=entries)

    assert str(good_id) in sentence


@pytest.mark.parametrize("price_total", [Text("28.99"), "29.01", 0, "290", 999_999_999_999])
def test_a_price_of_the_callers_own_is_refused_with_the_right_one(client, world, price_total):
    sentence = refuse(client, world, "init", status=409, code="price_changed", field="price_total",
                      price_total=price_total)  # fmt: skip

    assert "29.00" in sentence


@pytest.mark.parametrize("money", [0, "0.00", Text("18.99"), 1])
def test_money_that_does_not_cover_it_with_the_balance_is_refused_with_the_least(client, world, money):
    sentence = refuse(client, world, "init", status=422, code="money_too_little", field="money", money=money)

    assert "10.00" in sentence
    assert "19.00" in sentence


@pytest.mark.parametrize("money", [Text("100000000.01"), 999_999_999_999])
def test_money_beyond_what_a_gateway_takes_at_once_is_refused_and_leaves_no_orders(client, world, money):
    refuse(client, world, "init", status=422, code="money_too_much", field="money", money=money)


def test_a_way_to_pay_that_is_not_set_up_is_refused(client, world):
    refuse(client, world, "init", status=422, code="no_gateway_account", field="pay_way_name", pay_way_name="wechat")


def test_an_agent_of_nobodys_is_refused(client, world):
    refuse(client, world, "init", status=404, code="agent_unknown", field="agent_id", agent_id=999_999_999)


def test_the_account_of_a_frozen_customer_buys_nothing(client, world):
    world.customer.is_frozen = True
    world.customer.save(update_fields=["is_frozen"])

    refuse(client, world, "init", status=422, code="customer_frozen", field="user_id")


@pytest.mark.parametrize("name", OF_ORDER)
@pytest.mark.parametrize("order_sn", ["0" * 20, "x", "１", "'", "%", 10**12, "订单"])
def test_an_order_of_nobodys_is_unknown(client, world, name, order_sn):
    refuse(client, world, name, status=404, code="order_unknown", field="order_sn", order_sn=order_sn)


# --- bodies, methods, addresses

BODIES = {
    "broken": ("{", "malformed_json", ""),
    "trailing": ('{"a": 1} x', "malformed_json", ""),
    "array": ("[]", "not_an_object", ""),
    "deep": ('{"a":' * 50_000, "too_deep", ""),
    "duplicate": ('{"user_id": "1", "user_id": "2"}', "duplicate_name", "user_id"),
    "no number": ('{"page": NaN}', "not_a_number", "page"),
    "too large": ('{"a": "' + "x" * 300_000 + '"}', "too_large", ""),
    "not UTF-8": (b'{"user_id": "\xff"}', "not_utf8", ""),
}
QUERIES = {
    "stray percent": ("user_id=%zz", "malformed_form", "user_id"),
    "duplicate": ("user_id=1&user_id=2", "duplicate_name", "user_id"),
    "NUL": ("user_id=a%00", "unusable_text", "user_id"),
    "not UTF-8": ("user_id=%ff", "not_utf8", "user_id"),
    "too many": ("&".join(f"a{number}=1" for number in range(1_001)), "too_many_fields", ""),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("how", ["json", "form", "GET"])
def test_what_is_not_one_plain_set_of_parameters_is_refused(client, world, name, how):
    for content, code, field in (BODIES if how == "json" else QUERIES).values():
        answer = raw(client, world, name, content, how=how, status=400)

        assert (answer["error_code"], answer["msg"].startswith(f"{field}: ")) == (code, bool(field))


@pytest.mark.parametrize("name", CALLS)
def test_another_content_type_is_refused(client, world, name):
    content = body(world.proven(world.params(name)))

    assert raw(client, world, name, content, how="text/plain", status=415)["error_code"] == "unsupported_media_type"


@pytest.mark.parametrize("name", CALLS)
def test_a_file_is_refused(client, world, name):
    content = b'--b\r\nContent-Disposition: form-data; name="user_id"; filename="a"\r\n\r\n1\r\n--b--\r\n'

    answer = raw(client, world, name, content, how="multipart/form-data; boundary=b", status=400)

    assert (answer["error_code"], answer["msg"].partition(":")[0]) == ("file_refused", "user_id")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(client, world, name, method):
    content = body(world.proven(world.params(name)))

    answer = raw(client, world, name, content, how="json", method=method, status=405)

    assert answer["error_code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/english/", "/english/order/", "/english/order/payway", "/english/order/init/x"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_where_nothing_is_is_404_for_everybody(client, path, method):
    response = client.generic(method, path, "{}", content_type="application/json")

    answer = response.json()
    assert (response.status_code, answer["code"], answer["data"], answer["error_code"]) == (
        404, 404, None, "unknown_path",
    )  # fmt: skip
    assert CHINESE.search(answer["msg"])


def test_what_a_posts_query_string_says_is_not_read(client, world):
    params = world.proven({})
    headers = {"authorization": f"Token {world.how()['token']}"} if world.how()["token"] else {}
    address = {"REMOTE_ADDR": world.how()["REMOTE_ADDR"]}

    response = client.post(
        "/english/order/lists?user_id=1", body(params), content_type="application/json", headers=headers, **address
    )  # fmt: skip

    assert (response.json()["error_code"], response.json()["msg"].partition(":")[0]) == ("missing_field", "user_id")


def raw(client, world, name, content, *, how, status, method="POST"):
    """Make a call as it is, whose content nobody can sign, and return its answer; nothing moves."""
    before, called = books(), world.how()
    token = called.pop("token")
    headers = {"accept-language": "en"} | ({"authorization": f"Token {token}"} if token else {})
    if how == "GET":
        response = client.get(path_of(name), QUERY_STRING=content, headers=headers, **called)
    else:
        content_type = {"json": "application/json", "form": FORM}.get(how, how)
        response = client.generic(
            method, path_of(name), content, content_type=content_type, headers=headers, **called
        )  # fmt: skip
    answer = response.json()
    assert books() == before
    assert (answer["code"], answer["data"]) == (status, [] if name in LISTS else None)
    assert response.status_code in {status, world.status(status)}
    assert CHINESE.search(answer["msg"])
    return answer


def test_control_a_text_of_goods_is_signed_as_it_stands(client, world):
    params = world.proven(world.params("submitGoodsOrder"), way="form")

    assert send(client, "submitGoodsOrder", flat(params), way="form", **world.how()).status_code == 200
