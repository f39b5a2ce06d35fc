"""Tricks with the parameters of `pay`: what two readers could read differently is refused or is two orders."""

import json
import time
import unicodedata

import pytest

from payments.clients import signing
from payments.models import Order, Transfer
from tests.calls import Text, body, post, signed
from tests.checkout.test_documents import PAY
from tests.world import SECRET, points_fen

pytestmark = pytest.mark.django_db

PAY_PATH = "/api/checkout/pay/"


def pay(client, params, **kwargs):
    return post(client, PAY_PATH, params, **kwargs)


def refused(client, shop, params, code):
    """Whether the call is refused with `code` and nothing moved."""
    status, answer = pay(client, params)
    assert (status, answer["result_code"]) == code, answer
    assert Order.objects.count() == 0
    assert points_fen(shop.customer) == 13_128
    return True


# --- names


@pytest.mark.parametrize("name", ["Total_Amount", "TOTAL_AMOUNT", "total_amount ", " total_amount",
                                  "total\u200b_amount", "total_amount[]",
                                  "total_amount.0", "тotal_amount"])  # fmt: skip
def test_a_name_that_looks_like_ours_is_another_parameter(client, shop, name):
    status, answer = pay(client, signed(PAY | {name: "0.01"}))

    assert (status, answer["result"]["total_amount"]) == (200, 2144)


@pytest.mark.parametrize("name", ["total_amount", "sign", "timestamp", "redirect_url"])
def test_a_name_given_twice_is_refused(client, shop, name):
    text = body(signed(PAY))
    twice = f'{{"{name}": "1", {text[1:]}'

    assert refused(client, shop, twice, (400, "duplicate_name"))


def test_a_name_given_twice_under_two_spellings_of_the_same_escape_is_refused(client, shop):
    twice = f'{{"\\u0074otal_amount": 1, {body(signed(PAY))[1:]}'

    assert refused(client, shop, twice, (400, "duplicate_name"))


def test_unknown_parameters_are_let_be_but_signed(client, shop):
    params = signed(PAY | {"colour": "red", "__proto__": "x", "constructor": "y"})

    assert refused(client, shop, params | {"colour": "blue"}, (401, "sign_wrong"))
    assert refused(client, shop, params | {"added": "later"}, (401, "sign_wrong"))
    assert pay(client, params)[0] == 200


# --- the sign


@pytest.mark.parametrize("sign", ["[]", "true", "0", "1e5", '["{}"]', '{"a": "{}"}', '" {} "', '"{}\\n"', '"０{}"'])
def test_a_sign_that_is_no_plain_text_is_refused(client, shop, sign):
    params = signed(PAY)
    text = body({**params, "sign": Text(sign.replace("{}", params["sign"]))})

    assert refused(client, shop, text, (401, "sign_wrong"))


@pytest.mark.parametrize("sign", ["", None])
def test_an_empty_sign_is_a_missing_one(client, shop, sign):
    assert refused(client, shop, signed(PAY) | {"sign": sign}, (401, "sign_missing"))


def test_the_other_signing_method_is_no_way_around_the_clients_own(client, shop):
    assert refused(client, shop, signed(PAY, sign_type="HMAC-SHA256"), (401, "sign_wrong"))
    assert refused(
        client, shop, signed(PAY | {"sign_type": "HMAC-SHA256"}, sign_type="HMAC-SHA256"), (401, "sign_wrong")
    )
    shop.sign_type = "HMAC-SHA256"
    shop.save()
    assert refused(client, shop, signed(PAY), (401, "sign_wrong"))
    assert refused(client, shop, signed(PAY | {"sign_type": "MD5"}), (401, "sign_wrong"))


def test_a_sign_made_for_the_way_back_is_no_sign_of_a_call(client, shop):
    """The customer's browser holds a sign under the same secret: it must not be one of a call that moves money."""
    back = {
        "out_trade_no": "A",
        "client_pay_id": "",
        "bb_trade_no": "1",
        "status": "point_paid",
        "total_amount": "21.44",
    }

    assert refused(client, shop, signed(back), (400, "missing_field"))
    for merged in ("A&redirect_url=x", "A&shipping_fee=0"):
        assert refused(client, shop, signed(back | {"out_trade_no": merged}), (400, "missing_field"))


# --- numbers, times


@pytest.mark.parametrize("number", ["9" * 500, "1" + "0" * 5_000, "0x10", "1_000", "+1", "-0", "1e2", "1E400", ".5",
                                    "5.", "٣", "００", "5,00", " 5", "5 ", "5\u200b",
                                    "1.000", "NaN", "inf"])  # fmt: skip
@pytest.mark.parametrize("name", ["total_amount", "shipping_fee"])
def test_an_amount_that_is_none_is_refused_by_name(client, shop, name, number):
    status, answer = pay(client, signed(PAY | {name: number}))

    assert (status, answer["result_code"]) == (400, "invalid_field")
    assert answer["result_message"].startswith(f"{name}: ")
    assert Order.objects.count() == 0


