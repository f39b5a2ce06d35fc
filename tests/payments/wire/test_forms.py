"""Form bodies are read as strictly as JSON: what two readers could read differently is refused."""

import contextlib
import io
import string
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.views import APIView

from payments.errors import Malformed
from payments.wire import FORM_PARSERS, forms, parameters
from payments.wire.parsers import TooLarge

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
pairs = st.dictionaries(texts, texts, max_size=5)


def part(name, value, *headers):
    lines = [f'Content-Disposition: form-data; name="{name}"', *headers]
    return "\r\n".join([f"--{BOUNDARY}", *lines, "", value, ""]).encode()


def parts(*each, end=f"--{BOUNDARY}--\r\n"):
    return b"".join(each) + end.encode()


def read_parts(body, boundary=BOUNDARY):
    return forms.parse_parts(body, boundary=boundary)


def refusal(read, body):
    with pytest.raises(Malformed) as caught:
        read(body)
    return caught.value.code, caught.value.field


def send(client, body, content_type=FORM, path="/partner/body", **extra):
    return client.generic("POST", path, body, content_type=content_type, **extra)


def refused(answer):
    assert answer.json()["code"] == 0
    assert answer.json()["result"] == {}
    return answer.status_code, answer.json()["error_code"], list(answer.json()["errors"])


class TestPairs:
    @pytest.mark.parametrize(
        ("body", "read"),
        [
            (b"", {}),
            (b"a=1", {"a": "1"}),
            (b"a=1&b=2", {"a": "1", "b": "2"}),
            (b"&a=1&&b=2&", {"a": "1", "b": "2"}),
            (b"a=&b", {"a": "", "b": ""}),
            (b"a=1=2", {"a": "1=2"}),
            (b"a=1+2&b=1%2B2&c=1%202", {"a": "1 2", "b": "1+2", "c": "1 2"}),
            (b"a=1;b=2", {"a": "1;b=2"}),
            (b"a=%26b%3D2", {"a": "&b=2"}),
            (b"a=%25", {"a": "%"}),
            (b"a=5.00&b=0005", {"a": "5.00", "b": "0005"}),
            (b"a= 1 ", {"a": " 1 "}),
            (b"a[]=1&a[b]=2", {"a[]": "1", "a[b]": "2"}),
            ("名=刘德华".encode(), {"名": "刘德华"}),
            (b"%E5%90%8D=%e5%88%98", {"名": "刘"}),
        ],
    )
    def test_pairs_are_read_to_the_letter(self, body, read):
        assert forms.parse_form(body) == read
        assert {type(value) for value in forms.parse_form(body).values()} <= {str}

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            (b"a=1&a=2", "duplicate_name", "a"),
            (b"a=1&a=1", "duplicate_name", "a"),
            (b"a=1&%61=2", "duplicate_name", "a"),
            (b"a=1&a", "duplicate_name", "a"),
            (b"a+b=1&a%20b=2", "duplicate_name", "a b"),
            (b"a=%", "malformed_form", "a"),
            (b"a=%4", "malformed_form", "a"),
            (b"a=100%&b=1", "malformed_form", "a"),
            (b"b=1&a=%zz", "malformed_form", "a"),
            (b"a=%u5218", "malformed_form", "a"),
            (b"%=1", "malformed_form", "%"),
            (b"a=%C0%80", "not_utf8", "a"),
            (b"a=%ff", "not_utf8", "a"),
            (b"a=%ED%A0%80", "not_utf8", "a"),
            (b"a=%C1%F5", "not_utf8", "a"),
            (b"a=\xc1\xf5", "not_utf8", ""),
            (b"a=%00", "unusable_text", "a"),
            (b"a=\x00", "unusable_text", "a"),
            (b"%00=1", "unusable_text", "?"),
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused(self, body, code, field):
        assert refusal(forms.parse_form, body) == (code, field)

    def test_a_thousand_fields_are_read_and_one_more_is_refused(self):
        def body(number):
            return "&".join(f"f{index}=1" for index in range(number)).encode()

        assert len(forms.parse_form(body(1_000))) == 1_000
        assert refusal(forms.parse_form, body(1_001)) == ("too_many_fields", "")
        assert refusal(forms.parse_form, body(10_000)) == ("too_many_fields", "")

    @given(pairs)
    def test_what_is_encoded_either_way_reads_the_same(self, params):
        for by in (quote, quote_plus):
            assert forms.parse_form(urlencode(params, quote_via=by).encode()) == params

    @given(st.binary(max_size=60))
    def test_no_bytes_make_it_fall_over(self, body):
        with contextlib.suppress(Malformed):
            forms.parse_form(body)


