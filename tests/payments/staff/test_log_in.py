"""The way in: password and one-time code, each session a new one, each log-in a row."""

import re

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken

from payments.models import AuditRow, Authenticator, StaffSession
from tests.payments.staff.people import KEY, MORNING, PASSWORD, code, deeds, enrol, is_in, lin, log_in
from tests.threads import at_once
from tests.world import make_staff

pytestmark = pytest.mark.django_db

REFUSED = "The user name, the password or the one-time code is not right."


def test_who_has_set_up_no_codes_logs_in_by_password_alone():
    lin()

    browser, answer = log_in()

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert is_in(browser)
    row = AuditRow.objects.get(action="user.log_in")
    assert row.actor == "user:lin"
    assert row.detail == {"address": "127.0.0.1", "proof": "password"}


def test_log_in_leads_to_where_one_wanted_to_go_and_to_no_other_site():
    lin()

    for wanted, led in (("/admin/security/", "/admin/security/"), ("https://evil.example/", "/admin/")):
        browser = Client()
        answer = browser.post("/admin/login/", {"username": "lin", "password": PASSWORD, "next": wanted})
        assert answer["Location"] == led


def test_with_a_device_the_password_and_its_code_open():
    enrol(lin())

    browser, answer = log_in(token=code())

    assert answer.status_code == 302
    assert is_in(browser)
    assert AuditRow.objects.get(action="user.log_in").detail["proof"] == "code"


@pytest.mark.parametrize("typed", ["{} {}", "{}-{}", " {}{} "])
def test_a_code_is_taken_as_apps_show_it(typed):
    enrol(lin())

    browser, _answer = log_in(token=typed.format(code()[:3], code()[3:]))

    assert is_in(browser)


@pytest.mark.parametrize("token", ["", "000000", "12345", "1234567", "abcdef", "１２３４５６", "a" * 31])
def test_with_a_device_the_password_alone_or_with_a_wrong_code_does_not(token):
    enrol(lin())

    browser, answer = log_in(token=token)

    assert not is_in(browser)
    assert REFUSED in answer.content.decode()
    assert StaffSession.objects.count() == 0


def test_no_answer_tells_what_was_wrong():
    enrol(lin())
    make_staff("mei")
    get_user_model().objects.create_user(username="gone", password=PASSWORD, is_staff=True, is_active=False)
    get_user_model().objects.create_user(username="client-shop", password=PASSWORD)
    tries = [("lin", PASSWORD, "000000"), ("lin", "wrong", "000000"), ("mei", "wrong", ""), ("nobody", "wrong", ""),
             ("gone", PASSWORD, ""), ("client-shop", PASSWORD, "")]  # fmt: skip

    pages = []
    for username, password, token in tries:
        browser, answer = log_in(username, password, token)
        assert not is_in(browser)
        assert answer.status_code == 200
        text = answer.content.decode().replace(f'value="{username}"', "")
        pages.append("".join(line for line in text.splitlines() if "csrfmiddlewaretoken" not in line))

    assert len(set(pages)) == 1
    assert pages[0].count(REFUSED) == 1


def test_a_code_opens_once():
    enrol(lin())
    token = code()

    first, _answer = log_in(token=token)
    second, answer = log_in(token=token)

    assert (is_in(first), is_in(second)) == (True, False)
    assert REFUSED in answer.content.decode()


