"""Lock-out: by account, by address, for a while, and without keeping what was typed."""

import logging

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import connection
from django.test import Client

from payments.models import AuditRow
from tests.payments.staff.people import MORNING, PASSWORD, code, deeds, enrol, is_in, lin, log_in
from tests.world import make_staff

pytestmark = pytest.mark.django_db

SECRET = "what people type into the wrong field"


def fail(count, username="lin", **meta):
    """Return the statuses of so many tries with a wrong password."""
    return [log_in(username, SECRET, **meta)[1].status_code for _ in range(count)]


def everything():
    """All text that is in the tables of axes and of the audit."""
    found = []
    with connection.cursor() as cursor:
        for table in ("axes_accessattempt", "axes_accesslog", "axes_accessfailurelog", "payments_auditrow"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            found += [text for (text,) in cursor.fetchall()]
    return "\n".join(found)


def test_the_fifth_failure_locks_the_account_and_the_right_password_opens_nothing():
    lin()

    assert fail(5) == [200, 200, 200, 200, 429]
    browser, answer = log_in()

    assert answer.status_code == 429
    assert not is_in(browser)


def test_four_failures_do_not():
    lin()

    fail(4)
    browser, _answer = log_in()

    assert is_in(browser)


def test_an_account_is_locked_from_whichever_address_one_comes():
    lin()

    for host in range(4):
        fail(1, REMOTE_ADDR=f"10.0.0.{host}")
    assert fail(1, REMOTE_ADDR="10.0.1.1", HTTP_USER_AGENT="another") == [429]

    assert log_in(REMOTE_ADDR="10.0.2.2")[1].status_code == 429


def test_one_locked_account_locks_no_other():
    lin()
    make_staff("mei")

    fail(5)

    assert is_in(log_in("mei")[0])


def test_fifty_failures_from_one_address_lock_it_whatever_the_names():
    lin()

    statuses = [fail(1, f"name-{n}", HTTP_USER_AGENT=f"agent-{n}")[0] for n in range(50)]

    assert statuses == [200] * 49 + [429]
    assert log_in()[1].status_code == 429
    assert is_in(log_in(REMOTE_ADDR="10.0.0.9")[0])


def test_an_address_is_the_house_of_an_ipv6_address():
    lin()

    for n in range(50):
        fail(1, f"name-{n}", REMOTE_ADDR=f"2001:db8:0:1::{n:x}")

    assert log_in(REMOTE_ADDR="2001:db8:0:1:ffff::1")[1].status_code == 429
    assert is_in(log_in(REMOTE_ADDR="2001:db8:0:2::1")[0])


def test_the_address_is_the_one_that_our_proxy_names_and_nobody_else(settings):
    lin()
    settings.TRUSTED_PROXIES = ["10.0.0.10/32"]

    for n in range(50):
        fail(1, f"name-{n}", REMOTE_ADDR="10.0.0.10", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}, 203.0.113.7")
    behind = {"REMOTE_ADDR": "10.0.0.10", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}

    assert log_in(**behind)[1].status_code == 429
    assert is_in(log_in(**behind | {"HTTP_X_FORWARDED_FOR": "203.0.113.8"})[0])


def test_a_forwarding_that_nobody_vouches_for_gives_no_new_address():
    for n in range(49):
        fail(1, f"name-{n}", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}")

    assert fail(1, "name", HTTP_X_FORWARDED_FOR="1.2.4.1") == [429]


def test_who_logs_in_wins_no_more_tries_for_the_accounts_of_others():
    lin()
    make_staff("mei")

    for n in range(49):
        fail(1, f"name-{n}")
        if n % 4 == 0:
            log_in("mei")

    assert fail(1) == [429]


def test_a_log_in_forgets_the_failures_of_its_account():
    lin()

    for _ in range(3):
        assert fail(4) == [200] * 4
        assert is_in(log_in()[0])


def test_a_wrong_one_time_code_is_a_failure():
    enrol(lin())

    statuses = [log_in(token="000000")[1].status_code for _ in range(5)]

    assert statuses == [200, 200, 200, 200, 429]
    assert log_in(token=code())[1].status_code == 429


def test_a_lock_ends_a_quarter_of_an_hour_after_the_last_failure_that_counted():
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        fail(5)
        clock.shift(14 * 60 + 59)
        assert log_in()[1].status_code == 429  # does not make it longer
        clock.shift(1)
        assert is_in(log_in()[0])


def test_failures_further_apart_than_that_lock_nothing():
    lin()

    with time_machine.travel(MORNING, tick=False) as clock:
        for _ in range(8):
            assert fail(1) == [200]
            clock.shift(15 * 60)


@pytest.mark.parametrize(("language", "words"), [
    ("en", "Log-in is locked"), ("zh-CN", "<h1>"),
])  # fmt: skip
def test_the_answer_says_when_to_try_again(language, words):
    lin()

    with time_machine.travel(MORNING, tick=False):
        fail(5)
        browser = Client(headers={"accept-language": language})
        answer = browser.post("/admin/login/", {"username": "lin", "password": PASSWORD})

    page = answer.content.decode()
    assert answer["Retry-After"] == "901"
    assert "no-store" in answer["Cache-Control"]
    assert words in page
    assert "09:16" in page  # in Shanghai


def test_who_is_locked_out_learns_nothing_about_accounts():
    lin()

    fail(5)
    fail(5, "nobody")

    known, unknown = (log_in(name)[1].content.decode() for name in ("lin", "nobody"))
    assert [line for line in known.splitlines() if "csrf" not in line] == [
        line for line in unknown.splitlines() if "csrf" not in line
    ]


def test_the_rows_name_who_exists_and_nobody_else():
    lin()

    fail(1)
    fail(1, SECRET)
    fail(4)

    refused = ("user:lin", "user.log_in_refused")
    assert deeds() == [refused, ("stranger", "user.log_in_refused"), *[refused] * 4, ("user:lin", "user.lock_out")]
    stranger = AuditRow.objects.get(actor="stranger")
    assert stranger.subject == "address:127.0.0.1"
    assert stranger.detail == {"address": "127.0.0.1", "page": "/admin/login/"}


def test_what_is_locked_writes_no_more_rows():
    lin()
    fail(5)
    before = everything()

    fail(3)

    assert everything() == before


def test_nothing_that_was_typed_is_kept(caplog):
    enrol(lin())
    typed = "482915"

    with caplog.at_level(logging.DEBUG):
        fail(2)
        log_in(SECRET, SECRET, typed)  # the password in the field of the name
        log_in(token=typed)
        Client().post(
            f"/admin/login/?{SECRET.replace(' ', '+')}", {"username": "x", "password": SECRET, SECRET: SECRET}
        )
        fail(3)

    assert AccessAttempt.objects.exists()
    for told in (everything(), caplog.text):
        assert SECRET not in told
        assert typed not in told
        assert PASSWORD not in told


def test_an_account_is_unlocked_by_a_command():
    lin()
    fail(5)

    call_command("axes_reset_username", "lin")

    assert is_in(log_in()[0])


def test_an_address_is_unlocked_by_a_command():
    lin()
    for n in range(50):
        fail(1, f"name-{n}")

    call_command("axes_reset_ip", "127.0.0.1")

    assert is_in(log_in()[0])


def test_old_failures_leave_the_table():
    with time_machine.travel(MORNING, tick=False) as clock:
        fail(1, "one")
        clock.shift(15 * 60)
        fail(1, "two")

    assert AccessAttempt.objects.count() == 1
