import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.wire import StrictJSONParser, WireNumber, encode, parsers, read_timestamp
from payments.wire.fields import UnreadableTimestamp

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

JSON = "application/json"
ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "en"}
scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
documents = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    st.recursive(scalars, lambda children: st.lists(children, max_size=3), max_leaves=5),
    max_size=5,
)


def post(client, path, body, **headers):
    return client.post(path, body, content_type=JSON, **ENGLISH, **headers)


def refusal(body):
    with pytest.raises(parsers.Malformed) as caught:
        parsers.parse_object(body)
    return caught.value.code, caught.value.field


class TestReading:
    @pytest.mark.parametrize("text", ["5.00", "0", "-0", "1e400", "12345678901234567890.10", "-1.5E+3", "9" * 5_000])
    def test_a_number_keeps_its_text(self, text):
        read = parsers.parse_object(f'{{"a": {text}}}'.encode())

        assert read == {"a": text}
        assert type(read["a"]) is WireNumber

    def test_true_is_no_number_and_a_numeric_text_is_text(self):
        read = parsers.parse_object(b'{"yes": true, "no": false, "none": null, "text": "5.00"}')

        assert read == {"yes": True, "no": False, "none": None, "text": "5.00"}
        assert read["yes"] is True
        assert type(read["text"]) is str

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            (b"", "malformed_json", ""),
            (b"{", "malformed_json", ""),
            (b'{"a": 1} x', "malformed_json", ""),
            (b'{"a": 1}{"a": 1}', "malformed_json", ""),
            (b'{"a": 01}', "malformed_json", ""),
            (b"{'a': 1}", "malformed_json", ""),
            (b'{"a": "\x00"}', "malformed_json", ""),
            (b'\xef\xbb\xbf{"a": 1}', "malformed_json", ""),
            (b'{"a": "\xff"}', "not_utf8", ""),
            ('{"a": "中"}'.encode("gbk"), "not_utf8", ""),
            (b"[]", "not_an_object", ""),
            (b'[{"a": 1}]', "not_an_object", ""),
            (b'"text"', "not_an_object", ""),
            (b"5", "not_an_object", ""),
            (b"null", "not_an_object", ""),
            (b'{"a": 1, "a": 1}', "duplicate_name", "a"),
            (b'{"a": 1, "\\u0061": 1}', "duplicate_name", "a"),
            (b'{"deep": [{"b": 1, "b": 2}]}', "duplicate_name", "b"),
            (b'{"total_amount": NaN}', "not_a_number", "total_amount"),
            (b'{"goods": [{"price": -Infinity}]}', "not_a_number", "goods.0.price"),
            (b'{"a": "\\u0000"}', "unusable_text", "a"),
            (b'{"a": {"b": ["x", "\\ud800"]}}', "unusable_text", "a.b.1"),
            (b'{"a": "\\udc00\\ud800"}', "unusable_text", "a"),
            (b'{"\\u0000": 1}', "unusable_text", "?"),
            (b'{"\\ud800": 1}', "unusable_text", "?"),
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused(self, body, code, field):
        assert refusal(body) == (code, field)

    def test_a_whole_pair_of_surrogates_is_one_character(self):
        assert parsers.parse_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}

    def test_nan_in_a_text_is_a_text(self):
        assert parsers.parse_object(b'{"a": "NaN", "b": "Infinity"}') == {"a": "NaN", "b": "Infinity"}

    def test_twenty_levels_are_read_and_one_more_is_refused(self, settings):
        deepest = settings.WIRE_DEPTH_MAX - 1  # the object around is a level too

        assert parsers.parse_object(b'{"a": ' + b"[" * deepest + b"]" * deepest + b"}")
        assert refusal(b'{"a": ' + b"[" * (deepest + 1) + b"]" * (deepest + 1) + b"}")[0] == "too_deep"

    def test_many_shallow_brackets_are_not_depth(self):
        body = b'{"a": [' + b",".join([b"{}"] * 1_000) + b"]}"

        assert len(parsers.parse_object(body)["a"]) == 1_000

    @pytest.mark.parametrize("brackets", [b"[", b'{"a":'])
    def test_a_hundred_thousand_levels_are_refused_without_falling_over(self, brackets):
        assert refusal(b'{"a": ' + brackets * 100_000)[0] == "too_deep"

    def test_the_size_is_counted_whatever_was_announced(self, settings):
        class Endless(io.RawIOBase):
            taken = 0

            def read(self, size=-1):
                assert size >= 0, "an endless body must not be read to its end"
                self.taken += size
                return b" " * size

        stream = Endless()

        with pytest.raises(parsers.TooLarge):
            StrictJSONParser().parse(stream)
        assert stream.taken == settings.WIRE_BODY_BYTES_MAX + 1

    def test_a_body_of_the_full_size_is_read(self, settings):
        body = b'{"a": "' + b"x" * (settings.WIRE_BODY_BYTES_MAX - 9) + b'"}'

        assert len(body) == settings.WIRE_BODY_BYTES_MAX
        assert StrictJSONParser().parse(io.BytesIO(body))

    @given(documents)
    def test_what_json_can_say_is_read_as_json_reads_it(self, document):
        def with_number_texts(value):
            if isinstance(value, dict):
                return {name: with_number_texts(child) for name, child in value.items()}
            if isinstance(value, list):
                return [with_number_texts(child) for child in value]
            return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

        if "\0" not in json.dumps(document, ensure_ascii=False) and "\\u0000" not in json.dumps(document):
            assert parsers.parse_object(json.dumps(document).encode()) == with_number_texts(document)