class TestParts:
    def test_parts_are_read_to_the_letter(self):
        body = parts(part("a", "5.00"), part("名", "刘德华 \r\n x"), part("empty", ""), part("c", "%41+&=;"))

        assert read_parts(body) == {"a": "5.00", "名": "刘德华 \r\n x", "empty": "", "c": "%41+&=;"}

    @pytest.mark.parametrize("header", ["Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"])
    def test_what_common_clients_say_of_a_part_is_let_be(self, header):
        assert read_parts(parts(part("a", "刘", header))) == {"a": "刘"}

    @pytest.mark.parametrize("around", [b"", b"\r\n"])
    def test_line_ends_around_the_parts_and_no_parts_at_all_are_fine(self, around):
        assert read_parts(around + parts(part("a", "1")) + around) == {"a": "1"}
        assert read_parts(around + parts()) == {}

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            (parts(part("a", "1"), part("a", "2")), "duplicate_name", "a"),
            (parts(part("a", "1"), part(" a ", "2")), "duplicate_name", "a"),
            (parts(part("a", "\0")), "unusable_text", "a"),
            (parts(part("a", "\ufffd")).replace("\ufffd".encode(), b"\xff"), "not_utf8", ""),
            (parts(part("a", "MQ==", "Content-Transfer-Encoding: base64")), "malformed_form", ""),
            (parts(part("a", "MQ==", "content-TRANSFER-encoding:BASE64")), "malformed_form", ""),
            (parts(part("a", "=31", "Content-Transfer-Encoding: quoted-printable")), "malformed_form", ""),
            (parts(part("a", "1"), end=""), "malformed_form", ""),
            (parts(part("a", "1"), end=f"--{BOUNDARY}"), "malformed_form", ""),
            (parts(part("a", "1")) + b"after", "malformed_form", ""),
            (b"before\r\n" + parts(part("a", "1")), "malformed_form", ""),
            (part("a", "1")[len(BOUNDARY) + 4 :] + parts(part("b", "2")), "malformed_form", ""),
            (parts(b"--" + BOUNDARY.encode() + b"\r\n\r\n1\r\n"), "malformed_form", ""),
            (parts(part("a", "1").replace(b"; name=", b"; nom=")), "malformed_form", ""),
            (parts(part("a", "1").replace(b"Content-Disposition", b"Disposition")), "malformed_form", ""),
            (parts(part("a", f"1--{BOUNDARY}2")), "malformed_form", ""),
            (parts(part("a" * 20_000, "1")), "malformed_form", ""),
            (b"", "malformed_form", ""),
            (b"a=1", "malformed_form", ""),
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused(self, body, code, field):
        assert refusal(read_parts, body) == (code, field)

    @pytest.mark.parametrize(
        "name", ['filename="a.png"', "filename=a.png", "filename*=UTF-8''a.png", 'FILENAME="../x"']
    )
    def test_a_file_is_refused_by_the_name_of_its_field(self, name):
        file = part("photo", "x" * 100_000).replace(b'name="photo"', f'name="photo"; {name}'.encode())

        assert refusal(read_parts, parts(part("a", "1"), file)) == ("file_refused", "photo")

    def test_a_file_that_nobody_chose_is_an_empty_field(self):
        assert read_parts(parts(part("photo", "").replace(b'"photo"', b'"photo"; filename=""'))) == {"photo": ""}

    def test_a_thousand_parts_are_read_and_one_more_is_refused(self):
        def body(number):
            return parts(*(part(f"f{index}", "1") for index in range(number)))

        assert len(read_parts(body(1_000))) == 1_000
        assert refusal(read_parts, body(1_001)) == ("too_many_fields", "")

    @given(st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=5), texts, max_size=5))
    def test_what_is_sent_in_parts_reads_the_same(self, params):
        assert read_parts(parts(*(part(name, value) for name, value in params.items()))) == params

    @given(st.text(string.printable + "刘\ufffd", max_size=40), st.text(string.printable + "é", max_size=40))
    def test_no_headers_and_no_boundary_make_it_fall_over(self, header, boundary):
        for read in (
            lambda: read_parts(parts(part("a", "1", header))),
            lambda: read_parts(parts(part(header, "1"))),
            lambda: forms._options(f"multipart/form-data; {boundary}"),
            lambda: read_parts(
                f"--{boundary}\r\nContent-Disposition: {header}\r\n\r\n1\r\n--{boundary}--".encode(), boundary
            ),
        ):
            with contextlib.suppress(Malformed):
                read()


