"""The second factor as staff meet it: setting it up, recovery codes, another phone, a lost one."""

import base64

import pytest
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken

from payments.models import AuditRow, Authenticator, StaffSession
from payments.staff import devices
from payments.transactions import transaction
from tests.payments.staff.people import KEY, PASSWORD, code, deeds, enrol, is_in, lin, log_in
from tests.world import make_staff

pytestmark = pytest.mark.django_db

SET_UP = "/admin/security/second-factor/"
REMOVE = "/admin/security/second-factor/remove/"
CODES = "/admin/security/recovery-codes/"
NOT_RIGHT = "The password or the one-time code is not right."
OTHER_KEY = "3938373635343332313039383736353433323130"


def offered_key(browser):
    """The key that the page shows, as an app keeps it."""
    shown = browser.get(SET_UP).context["key"]
    return base64.b32decode(shown.replace(" ", "")).hex()


def make_up_codes(browser):
    """Set the app up on the page, and return its key and the recovery codes shown."""
    key = offered_key(browser)
    answer = browser.post(SET_UP, {"first_code": code(key), "password": PASSWORD})
    return key, answer.context["codes"]


def with_device(user=None):
    enrol(user or lin())
    return log_in(token=code())[0]


def errors(answer):
    return {name: [str(error) for error in found] for name, found in answer.context["form"].errors.items()}


def test_the_page_shows_the_key_as_a_picture_and_as_text():
    lin()
    browser, _answer = log_in()

    answer = browser.get(SET_UP)

    key, page = answer.context["key"], answer.content.decode()
    assert len(key.replace(" ", "")) == 32
    assert key in page
    assert 'src="data:image/svg+xml' in page
    assert "no-store" in answer["Cache-Control"]


def test_the_key_stays_until_it_is_confirmed_and_is_nobody_s_device_before():
    lin()
    browser, _answer = log_in()

    assert offered_key(browser) == offered_key(browser)
    assert Authenticator.objects.count() == 0


def test_an_app_is_set_up_by_its_first_code_and_the_password():
    user = lin()
    browser, _answer = log_in()

    key, codes = make_up_codes(browser)

    assert Authenticator.objects.get().key() == key
    assert devices.has_device(user_id=user.pk)
    assert len(set(codes)) == 10
    assert deeds("user.device_enrol") == [("user:lin", "user.device_enrol")]
    assert browser.get("/admin/security/").status_code == 200
    assert is_in(log_in(token=codes[0])[0])


def test_setting_up_ends_what_was_logged_in_without_it_and_changes_the_key_of_this_session():
    lin()
    here, _answer = log_in()
    there, _answer = log_in()
    before = here.cookies["sessionid"].value

    make_up_codes(here)

    assert (is_in(here), is_in(there)) == (True, False)
    assert here.cookies["sessionid"].value != before
    assert StaffSession.objects.count() == 1


def test_the_recovery_codes_are_shown_once():
    lin()
    browser, _answer = log_in()

    _key, codes = make_up_codes(browser)

    for path in ("/admin/security/", SET_UP, CODES):
        page = browser.get(path).content.decode()
        assert not [shown for shown in codes if shown in page]


@pytest.mark.parametrize(("changes", "expected"), [
    ({"first_code": "000000"}, {"first_code": ["This is not the code that the app shows now."]}),
    ({"first_code": "abc"}, {"first_code": ["This is not the code that the app shows now."]}),
    ({"first_code": ""}, {"first_code": ["This field is required."]}),
    ({"first_code": "1" * 33}, {"first_code": ["Ensure this value has at most 32 characters (it has 33)."]}),
    ({"password": "wrong"}, {"__all__": [NOT_RIGHT]}),
    ({"password": ""}, {"password": ["This field is required."]}),
])  # fmt: skip
def test_an_app_is_not_set_up_and_the_field_is_named(changes, expected):
    lin()
    browser, _answer = log_in()
    fields = {"first_code": code(offered_key(browser)), "password": PASSWORD}

    answer = browser.post(SET_UP, fields | changes)

    assert errors(answer) == expected
    assert Authenticator.objects.count() == 0