@pytest.mark.parametrize("digits", [4_301, 100_000])
def test_a_number_longer_than_python_reads_is_refused_and_costs_nothing(client, shop, digits):
    started = time.thread_time()  # what it costs, not what else the machine has to do

    status, _answer = pay(client, signed(PAY | {"total_amount": Text("9" * digits)}))

    assert status == 400
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("user_id", "answer"),
    [
        (-1, (400, "invalid_field")), (0, (404, "customer_unknown")), (Text("1e3"), (400, "invalid_field")),
        (Text("442090.0"), (400, "invalid_field")), ("442090 ", (404, "customer_unknown")),
        ("4420９0", (404, "customer_unknown")), (True, (400, "invalid_field")),
        ("442090'--", (404, "customer_unknown")),
        ("%", (404, "customer_unknown")), ("0442090", (404, "customer_unknown")), (Text("442090"), (200, None)),
        (Text("9" * 64), (404, "customer_unknown")), (Text("9" * 65), (400, "invalid_field")),
    ],
)  # fmt: skip
def test_a_user_is_named_exactly_or_not_at_all(client, shop, user_id, answer):
    status, told = pay(client, signed(PAY | {"user_id": user_id}))

    assert (status, told["result_code"]) == (answer if answer[1] else (200, "pay_order_created"))
    assert Order.objects.count() == (status == 200)


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "clock", "number", "number_ms"])
def test_a_timestamp_is_read_in_every_documented_form(client, shop, form):
    now = time.time()
    timestamp = {
        "seconds": str(int(now)), "milliseconds": str(int(now * 1_000)), "number": Text(int(now)),
        "clock": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + 8 * 3_600)), "number_ms": Text(int(now * 1_000)),
    }[form]  # fmt: skip

    assert pay(client, signed(PAY, timestamp=timestamp))[0] == 200


@pytest.mark.parametrize("timestamp", ["-1", "1e9", "9" * 400, "NaN", "2018-13-45 99:99:99", "2018-06-15T12:00:00",
                                       "０" * 10, "[1]", "1529035200.5", "1 529 035 200", "now",
                                       "0000-00-00 00:00:00"])  # fmt: skip
def test_a_timestamp_that_is_none_is_refused_by_name(client, shop, timestamp):
    status, answer = pay(client, signed(PAY, timestamp=timestamp))

    assert (status, answer["result_message"].partition(":")[0]) == (400, "timestamp")
    assert Order.objects.count() == 0


@pytest.mark.parametrize(("age_s", "code"), [(290, 200), (310, 401), (-290, 200), (-310, 401)])
def test_the_window_is_five_minutes_either_way(client, shop, age_s, code):
    assert pay(client, signed(PAY, timestamp=str(int(time.time()) - age_s)))[0] == code


def test_a_call_replayed_inside_the_window_is_the_same_order(client, shop):
    params = signed(PAY)

    answers = [pay(client, params) for _replay in range(5)]

    assert {status for status, _answer in answers} == {200}
    assert len({answer["result"]["bb_trade_no"] for _status, answer in answers}) == 1
    assert Order.objects.count() == 1
    assert Transfer.objects.filter(order__isnull=False).count() == 1


# --- texts


def test_two_spellings_of_one_glyph_are_two_numbers(client, shop):
    nfc, nfd = (unicodedata.normalize(form, "café-支付") for form in ("NFC", "NFD"))

    first, second = (
        pay(client, signed(PAY | {"out_trade_no": number, "client_pay_id": ""}))[1]["result"] for number in (nfc, nfd)
    )

    assert nfc != nfd
    assert first["bb_trade_no"] != second["bb_trade_no"]
    assert set(Order.objects.values_list("client_order_no", flat=True)) == {nfc, nfd}


@pytest.mark.parametrize(
    "number",
    ["😀🧧", "\u202e12345", "a\u200bb", "\ufeffa", "A B", "a\tb", "a\nb", "a\r\nSet-Cookie: x=1", "a\x7fb",
     "a\x1b[31mb", "\\u0000", "<img src=x onerror=alert(1)>", "{{7*7}}", "%(number)s", "%s%n", "' OR 1=1 --",
     "../../etc/passwd", "=1+1", "مرحبا", "a=b", "é" * 64, "𝔘" * 64],
)  # fmt: skip
def test_a_number_is_kept_and_told_as_it_was_sent(client, shop, number):
    status, answer = pay(client, signed(PAY | {"out_trade_no": number, "client_pay_id": ""}))
    detail = post(client, "/api/checkout/pay-detail/", signed({"out_trade_no": number}))

    assert status == 200
    assert answer["result"]["out_trade_no"] == number == Order.objects.get().client_order_no
    assert detail[1]["result"]["out_trade_no"] == number


