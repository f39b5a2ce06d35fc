"""Chinese is the first language: nothing may be left in English."""

import io
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings

CATALOGUES = sorted(
    path
    for pattern in ("locale", "*/locale", "*/*/locale")
    for path in Path(settings.BASE_DIR).glob(f"{pattern}/zh_Hans/LC_MESSAGES/django.po")
)


def catalogue(path):
    return read_po(io.BytesIO(path.read_bytes()), locale="zh_Hans")


def name(path):
    return str(path.relative_to(settings.BASE_DIR).parts[:-3])


def test_the_catalogues_are_found():
    assert settings.BASE_DIR / "locale/zh_Hans/LC_MESSAGES/django.po" in CATALOGUES


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_every_message_is_translated(path):
    left = [message.id for message in catalogue(path) if message.id and (not message.string or message.fuzzy)]

    assert left == []


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_a_translation_keeps_the_placeholders_of_its_message(path):
    problems = [(message.id, str(error)) for message, errors in catalogue(path).check() for error in errors]

    assert problems == []


@pytest.mark.parametrize("path", CATALOGUES, ids=name)
def test_what_is_compiled_is_what_was_written(path):
    compiled = read_mo(io.BytesIO(path.with_suffix(".mo").read_bytes()))

    assert texts(compiled) == texts(catalogue(path))


def texts(messages):
    """Every message, in its context, with its translation; each a tuple: one that counts has an id for one and many."""
    return {(context(message), *as_tuple(message.id)): as_tuple(message.string) for message in messages if message.id}


def context(message):
    """Babel reads it from what is compiled as bytes."""
    return message.context.decode() if isinstance(message.context, bytes) else message.context


def as_tuple(text):
    return (text,) if isinstance(text, str) else tuple(text)
