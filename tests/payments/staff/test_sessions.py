"""Sessions: when they end, who sees them, and what is written about them."""

import pytest
import time_machine
from django.conf import settings as house
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config import checks
from payments import tasks
from payments.models import AuditRow, StaffSession
from payments.staff import browsers, sessions
from payments.staff.sessions import SessionStore
from tests.payments.staff.people import MORNING, PASSWORD, deeds, is_in, lin, log_in
from tests.world import make_staff

pytestmark = pytest.mark.django_db

MINUTE = 60
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
SECURITY = "/admin/security/"


def is_let_in(client):
    return client.get(SECURITY).status_code == 200


def test_a_session_knows_whose_it_is_and_how_it_was_opened():
    user = lin()

    with time_machine.travel(MORNING, tick=False):
        log_in(REMOTE_ADDR="2001:db8::7", HTTP_USER_AGENT=WINDOWS)

    row = StaffSession.objects.get()
    assert (row.user, row.address, row.agent) == (user, "2001:db8::7", WINDOWS)
    assert row.started_at == row.seen_at == MORNING


def test_a_session_ends_half_an_hour_after_it_was_last_seen():
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        browser, _answer = log_in()
        for _ in range(3):
            clock.shift(29 * MINUTE + 59)
            assert is_let_in(browser)
        clock.shift(30 * MINUTE)
        assert browser.get(SECURITY)["Location"] == f"/admin/login/?next={SECURITY}"


def test_a_session_ends_after_twelve_hours_however_busy():
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        browser, _answer = log_in()
        for _ in range(12 * 3 - 1):
            clock.shift(20 * MINUTE)
            assert is_let_in(browser)
        clock.shift(20 * MINUTE)
        assert not is_let_in(browser)


def test_how_long_is_a_setting(settings):
    settings.STAFF_IDLE_MINUTES = 5
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        browser, _answer = log_in()
        clock.shift(5 * MINUTE)
        assert not is_let_in(browser)


@pytest.mark.parametrize(("minutes", "refused"), [(0, True), (-1, True), (721, True), (1, False), (720, False)])
def test_a_setting_with_which_nobody_could_stay_is_refused_at_start(settings, minutes, refused):
    settings.STAFF_IDLE_MINUTES = minutes

    assert [error.id for error in checks.sessions_of_staff_last(None)] == ["onetill.E004"] * refused


def test_that_it_was_seen_is_written_once_a_minute():
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        browser, _answer = log_in()
        writes = []
        for _ in range(4):
            clock.shift(20)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                browser.get(SECURITY)
            writes.append(sum(query["sql"].startswith("UPDATE") for query in queries))

    assert writes == [0, 0, 1, 0]
    assert StaffSession.objects.get().seen_at.timestamp() == MORNING.timestamp() + 60


def test_the_cookie_goes_with_the_browser_and_no_script_reads_it():
    lin()

    browser, _answer = log_in()

    cookie = browser.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["expires"]) == (True, "Lax", "", "")


def test_a_session_of_nobody_has_no_user_and_django_s_own_end():
    store = SessionStore()
    store["of"] = "a visitor"
    with time_machine.travel(MORNING, tick=False):
        store.save()

    row = StaffSession.objects.get()
    assert (row.user, row.started_at, row.seen_at) == (None, None, None)
    assert (row.expire_date - MORNING).total_seconds() == house.SESSION_COOKIE_AGE


def test_one_s_own_sessions_are_listed_and_nobody_else_s():
    lin()
    make_staff("mei")
    browser, _answer = log_in(HTTP_USER_AGENT=WINDOWS)
    log_in(REMOTE_ADDR="203.0.113.7")
    log_in("mei", REMOTE_ADDR="203.0.113.99")

    page = browser.get(SECURITY).content.decode()

    assert "Chrome · Windows" in page
    assert "203.0.113.7" in page
    assert "203.0.113.99" not in page
    assert page.count("this one") == 1
    assert not [row.session_key for row in StaffSession.objects.all() if row.session_key in page]


def test_a_session_is_ended_from_another():
    lin()
    here, _answer = log_in()
    there, _answer = log_in()
    handle = sessions.handle(there.session.session_key)

    here.post("/admin/security/sessions/end/", {"session": handle})

    assert (is_let_in(here), is_let_in(there)) == (True, False)
    assert deeds("user.session_end") == [("user:lin", "user.session_end")]


