"""The key of somebody's app is nowhere to be read: not in its row, the session that offered it, or the log."""

import base64

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from structlog.testing import capture_logs

from payments.models import AuditRow, Authenticator, StaffSession
from payments.secrets import CannotUnseal
from payments.staff import devices, offers
from tests.payments.staff.people import KEY, MORNING, PASSWORD, code, enrol, is_in, lin, log_in
from tests.payments.staff.test_devices import OTHER_KEY, SET_UP, make_up_codes, offered_key
from tests.payments.staff.test_log_in import REFUSED
from tests.world import make_staff

pytestmark = pytest.mark.django_db

WINDOW = 8  # characters: enough that sealed text does not hold them by chance
OTHER_RING = ["other:" + base64.b64encode(b"x" * 32).decode()]


@pytest.fixture
def other_ring(settings):
    """Return what takes the key away that sealed everything so far."""

    def change():
        settings.ENCRYPTION_KEYS = OTHER_RING

    return change


def spellings(key):
    """Every way in which the key could stand in a text, the three of base64 by where it begins in it."""
    raw = bytes.fromhex(key)
    yield from (key, key.upper(), base64.b32encode(raw).decode(), raw.decode("latin-1"))
    yield from (base64.b64encode(raw[start:]).decode().rstrip("=") for start in range(3))
    yield from (base64.b64encode(key.encode()[start:]).decode().rstrip("=") for start in range(3))


def traces(key, text):
    """The pieces of the key that stand in `text`, however it is spelled."""
    return {
        spelled[start : start + WINDOW]
        for spelled in spellings(key)
        for start in range(len(spelled) - WINDOW + 1)
        if spelled[start : start + WINDOW] in text
    }


def rows(model):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t")
        return "\n".join(row for (row,) in cursor.fetchall())


def sessions():
    """The rows of sessions, and what Django has packed into them."""
    return rows(StaffSession) + "".join(str(row.get_decoded()) for row in StaffSession.objects.all())


@pytest.mark.parametrize("spelled", list(spellings(OTHER_KEY)))
def test_a_piece_of_a_key_is_found_where_there_is_one(spelled):
    assert traces(OTHER_KEY, f"(1,app,{spelled[3 : 3 + WINDOW]},t)")


def test_the_table_and_the_session_hold_nothing_of_the_key():
    lin()
    browser, _answer = log_in()
    key = offered_key(browser)
    assert traces(key, sessions()) == set()

    assert make_up_codes(browser)[0] == key

    assert Authenticator.objects.get().key() == key
    assert traces(key, rows(Authenticator)) == set()
    assert traces(key, sessions()) == set()
    assert offers.OFFER not in browser.session


def test_no_table_of_django_otp_s_is_there_for_keys():
    assert "otp_totp_totpdevice" not in connection.introspection.table_names()


def test_a_key_given_up_leaves_the_session_and_another_is_offered():
    lin()
    browser, _answer = log_in()
    key = offered_key(browser)

    browser.get("/admin/security/")

    assert offers.OFFER not in browser.session
    assert offered_key(browser) != key


def test_an_offer_is_for_one_person():
    user, mei = lin(), make_staff("mei")
    session = Client().session
    key = offers.key_for(user=user, session=session)

    assert offers.key_for(user=user, session=session) == key
    assert offers.key_for(user=mei, session=session) != key


def test_a_key_moved_to_another_row_does_not_open():
    enrol(lin())
    enrol(make_staff("mei"), key=OTHER_KEY)
    hers = Authenticator.objects.get(user__username="mei")

    Authenticator.objects.filter(user__username="lin").update(sealed_key=hers.sealed_key)

    with pytest.raises(CannotUnseal):
        Authenticator.objects.get(user__username="lin").key()
    assert hers.key() == OTHER_KEY
    assert not is_in(log_in(token=code(OTHER_KEY))[0])