def test_a_key_that_the_browser_names_itself_is_not_taken():
    lin()
    browser, _answer = log_in()
    offered_key(browser)

    answer = browser.post(SET_UP, {"first_code": code(KEY), "password": PASSWORD, "key": KEY, "totp_key": KEY})

    assert "first_code" in errors(answer)
    assert Authenticator.objects.count() == 0


def test_another_app_takes_the_place_of_the_first_and_needs_its_code():
    browser = with_device()
    key = offered_key(browser)
    fields = {"first_code": code(key), "password": PASSWORD}

    assert errors(browser.post(SET_UP, fields)) == {"code": ["This field is required."]}
    assert errors(browser.post(SET_UP, fields | {"code": code()})) == {"__all__": [NOT_RIGHT]}  # used to log in
    Authenticator.objects.update(last_t=-1, throttling_failure_count=0, throttling_failure_timestamp=None)
    answer = browser.post(SET_UP, fields | {"code": code()})

    assert len(answer.context["codes"]) == 10
    assert Authenticator.objects.get().key() == key
    assert AuditRow.objects.filter(action="user.device_enrol").last().detail["replaced"] is True


def test_a_device_is_removed_with_password_and_code():
    browser = with_device()
    Authenticator.objects.update(last_t=-1)

    answer = browser.post(REMOVE, {"password": PASSWORD, "code": code()})

    assert answer["Location"] == "/admin/security/"
    assert (Authenticator.objects.count(), StaticToken.objects.count()) == (0, 0)
    assert deeds("user.device_remove") == [("user:lin", "user.device_remove")]
    assert is_in(browser)
    assert is_in(log_in()[0])


@pytest.mark.parametrize("path", [REMOVE, CODES])
@pytest.mark.parametrize("fields", [{"password": "wrong", "code": "{code}"}, {"password": PASSWORD, "code": "000000"}])
def test_neither_password_nor_code_alone_touches_the_device(path, fields):
    browser = with_device()
    Authenticator.objects.update(last_t=-1)
    before = set(StaticToken.objects.values_list("token", flat=True))

    answer = browser.post(path, {name: value.format(code=code()) for name, value in fields.items()})

    assert errors(answer) == {"__all__": [NOT_RIGHT]}
    assert Authenticator.objects.count() == 1
    assert set(StaticToken.objects.values_list("token", flat=True)) == before


@pytest.mark.parametrize("path", [REMOVE, CODES])
def test_who_has_no_device_is_told_so(path):
    lin()
    browser, _answer = log_in()

    assert errors(browser.post(path, {"password": PASSWORD})) == {
        "__all__": ["This person has set up no one-time codes."]
    }


def test_new_recovery_codes_take_the_place_of_the_old_ones():
    user = lin()
    old = enrol(user)
    browser, _answer = log_in(token=code())

    new = browser.post(CODES, {"password": PASSWORD, "code": old[0]}).context["codes"]

    assert len(set(new)) == 10
    assert not set(new) & set(old)
    assert not is_in(log_in(token=old[1])[0])
    assert deeds("user.codes_renew") == [("user:lin", "user.codes_renew")]


def test_a_colleague_resets_a_lost_device_with_a_reason():
    user = lin()
    lost = with_device(user)
    boss = Client(headers={"accept-language": "en"})
    boss.force_login(make_staff("boss", boss=True))
    path = f"/admin/auth/user/{user.pk}/reset_device/"
    assert path in boss.get(f"/admin/auth/user/{user.pk}/change/").content.decode()

    assert errors(boss.post(path, {"reason": ""})) == {"reason": ["This field is required."]}
    answer = boss.post(path, {"reason": "phone lost, seen in person"})

    assert answer.status_code == 302
    assert (Authenticator.objects.count(), StaticToken.objects.count()) == (0, 0)
    assert not is_in(lost)
    row = AuditRow.objects.get(action="user.device_reset")
    assert (row.actor, row.subject) == ("user:boss", f"user:{user.pk}")
    assert row.detail == {"username": "lin", "reason": "phone lost, seen in person", "sessions_ended": 1}
    assert is_in(log_in()[0])


