import base64
import io

import pytest

from payments import audit
from payments.models import AuditRow
from payments.transactions import transaction

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

JSON = "application/json"
ENGLISH = {"HTTP_ACCEPT_LANGUAGE": "en"}


def post(client, path, body, **headers):
    return client.post(path, body, content_type=JSON, **ENGLISH, **headers)


class TestAnswers:
    def test_success_is_enveloped_uncached_and_utf8(self, client):
        answer = post(client, "/plain/echo", '{"total_amount": 1, "note": "积分"}')

        assert answer.status_code == 200
        assert answer.content.decode() == (
            '{"result_message":"","result_code":"echo","result":{"total_amount":"100","note":"积分"},"success":true}'
        )
        assert answer["Content-Type"] == "application/json; charset=utf-8"
        assert answer["Cache-Control"] == "no-store"

    @pytest.mark.parametrize("path", ["/plain/echo", "/plain/echo/"])
    def test_a_path_answers_with_and_without_its_last_slash(self, client, path):
        assert post(client, path, '{"total_amount": 1}').status_code == 200

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense"])
    def test_the_accept_header_changes_nothing(self, client, accept):
        answer = post(client, "/plain/echo?format=html", '{"total_amount": 1}', HTTP_ACCEPT=accept)

        assert answer.status_code == 200

    def test_a_further_parameter_is_let_be(self, client):
        assert post(client, "/plain/echo", '{"total_amount": 1, "extra": {"a": [1]}}').status_code == 200

    def test_on_get_the_query_string_is_the_body(self, client):
        answer = client.get("/plain/echo", {"total_amount": "5.00", "user_id": "442090"})

        assert answer.json()["result"] == {"total_amount": "500", "user_id": "442090", "note": ""}

    @pytest.mark.parametrize("query", ["total_amount=1&total_amount=1", "total_amount=1&note=%00"])
    def test_a_query_string_is_read_as_strictly(self, client, query):
        answer = client.get(f"/plain/echo?{query}")

        assert answer.status_code == 400
        assert answer.json()["result_code"] in {"duplicate_name", "unusable_text"}

    @pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "text/plain", "application/xml", ""])
    def test_another_media_type_is_told_what_to_send(self, client, media_type):
        answer = client.generic("POST", "/plain/echo", b"total_amount=1", content_type=media_type, **ENGLISH)

        assert answer.status_code == 415
        assert answer.json()["result_code"] == "unsupported_media_type"
        assert "application/json" in answer.json()["result_message"]

    def test_a_media_type_with_charset_is_json(self, client):
        answer = client.generic(
            "POST", "/plain/echo", b'{"total_amount": 1}', content_type="Application/JSON; charset=utf-8"
        )

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"{", "malformed_json"),
            (b"[]", "not_an_object"),
            (b'{"a": 1, "a": 2}', "duplicate_name"),
            (b'{"a":' * 100_000, "too_large"),
            (b"[" * 100_000, "too_deep"),
            (b'{"a": "' + b"x" * 2_000_000 + b'"}', "too_large"),
            (b'{"a": "\xff"}', "not_utf8"),
            (b'{"a": "\\ud800"}', "unusable_text"),
        ],
    )
    def test_an_unreadable_body_is_a_400_in_the_envelope(self, client, body, code):
        answer = post(client, "/plain/echo", body)

        assert answer.status_code == 400
        assert answer.json()["result_code"] == code
        assert answer.json()["result"] == {}

    def test_a_chunked_body_is_not_taken_for_an_empty_one(self, client):
        answer = client.generic("POST", "/plain/echo", content_type=JSON, HTTP_TRANSFER_ENCODING="chunked")

        assert answer.status_code == 411
        assert answer.json()["result_code"] == "length_required"

    def test_a_body_shorter_than_its_length_is_refused_although_it_is_a_whole_object(self, client):
        body = b'{"total_amount": 1}'
        sent = {"CONTENT_LENGTH": str(len(body) + 1), "wsgi.input": io.BytesIO(body)}

        answer = client.post("/plain/body", body, content_type=JSON, **sent)

        assert (answer.status_code, answer.json()["result_code"]) == (400, "cut_short")
        assert answer.json()["result"] == {}
        assert client.post("/plain/body", body, content_type=JSON).status_code == 200

    def test_the_wrong_method_is_told_the_right_one(self, client):
        answers = [client.put("/plain/echo"), client.options("/plain/echo"), client.delete("/plain/echo")]

        assert [answer.status_code for answer in answers] == [405, 405, 405]
        assert [answer.json()["result_code"] for answer in answers] == ["method_not_allowed"] * 3
        assert "POST" in answers[0]["Allow"]

    def test_an_unknown_path_answers_in_the_envelope(self, client):
        answer = client.post("/shop/nothing", b"x", content_type="text/plain", **ENGLISH)

        assert answer.status_code == 404
        assert answer.json() == {
            "result_message": "There is nothing at this address. Check the path.",
            "result_code": "unknown_path",
            "result": {},
            "success": False,
        }
        assert answer["Cache-Control"] == "no-store"

    def test_chinese_is_the_language_of_a_caller_that_names_none(self, client):
        answer = client.post("/plain/echo", "{}", content_type=JSON)

        assert answer.json()["result_message"] != "total_amount: This field is required."