@time_machine.travel(MORNING, tick=False)
@pytest.mark.parametrize(("steps", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_s_clock_may_be_off_by_one_step(steps, opens):
    enrol(lin())
    Authenticator.objects.update(last_t=-1)

    browser, _answer = log_in(token=code(steps=steps))

    assert is_in(browser) is opens
    device = Authenticator.objects.get()
    assert device.drift == (steps if opens else 0)
    assert device.last_t == (int(MORNING.timestamp()) // 30 + steps if opens else -1)
    assert device.last_used_at == (MORNING if opens else None)
    assert device.throttling_failure_count == (not opens)


@time_machine.travel(MORNING, tick=False)
def test_after_a_code_none_of_its_time_or_before_is_good():
    enrol(lin())

    opened = [is_in(log_in(token=code(steps=steps))[0]) for steps in (1, 1)]
    Authenticator.objects.update(throttling_failure_count=0)
    opened.append(is_in(log_in(token=code(steps=0))[0]))

    assert opened == [True, False, False]


@pytest.mark.parametrize("token", ["", "abcdef", "-12345", "12.345", "²²²²²²"])
def test_what_is_no_number_is_a_wrong_code_to_the_device(token):
    enrol(lin())

    assert Authenticator.objects.get().verify_token(token) is False
    assert Authenticator.objects.get().throttling_failure_count == 1


def test_a_key_that_does_not_open_refuses_like_a_wrong_code_and_is_an_error_in_the_log(other_ring):
    codes = enrol(lin())
    device, token = Authenticator.objects.get(), code()
    other_ring()

    with capture_logs() as logged:
        browser, answer = log_in(token=token)

    assert (answer.status_code, is_in(browser)) == (200, False)
    assert REFUSED in answer.content.decode()
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [(line["event"], line["device"]) for line in errors] == [("authenticator_key_not_readable", device.pk)]
    assert traces(KEY, str(logged)) == set()
    assert token not in str(logged)
    assert Authenticator.objects.get().throttling_failure_count == 1
    assert AuditRow.objects.filter(action="user.log_in_refused").count() == 1
    assert not is_in(log_in()[0])  # the password alone does not open either
    assert is_in(log_in(token=codes[0])[0])


def test_with_the_right_ring_back_the_same_app_opens(other_ring, settings):
    ring = settings.ENCRYPTION_KEYS
    enrol(lin())
    other_ring()
    assert not is_in(log_in(token=code())[0])
    settings.ENCRYPTION_KEYS = [*OTHER_RING, *ring]
    Authenticator.objects.update(throttling_failure_count=0)

    assert is_in(log_in(token=code())[0])


def test_a_colleague_resets_a_key_that_does_not_open_and_the_person_sets_up_another(other_ring):
    user = lin()
    enrol(user)
    other_ring()

    devices.reset(user=user, actor="user:boss", reason="the ring has lost its key")
    browser, _answer = log_in()
    key, _codes = make_up_codes(browser)

    assert Authenticator.objects.get().key() == key


def test_who_has_two_recovery_codes_needs_no_colleague_for_it(other_ring):
    codes = enrol(lin())
    other_ring()
    browser, _answer = log_in(token=codes[0])
    key = offered_key(browser)

    browser.post(SET_UP, {"first_code": code(key), "password": PASSWORD, "code": codes[1]})

    assert Authenticator.objects.get().key() == key


def test_an_offer_that_does_not_open_gives_way_to_another(other_ring):
    lin()
    browser, _answer = log_in()
    key = offered_key(browser)
    other_ring()

    answer = browser.post(SET_UP, {"first_code": code(key), "password": PASSWORD})

    assert answer.status_code == 200
    assert "first_code" in answer.context["form"].errors
    assert make_up_codes(browser)[0] != key


def test_the_app_reads_issuer_name_and_key_from_the_picture():
    address = devices.address_of_key(user=User(username="林 a/b:c@x+y"), key=KEY)

    assert address == (
        "otpauth://totp/Onetill%3A%E6%9E%97%20a/b%3Ac%40x%2By"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&period=30&issuer=Onetill"
    )


def test_keys_are_random_and_as_long_as_apps_expect():
    keys = {devices.new_key() for _ in range(10)}

    assert {len(bytes.fromhex(key)) for key in keys} == {20}
    assert len(keys) == 10
