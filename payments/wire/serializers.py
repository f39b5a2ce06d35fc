"""Serializers of what comes in."""

import functools
from typing import Any

from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict


def length_of(model: Any, name: str) -> int:
    """Return how many characters a column of ours holds."""
    return int(model._meta.get_field(name).max_length)  # noqa: SLF001  Django's documented model API


class Parameters(serializers.Serializer[Any]):
    """
    The parameters of a call. Fields are built once for each class, where rest_framework copies them for each call.

    They keep nothing of a call: whatever depends on one belongs into `validate` or `validate_<field>`.
    """

    @property
    def fields(self) -> BindingDict:
        return _fields(type(self))


@functools.cache
def _fields(serializer_class: type[Parameters]) -> BindingDict:
    bound = BindingDict(prototype := serializer_class())
    for name, field in prototype.get_fields().items():
        bound[name] = field
    return bound
