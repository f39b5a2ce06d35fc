"""What the calls of payments' own take."""

from typing import Any

from rest_framework import serializers

from payments.customers.queries import Direction
from payments.ledger.accounts import Kind
from payments.wire import IdField, TextField, YuanField


class NothingSerializer(serializers.Serializer[Any]):
    """A call without parameters of its own."""


class ProfileSerializer(serializers.Serializer[Any]):
    """All there is to know of a customer: what is not sent is emptied."""

    ee_no = TextField(default="")
    phone = TextField(default="")
    real_name = TextField(default="")


class GrantSerializer(serializers.Serializer[Any]):
    grant_no = IdField()
    kind = serializers.ChoiceField(Kind.choices)
    direction = serializers.ChoiceField(Direction.choices)
    amount = YuanField()
    reason = TextField(default="")


class StatementSerializer(serializers.Serializer[Any]):
    """Which transfers are listed, and which page of them."""

    kind = serializers.ChoiceField(Kind.choices, required=False)
    direction = serializers.ChoiceField(Direction.choices, required=False)
    cursor = TextField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)
