"""What a client may do: Django's permissions of its service account."""

from typing import Any, cast

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from payments.clients import errors
from payments.clients.models import ApiClient


class IsClient(BasePermission):
    """A client, and one with the permission that the view names."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """
        :raises TokenMissing: where nobody called
        :raises PermissionMissing: where the view's `permission_required_name` is not among the client's
        """
        client = cast("ApiClient | None", request.auth)
        if client is None:
            raise errors.TokenMissing
        name = view.permission_required_name
        if name and name not in client.permission_names:
            raise errors.PermissionMissing(name=name)
        return True