@time_machine.travel(MORNING, tick=False)
def test_a_code_that_was_used_to_set_up_the_app_opens_nothing():
    user = lin()
    enrol(user)
    Authenticator.objects.update(last_t=int(MORNING.timestamp()) // 30)

    browser, _answer = log_in(token=code())

    assert not is_in(browser)


def test_who_tries_codes_is_slowed_down_even_with_the_right_one():
    enrol(lin())

    with time_machine.travel(MORNING, tick=False) as clock:
        Authenticator.objects.update(last_t=-1)
        for _ in range(3):
            log_in(token="000000")
            clock.shift(0.5)
        browser, _answer = log_in(token=code())
        assert not is_in(browser)
        clock.shift(30)
        browser, _answer = log_in(token=code())
        assert is_in(browser)


def test_a_recovery_code_opens_once():
    codes = enrol(lin())

    first, _answer = log_in(token=codes[0])
    second, _answer = log_in(token=codes[0])

    assert (is_in(first), is_in(second)) == (True, False)
    assert StaticToken.objects.count() == 9
    assert AuditRow.objects.get(action="user.log_in").detail["proof"] == "recovery code"


def test_a_recovery_code_is_of_digits_and_may_be_written_without_spaces():
    codes = enrol(lin())
    assert all(re.fullmatch(r"\d{4} \d{4} \d{4}", shown) for shown in codes)

    browser, _answer = log_in(token=codes[0].replace(" ", ""))

    assert is_in(browser)


def test_who_forgot_the_code_may_enter_one_at_once():
    codes = enrol(lin())

    log_in(token="")

    assert is_in(log_in(token=codes[0])[0])


def test_what_is_stored_of_recovery_codes_opens_nothing():
    enrol(lin())

    for stored in StaticToken.objects.values_list("token", flat=True)[:3]:
        browser, _answer = log_in(token=stored)
        assert not is_in(browser)
        StaticToken.objects.first().device.throttle_reset()


def test_another_s_code_does_not_open():
    enrol(lin())
    other = "3938373635343332313039383736353433323130"
    enrol(make_staff("mei"), key=other)

    browser, _answer = log_in("lin", token=code(other))

    assert not is_in(browser)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_one_code_at_two_browsers_at_once_opens_one_session(kind):
    codes = enrol(lin())
    token = code() if kind == "code" else codes[0]

    browsers = at_once(4, lambda _n: log_in(token=token)[0])

    assert sorted(is_in(browser) for browser in browsers) == [False, False, False, True]


def test_log_in_gives_a_session_that_nobody_could_know_before():
    lin()
    browser = Client()
    planted = browser.session
    planted["planted"] = "by somebody else"
    planted.save()
    browser.cookies["sessionid"] = planted.session_key

    log_in(client=browser)

    assert browser.cookies["sessionid"].value != planted.session_key
    assert "planted" not in browser.session
    assert not StaffSession.objects.filter(session_key=planted.session_key).exists()


def test_a_session_key_that_the_browser_made_up_is_not_taken():
    lin()
    browser = Client()
    browser.cookies["sessionid"] = "a" * 32

    log_in(client=browser)

    assert browser.cookies["sessionid"].value != "a" * 32
    assert StaffSession.objects.get().session_key == browser.cookies["sessionid"].value


def test_logging_in_once_more_leaves_the_session_before():
    lin()
    browser, _answer = log_in()
    before = browser.cookies["sessionid"].value

    log_in(client=browser)

    assert not StaffSession.objects.filter(session_key=before).exists()


def test_log_out_ends_the_session_and_is_a_row():
    lin()
    browser, _answer = log_in()

    answer = browser.post("/admin/logout/")

    assert answer["Location"] == "/admin/login/"
    assert not is_in(browser)
    assert StaffSession.objects.count() == 0
    assert deeds() == [("user:lin", "user.log_in"), ("user:lin", "user.log_out")]


def test_a_link_logs_nobody_out():
    lin()
    browser, _answer = log_in()

    assert browser.get("/admin/logout/").status_code == 405
    assert is_in(browser)


def test_log_in_and_log_out_need_their_form_s_token():
    lin()
    browser = Client(enforce_csrf_checks=True)

    _browser, answer = log_in(client=browser)
    assert answer.status_code == 403
    browser.force_login(get_user_model().objects.get())
    assert browser.post("/admin/logout/").status_code == 403

    assert is_in(browser)


def test_the_page_is_never_kept_and_in_nobody_s_frame():
    answer = Client().get("/admin/login/")

    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("language", "word"), [("en", "简体中文"), ("zh-CN", "English")])
def test_the_page_can_be_had_in_the_other_language(language, word):
    page = Client(headers={"accept-language": language}).get("/admin/login/").content.decode()

    assert word in page
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page


@pytest.mark.parametrize("username", ["\0", "x" * 151, "%s", "<script>", "' OR 1=1"])
def test_a_name_that_can_be_nobody_s_is_no_error_of_ours(username):
    _browser, answer = log_in(username, "wrong")

    assert answer.status_code == 200


@pytest.mark.parametrize("field", ["username", "password"])
def test_an_empty_field_is_named(field):
    lin()
    fields = {"username": "lin", "password": PASSWORD, field: ""}

    answer = Client(headers={"accept-language": "en"}).post("/admin/login/", fields)

    assert list(answer.context["form"].errors) == [field]
    assert deeds() == []


def test_no_key_and_no_code_is_in_a_row_of_the_log_in():
    codes = enrol(lin())
    token = code()
    log_in(token=token)
    log_in(token=codes[0])

    written = str(list(AuditRow.objects.values()))

    assert not [secret for secret in (PASSWORD, token, KEY, *codes) if secret in written]