@pytest.mark.parametrize("name", ["out_trade_no", "client_pay_id", "ee_no", "user_id", "redirect_url", "extra"])
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff\\ud800"])
def test_a_nul_or_half_a_pair_is_refused_by_name(client, shop, name, escape):
    params = signed(PAY | {name: "x"})
    text = body({**params, name: Text(f'"a{escape}b"')})

    assert refused(client, shop, text, (400, "unusable_text"))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com.evil.example/", "https://www.example.com@evil.example/", "//www.example.com/",
        "https://evil.example#www.example.com", "https://evil.example\\@www.example.com/", "https:/\\evil.example",
        "https:www.example.com", "https://www.example.com\t.evil.example", "https://www.example.com%2eevil.example/",
        "https://ｗww.example.com/", "https://www.example.com／evil/", "https://www.example.com:99999/",
        "https://www.example.com:a/", "javascript://www.example.com/%0aalert(1)", "data:text/html,x",
        "ftp://www.example.com/", "https://WWW.example.com:443@evil.example/", "https://[www.example.com]/",
        "https://www.example.com.", "https://www.example.com./", "http://127.0.0.1/", " https://www.example.com/",
        "https://www.example.com/\n", "https://user@www.example.com/", "https://:@www.example.com/",
        "https://@www.example.com/", "HTTPS://evil.example", "https://", "https://www.example.com/" + "a" * 2_000,
    ],
)  # fmt: skip
def test_a_way_back_that_leads_elsewhere_is_refused(client, shop, url):
    assert refused(client, shop, signed(PAY | {"redirect_url": url}), (400, "invalid_field"))


@pytest.mark.parametrize("nested", [{"a": 1}, [1], {"a": {"b": [None]}}, [[]]])
@pytest.mark.parametrize("name", ["out_trade_no", "ee_no", "user_id", "redirect_url", "total_amount"])
def test_a_nested_value_is_no_text(client, shop, name, nested):
    params = PAY | {name: nested, "timestamp": str(int(time.time()))}
    params["sign"] = signing.sign(params=_texts(params), secret=SECRET, sign_type="MD5")

    status, answer = pay(client, json.dumps(params))

    assert (status, answer["result_code"]) == (400, "invalid_field")
    assert Order.objects.count() == 0


def _texts(params):
    """Plain numbers as the texts that they are signed by."""
    return {name: str(value) if isinstance(value, int | float) else value for name, value in params.items()}


# --- the recipe

# The documents' recipe escapes nothing: a value that holds `&name=value` signs like two parameters.


def test_two_sets_of_parameters_can_share_one_sign():
    whole = signed({"a": "1&b=2"}, timestamp="0")["sign"]

    assert whole == signed({"a": "1", "b": "2"}, timestamp="0")["sign"] == signed({"a=1&b": "2"}, timestamp="0")["sign"]


WITHOUT_PAY_NO = PAY | {"client_pay_id": "", "total_amount": "21.44"}


def test_a_call_split_anew_makes_no_second_order(client, shop):
    """Who reads a call (and so the token) but has no secret may repeat it, and no more."""
    sent = signed(WITHOUT_PAY_NO)
    assert pay(client, sent)[0] == 200

    joined = {"out_trade_no": "20111111111&redirect_url=https://www.example.com", "redirect_url": ""}
    status, answer = pay(client, sent | joined)

    assert 400 <= status < 500, answer
    assert Order.objects.count() == 1


@pytest.mark.parametrize("name", ["out_trade_no=20111111111&redirect_url", "x=1&y", "=", "&"])
def test_no_sign_fits_a_name_that_holds_a_separator(client, shop, name):
    """Such a name hides parameters that were signed: `{"a=1&b": "2"}` signs like a and b."""
    assert refused(client, shop, signed(PAY | {name: "1"}), (401, "sign_wrong"))


def test_a_text_of_a_customers_own_is_no_way_to_another_order(client, shop):
    """A call may carry what a customer typed. Split at their `&`, it must not become an order of its own."""
    sent = signed(WITHOUT_PAY_NO | {"note": "thanks&out_trade_no=B"})
    assert pay(client, sent)[0] == 200
    hidden = {"out_trade_no=20111111111&redirect_url": sent["redirect_url"], "redirect_url": ""}
    split = sent | hidden | {"note": "thanks", "out_trade_no": "B"}
    assert signed(split, timestamp=sent["timestamp"])["sign"] == sent["sign"]

    status, answer = pay(client, split)

    assert 400 <= status < 500, answer
    assert Order.objects.count() == 1


@pytest.mark.parametrize("inner", ["total_amount=1", "user_id=1", "shipping_fee=0", "timestamp=9999999999"])
def test_no_amount_user_or_time_is_split_off_an_address(client, shop, inner):
    """An address may well hold `&`. What follows in sorted order takes the rest with it and is no number any more."""
    name, _, value = inner.partition("=")
    sent = signed(PAY | {"redirect_url": f"https://www.example.com/?a&{inner}"})
    split = {**sent, "redirect_url": "https://www.example.com/?a", name: f"{value}&{name}={sent[name]}"}

    assert refused_with_4xx(client, split)
    assert Order.objects.count() == 0


def refused_with_4xx(client, params):
    return 400 <= pay(client, params)[0] < 500