class TestCalls:
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"a=1&note=%E5%88%98+x", FORM),
            (b"a=1&note=%E5%88%98+x", "Application/X-WWW-Form-URLencoded; charset=UTF-8"),
            (b"a=1&note=%E5%88%98+x", f'{FORM}; charset="utf8"'),
            (parts(part("a", "1"), part("note", "刘 x")), MULTIPART),
            (parts(part("a", "1"), part("note", "刘 x")), f'Multipart/Form-Data; charset=utf-8; boundary="{BOUNDARY}"'),
            ('{"a": "1", "note": "刘 x"}'.encode(), "application/json"),
        ],
    )
    def test_a_form_and_json_say_the_same(self, client, body, content_type):
        answer = send(client, body, content_type)

        assert answer.status_code == 200
        assert answer.json() == {"code": 1, "errors": {}, "msg": "操作成功", "result": {"a": "'1'", "note": "'刘 x'"}}

    @pytest.mark.parametrize("content_type", [f"{FORM}; charset=GBK", f"{MULTIPART}; charset=iso-8859-1"])
    def test_another_charset_is_refused(self, client, content_type):
        assert refused(send(client, b"a=1", content_type)) == (400, "not_utf8", [])

    @pytest.mark.parametrize(
        "content_type",
        [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=other",
            f"multipart/form-data; boundary={'x' * 300}",
            'multipart/form-data; boundary="刘"',
        ],
    )
    def test_a_boundary_that_is_missing_or_none_is_refused(self, client, content_type):
        answer = send(client, parts(part("a", "1")), content_type.encode().decode("latin-1"))

        assert refused(answer) == (400, "malformed_form", [])

    @pytest.mark.parametrize("content_type", [FORM, MULTIPART])
    def test_no_body_is_no_parameters(self, client, rf, content_type):
        assert refused(send(client, b"", content_type, "/partner/echo")) == (400, "missing_field", ["total_amount"])
        assert type(parameters(APIView().initialize_request(rf.generic("POST", "/", b"", content_type)))) is dict

    @pytest.mark.parametrize(("body", "content_type"), [(b"a=1", FORM), (parts(part("a", "1")), MULTIPART)])
    def test_a_body_that_breaks_off_or_comes_in_chunks_is_refused(self, client, body, content_type):
        short = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": io.BytesIO(body)}

        assert refused(send(client, body, content_type, **short)) == (400, "cut_short", [])
        chunked = send(client, b"", content_type, path="/partner/echo", HTTP_TRANSFER_ENCODING="chunked")
        assert refused(chunked) == (411, "length_required", [])

    @pytest.mark.parametrize("parser", FORM_PARSERS)
    def test_the_size_is_counted_whatever_was_announced(self, parser, settings):
        class Endless(io.RawIOBase):
            taken = 0

            def read(self, size=-1):
                assert size >= 0, "an endless body must not be read to its end"
                self.taken += size
                return b"a" * size

        stream = Endless()

        with pytest.raises(TooLarge):
            parser().parse(stream, MULTIPART)
        assert stream.taken == settings.WIRE_BODY_BYTES_MAX + 1

    def test_a_field_that_is_wrong_is_named_in_errors(self, client):
        answer = send(client, b"total_amount=1&total_amount=2", path="/partner/echo")

        assert answer.status_code == 400
        assert answer.json() == {
            "code": 0,
            "errors": {"total_amount": [answer.json()["msg"]]},
            "msg": answer.json()["msg"],
            "result": {},
            "error_code": "duplicate_name",
        }
        assert answer.json()["msg"] != ""

    def test_the_fields_read_texts_as_they_read_json(self, client):
        answer = send(
            client, b"total_amount=5.00&user_id=442090&number=007&at=1529035200&note=+a%2B", path="/partner/echo"
        )

        assert answer.json()["result"] == {
            "total_amount": "500",
            "user_id": "442090",
            "note": " a+",
            "number": "7",
            "at": "2018-06-15 04:00:00+00:00",
        }

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"total_amount=1&number=1.0", "number"),
            (b"total_amount=1&number=-1", "number"),
            (b"total_amount=1&number=+1", "number"),
            (b"total_amount=1&number=%D9%A3", "number"),
            (b"total_amount=1&number=true", "number"),
            (b"total_amount=5.001", "total_amount"),
            (b"total_amount=1e2", "total_amount"),
            (b"total_amount=%2B1", "total_amount"),
            (b"total_amount=1&user_id=" + b"9" * 65, "user_id"),
        ],
    )
    def test_what_is_wrong_in_json_is_wrong_in_a_form(self, client, body, field):
        assert refused(send(client, body, path="/partner/echo")) == (400, "invalid_field", [field])

    def test_a_family_whose_document_names_json_takes_no_form(self, client):
        answer = send(client, b"total_amount=1", path="/plain/echo", HTTP_ACCEPT_LANGUAGE="en")

        assert answer.status_code == 415
        assert answer.json()["result_message"] == (
            "Send the body with a Content-Type that is taken here: application/json."
        )

    def test_another_format_is_told_which_are_taken(self, client):
        answer = send(client, b"<a/>", "application/xml")

        assert refused(answer) == (415, "unsupported_media_type", [])
        assert "application/json, application/x-www-form-urlencoded, multipart/form-data" in answer.json()["msg"]