def test_all_others_are_ended_at_once():
    lin()
    here, *others = [log_in()[0] for _ in range(3)]

    here.post("/admin/security/sessions/end/", {"others": "1"})

    assert [is_let_in(browser) for browser in (here, *others)] == [True, False, False]
    assert AuditRow.objects.get(action="user.sessions_end").detail == {"sessions_ended": 2}


@pytest.mark.parametrize("handle", ["", "nothing", "0" * 24, "é\0"])
def test_what_is_no_session_of_one_s_own_is_not_ended(handle):
    lin()
    make_staff("mei")
    browser, _answer = log_in()
    other, _answer = log_in("mei")

    for given in (handle, sessions.handle(other.session.session_key), other.session.session_key):
        answer = browser.post("/admin/security/sessions/end/", {"session": given}, follow=True)
        assert "There is no such session any more." in answer.content.decode()

    assert (is_let_in(browser), is_let_in(other)) == (True, True)
    assert deeds("user.session_end") == []


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one():
    lin()
    here, _answer = log_in()
    there, _answer = log_in()
    fields = {"password": PASSWORD, "new_password": "quite another password", "once_more": "quite another password"}

    answer = here.post("/admin/password_change/", fields)

    assert answer["Location"] == SECURITY
    assert (is_let_in(here), is_let_in(there)) == (True, False)
    assert not is_in(log_in()[0])
    assert is_in(log_in(password="quite another password")[0])
    assert AuditRow.objects.get(action="user.password_change").detail == {"sessions_ended": 1}


def test_a_password_that_changes_anywhere_ends_every_session():
    user = lin()
    browser, _answer = log_in()

    user.set_password("quite another password")
    user.save(update_fields=["password"])

    assert not is_let_in(browser)


@pytest.mark.parametrize(("changes", "field", "sentence"), [
    ({"password": "wrong"}, "__all__", "The password or the one-time code is not right."),
    ({"once_more": "yet another password"}, "once_more", "The two passwords differ."),
    ({"new_password": "short", "once_more": "short"}, "new_password", "at least 12 characters"),
    ({"new_password": ""}, "new_password", "required"),
])  # fmt: skip
def test_a_password_is_not_changed_and_the_field_is_named(changes, field, sentence):
    lin()
    browser, _answer = log_in()
    fields = {"password": PASSWORD, "new_password": "quite another password", "once_more": "quite another password"}

    answer = browser.post("/admin/password_change/", fields | changes)

    assert sentence in str(answer.context["form"].errors[field])
    assert get_user_model().objects.get().check_password(PASSWORD)


def test_passwords_cannot_be_tried_out_in_a_session_that_was_left_open():
    lin()
    browser, _answer = log_in()
    fields = {"password": "wrong", "new_password": "quite another password", "once_more": "quite another password"}

    statuses = [browser.post("/admin/password_change/", fields).status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 200, 429]
    assert browser.post("/admin/password_change/", fields | {"password": PASSWORD}).status_code == 429
    assert get_user_model().objects.get().check_password(PASSWORD)


def test_who_is_switched_off_is_out_at_once():
    user = lin()
    browser, _answer = log_in()

    user.is_active = False
    user.save(update_fields=["is_active"])

    assert not is_let_in(browser)


def test_ended_sessions_are_cleared_by_a_job_and_others_stay():
    lin()
    with time_machine.travel(MORNING, tick=False) as clock:
        log_in()
        clock.shift(29 * MINUTE)
        browser, _answer = log_in()
        clock.shift(2 * MINUTE)

        tasks.clear_ended_sessions()

        assert StaffSession.objects.get().session_key == browser.session.session_key


@pytest.mark.parametrize(("agent", "words"), [
    (WINDOWS, "Chrome · Windows"),
    (WINDOWS + " Edg/126.0", "Edge · Windows"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605 Safari/604.1", "Safari · iPhone"),
    ("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile Safari/537.36 MicroMessenger/8.0", "WeChat · Android"),
    ("curl/8", ""),
    ("", ""),
])  # fmt: skip
def test_a_browser_is_named_in_few_words(agent, words):
    assert browsers.in_words(agent) == words


def test_nobody_has_a_session_by_looking():
    for path in ("/admin/login/", "/admin/", "/healthz"):
        Client().get(path)

    assert StaffSession.objects.count() == 0
    assert not AnonymousUser().has_perm("payments.request_refund")
