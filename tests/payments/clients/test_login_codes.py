import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.clients import login_codes
from tests.world import NOW

NUMBER = "2018061530000035"


def issue(number=NUMBER, generation=0, at=NOW):
    return login_codes.issue(number=number, generation=generation, at=at)


def opens(code, number=NUMBER, generation=0, *, after=0, at=NOW):
    at = at + datetime.timedelta(seconds=after)
    return login_codes.check(code=code, number=number, generation=generation, at=at)


def test_a_code_is_thirty_letters_and_digits():
    assert re.fullmatch(r"[0-9A-Za-z]{30}", issue())


@given(st.integers(0, 86_400))
def test_a_code_is_good_for_ten_minutes_whenever_it_was_issued(second):
    at = NOW + datetime.timedelta(seconds=second)
    code = issue(at=at)

    assert opens(code, at=at, after=0)
    assert opens(code, at=at, after=600)
    assert not opens(code, at=at, after=601)


def test_a_code_opens_its_own_order_only():
    assert not opens(issue(), number="2018061530000036")


def test_a_used_code_is_of_a_past_generation():
    code = issue(generation=3)

    assert opens(code, generation=3)
    assert not opens(code, generation=4)


def test_two_orders_of_one_second_have_different_codes():
    assert issue() != issue(number="2018061530000036")


def test_a_code_of_another_secret_key_opens_nothing(settings):
    code = issue()
    settings.SECRET_KEY = "another"

    assert not opens(code)


def test_a_code_from_a_clock_that_is_far_ahead_opens_nothing():
    assert opens(issue(), after=-5)
    assert not opens(issue(), after=-60)


@pytest.mark.parametrize("position", range(30))
def test_a_changed_character_spoils_the_code(position):
    code = issue()
    other = "a" if code[position] != "a" else "b"

    assert not opens(code[:position] + other + code[position + 1 :])


@pytest.mark.parametrize("code", ["", "x", "0" * 30, "签" * 30, "\ud800" * 30, "!" * 30])
def test_a_guess_opens_nothing(code):
    assert not opens(code)


def test_a_longer_or_shorter_code_opens_nothing():
    assert not opens(issue() + "0")
    assert not opens(issue()[:-1])
