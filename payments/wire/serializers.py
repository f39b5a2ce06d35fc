"""Serializers of what comes in."""

import functools
from typing import Any

from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict


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