def test_nobody_resets_their_own():
    boss = make_staff("boss", boss=True)
    enrol(boss)
    browser = Client()
    browser.force_login(boss)
    path = f"/admin/auth/user/{boss.pk}/reset_device/"

    assert browser.post(path, {"reason": "mine"}).status_code == 403
    assert path not in browser.get(f"/admin/auth/user/{boss.pk}/change/").content.decode()
    with pytest.raises(devices.OwnDevice):
        devices.reset(user=boss, actor="user:boss", reason="mine")

    assert Authenticator.objects.count() == 1


def test_none_but_a_superuser_resets_a_superuser_s():
    boss = make_staff("boss", boss=True)
    enrol(boss)
    browser = Client()
    browser.force_login(make_staff("mei", "change_user", "view_user"))

    answer = browser.post(f"/admin/auth/user/{boss.pk}/reset_device/", {"reason": "let me in"})

    assert answer.status_code in {403, 404}
    assert Authenticator.objects.count() == 1


def test_who_may_not_change_users_resets_nobody_s():
    user = lin()
    enrol(user)
    browser = Client()
    browser.force_login(make_staff("mei", "view_user"))

    assert browser.post(f"/admin/auth/user/{user.pk}/reset_device/", {"reason": "x"}).status_code in {403, 404}
    assert Authenticator.objects.count() == 1


def test_a_password_that_a_colleague_gives_is_a_row_and_ends_sessions():
    user = lin()
    browser, _answer = log_in()
    boss = Client()
    boss.force_login(make_staff("boss", boss=True))
    fields = {"password1": "quite another password", "password2": "quite another password", "usable_password": "true"}

    answer = boss.post(f"/admin/auth/user/{user.pk}/password/", fields)

    assert answer.status_code == 302
    assert not is_in(browser)
    row = AuditRow.objects.get(action="user.password")
    assert (row.actor, row.subject, row.detail) == (
        "user:boss", f"user:{user.pk}", {"username": "lin", "sessions_ended": 1}
    )  # fmt: skip


def test_one_s_own_password_is_not_changed_without_the_one_so_far():
    boss = make_staff("boss", boss=True)
    browser = Client()
    browser.force_login(boss)
    fields = {"password1": "quite another password", "password2": "quite another password", "usable_password": "true"}

    answer = browser.post(f"/admin/auth/user/{boss.pk}/password/", fields)

    assert answer["Location"] == "/admin/password_change/"
    boss.refresh_from_db()
    assert boss.check_password(PASSWORD)


@pytest.mark.parametrize("model", ["payments/authenticator", "otp_static/staticdevice", "axes/accessattempt"])
def test_no_page_shows_keys_or_failures(model):
    browser = Client()
    browser.force_login(make_staff("boss", boss=True))

    assert browser.get(f"/admin/{model}/").status_code == 404


@pytest.mark.parametrize("path", [SET_UP, REMOVE, CODES, "/admin/password_change/", "/admin/security/sessions/end/"])
def test_every_form_of_one_s_own_needs_its_token(path):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(lin())

    assert browser.post(path, {"others": "1", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("path", [SET_UP, REMOVE, CODES, "/admin/password_change/", "/admin/security/"])
def test_strangers_are_led_to_the_log_in(path):
    assert Client().get(path)["Location"] == f"/admin/login/?next={path}"
    assert Client().post(path)["Location"] == f"/admin/login/?next={path}"


def test_a_device_of_no_page_changes_nothing_outside_a_transaction():
    user = lin()

    with pytest.raises(RuntimeError, match="needs an open transaction"):
        devices._new_codes(user)
    with transaction():
        assert len(devices._new_codes(user)) == 10