class TestErrors:
    def trouble(self, client, kind, family="plain"):
        return post(client, f"/{family}/trouble/{kind}", "{}")

    def test_an_error_of_ours_names_the_field_and_what_to_do(self, client):
        answer = self.trouble(client, "conflict")

        assert answer.status_code == 409
        assert answer.json() == {
            "result_message": "out_trade_no: The number is taken by another.",
            "result_code": "conflict",
            "result": {},
            "success": False,
        }

    def test_each_family_has_its_envelope(self, client):
        answer = self.trouble(client, "conflict", family="payments")

        assert answer.status_code == 409
        assert answer.content.decode() == (
            '{"status_code":1,"data":{},'
            '"message":"out_trade_no: The number is taken by another.","error_code":"conflict"}'
        )

    def test_document_004_has_the_status_for_a_code_and_one_sentence_that_names_the_field(self, client):
        answer = self.trouble(client, "nested", family="english")

        assert answer.status_code == 400
        assert answer.content.decode() == (
            '{"code":400,"msg":"goods.1.num: Too many.","data":null,"error_code":"invalid_field"}'
        )

    def test_where_document_004_answers_a_list_a_refusal_is_an_empty_one(self, client):
        listed, looked = (post(client, f"/english/{path}", "{}").json() for path in ("list", "look"))

        assert (listed["data"], looked["data"]) == ([], None)
        assert {**listed, "data": None} == looked
        assert (looked["code"], looked["error_code"]) == (404, "app_unknown")

    def test_document_004_says_ok_and_nothing_else_of_an_unknown_path(self, client):
        right = post(client, "/english/goods", '{"goods_list": [{"good_id": 1, "num": 2}]}')
        nowhere = post(client, "/english/nothing", "{}")

        assert right.content.decode() == '{"code":0,"msg":"ok","data":[{"good_id":"1","num":2}]}'
        assert (nowhere.status_code, list(nowhere.json())) == (404, ["code", "msg", "data", "error_code"])
        assert (nowhere.json()["code"], nowhere.json()["data"], nowhere.json()["error_code"]) == (
            404, None, "unknown_path",
        )  # fmt: skip

    @pytest.mark.parametrize("debug", [False, True])
    def test_what_nobody_foresaw_tells_nothing_and_is_logged(self, client, settings, caplog, debug):
        settings.DEBUG = debug

        answer = self.trouble(client, "canary")

        assert answer.status_code == 500
        assert answer.json()["result_code"] == "internal_error"
        assert "canary" not in answer.content.decode()
        assert "SELECT" not in answer.content.decode()
        assert any("canary-secret" in str(record.exc_info or record.msg) for record in caplog.records)

    def test_a_caller_who_is_too_fast_learns_when_to_come_back(self, client):
        answer = self.trouble(client, "throttled")

        assert answer.status_code == 429
        assert answer.json()["result_code"] == "slow_down"
        assert answer["Retry-After"] == "7"

    @pytest.mark.parametrize(
        ("kind", "status", "code"), [("not_found", 404, "not_found"), ("forbidden", 403, "not_permitted")]
    )
    def test_djangos_own_refusals_lose_their_detail(self, client, kind, status, code):
        answer = self.trouble(client, kind)

        assert answer.status_code == status
        assert answer.json()["result_code"] == code
        assert "17" not in answer.content.decode()

    def test_a_nested_field_is_named_by_its_path(self, client):
        assert self.trouble(client, "nested").json()["result_message"] == "goods.1.num: Too many."

    def test_an_error_of_the_whole_call_names_no_field(self, client):
        assert self.trouble(client, "whole").json()["result_message"] == "These do not go together."

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("kind", ["slow_statement", "broken_connection"])
    def test_a_database_that_is_busy_or_gone_is_a_503(self, client, kind):
        answer = self.trouble(client, kind)

        assert answer.status_code == 503
        assert answer.json()["result_code"] == "try_again"
        assert answer["Retry-After"] == "1"
        assert "pg_" not in answer.content.decode()


class TestPages:
    @pytest.fixture(autouse=True)
    def rows(self):
        with transaction():
            for number in range(5):
                audit.record(actor="system", action="test", subject=f"row:{number}")

    def test_pages_follow_each_other_and_cost_no_count(self, client, django_assert_num_queries):
        seen = []
        url = "/payments/rows?page_size=2"
        while url:
            with django_assert_num_queries(1):
                answer = client.get(url).json()
            assert answer["status_code"] == 0
            assert list(answer["data"]) == ["results", "next", "previous"]
            seen += [row["subject"] for row in answer["data"]["results"]]
            url = answer["data"]["next"]

        assert seen == ["row:4", "row:3", "row:2", "row:1", "row:0"]

    def test_rows_that_come_in_between_move_nothing(self, client):
        first = client.get("/payments/rows?page_size=2").json()["data"]
        with transaction():
            audit.record(actor="system", action="test", subject="row:new")

        second = client.get(first["next"]).json()["data"]

        assert [row["subject"] for row in second["results"]] == ["row:2", "row:1"]

    def test_a_foreign_cursor_is_refused(self, client):
        answer = client.get("/payments/rows?cursor=%C3%BF")

        assert answer.status_code == 400
        assert answer.json()["error_code"] == "unreadable_cursor"
        assert AuditRow.objects.count() == 5

    @pytest.mark.parametrize("position", ["abc", "1e9", "None"])
    def test_a_cursor_that_somebody_made_up_is_refused(self, client, position):
        cursor = base64.b64encode(f"p={position}".encode()).decode()

        answer = client.get("/payments/rows", {"cursor": cursor})

        assert answer.status_code == 400
        assert answer.json()["error_code"] == "unreadable_cursor"