class TestWriting:
    def test_yuan_are_numbers_and_chinese_is_unescaped(self):
        written = encode(
            {"point_amount": Decimal("131.28"), "total_amount": 2144, "名": "怡安", "ok": True, "none": None}
        )

        assert written == '{"point_amount":131.28,"total_amount":2144,"名":"怡安","ok":true,"none":null}'

    def test_a_decimal_is_never_written_with_an_exponent(self):
        assert encode([Decimal("1E+3"), Decimal("0.50").normalize(), Decimal("1E-7")]) == "[1000,0.5,0.0000001]"

    @pytest.mark.parametrize("value", [1.5, {1: 2}, {"a": object()}, float("nan"), b"x"])
    def test_a_float_and_what_is_not_json_are_refused(self, value):
        with pytest.raises(TypeError):
            encode(value)

    @given(documents)
    def test_what_is_written_reads_the_same(self, document):
        assert json.loads(encode(document)) == document
        assert json.loads(encode(document, sort_keys=True)) == document


class TestFields:
    @pytest.mark.parametrize(
        ("amount", "fen"),
        [("2144", 214_400), ("5.00", 500), ('"21.4"', 2_140), ("0", 0), ("9999999999.99", 999_999_999_999)],
    )
    def test_yuan_come_as_number_or_text(self, client, amount, fen):
        answer = post(client, "/plain/echo", f'{{"total_amount": {amount}}}')

        assert answer.json()["result"]["total_amount"] == str(fen)

    @pytest.mark.parametrize(
        "amount",
        [
            *("5.001", "-1", "-0", "1e2", "1E400", "true", "false", "[]", "{}", "1234567890123", "12345678901.234"),
            *('"１２"', '" 5"', '"5 "', '"+5"', '"5."', '".5"', '"1,000"', '"0x10"', '"NaN"', '"٣"', "NaN", "Infinity"),
            *("null", '""'),
        ],
    )
    def test_what_is_no_amount_is_an_error_that_names_the_field(self, client, amount):
        answer = post(client, "/plain/echo", f'{{"total_amount": {amount}}}')

        assert answer.status_code == 400
        assert answer.json()["result_code"] in {"invalid_field", "missing_field", "not_a_number"}
        assert answer.json()["result_message"].startswith("total_amount: ")
        assert answer.json()["success"] is False

    def test_a_missing_field_is_named(self, client):
        answer = post(client, "/plain/echo", "{}")

        assert answer.json() == {
            "result_message": "total_amount: This field is required.",
            "result_code": "missing_field",
            "result": {},
            "success": False,
        }

    @pytest.mark.parametrize("user_id", ["442090", '"442090"'])
    def test_an_id_is_the_same_as_number_and_as_text(self, client, user_id):
        answer = post(client, "/plain/echo", f'{{"total_amount": 1, "user_id": {user_id}}}')

        assert answer.json()["result"]["user_id"] == "442090"

    @pytest.mark.parametrize("user_id", ["442090.0", "-1", "4e5", "true", "[]", "null", '""', '"' + "9" * 65 + '"'])
    def test_what_is_no_id_is_refused(self, client, user_id):
        answer = post(client, "/plain/echo", f'{{"total_amount": 1, "user_id": {user_id}}}')

        assert answer.status_code == 400
        assert answer.json()["result_message"].startswith("user_id: ")

    @pytest.mark.parametrize(("note", "read"), [('" a "', " a "), ("null", ""), ('""', ""), ("17", "17")])
    def test_text_is_kept_as_it_came_and_null_is_empty(self, client, note, read):
        answer = post(client, "/plain/echo", f'{{"total_amount": 1, "note": {note}}}')

        assert answer.json()["result"]["note"] == read

    @pytest.mark.parametrize("note", ["true", "1.0", "{}", "[]", '"' + "长" * 21 + '"'])
    def test_what_is_no_text_is_refused(self, client, note):
        answer = post(client, "/plain/echo", f'{{"total_amount": 1, "note": {note}}}')

        assert answer.status_code == 400
        assert answer.json()["result_message"].startswith("note: ")

    @pytest.mark.parametrize("value", ["1529035200", "1529035200123", "2018-06-15 12:00:00", WireNumber("1529035200")])
    def test_a_time_comes_in_three_forms(self, value):
        assert read_timestamp(value).timestamp() == 1_529_035_200

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "now",
            "2018-06-15",
            "2018-13-15 12:00:00",
            "2018-06-15T12:00:00",
            "１５２９０３５２００",
            "1529035200.5",
            "15290",
            True,
            1,
            None,
        ],
    )
    def test_another_form_of_time_is_unreadable(self, value):
        with pytest.raises(UnreadableTimestamp):
            read_timestamp(value)

    def test_a_time_field_reads_shanghai_time(self, client):
        answer = post(client, "/plain/echo", '{"total_amount": 1, "at": "2018-06-15 12:00:00"}')
        refused = post(client, "/plain/echo", '{"total_amount": 1, "at": "noon"}')

        assert answer.json()["result"]["at"] == "2018-06-15 12:00:00+08:00"
        assert refused.json()["result_message"].startswith("at: ")
