"""
Staff and their groups, in the dress of the rest. A person who leaves is switched off, never deleted.

Who keeps them can become whom they please, so it is the superusers' alone; and nobody changes what they are themselves.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from unfold.admin import StackedInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from payments import audit
from payments.admin.base import AuditedAdmin, actor_of, request_id_of
from payments.models import StaffMember

admin.site.unregister(User)
admin.site.unregister(Group)

OF_RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


class SuperusersAdmin(AuditedAdmin):
    """To look at for who may, to change for superusers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


class StaffMemberInline(StackedInline):  # type: ignore[misc]
    """Beside the person: what they see."""

    model = StaffMember
    can_delete = False
    filter_horizontal = ("clients",)
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(User)
class UserAdmin(DjangoUserAdmin, SuperusersAdmin):  # type: ignore[misc, type-arg]
    subject = "user"
    inlines = (StaffMemberInline,)
    compressed_fields = False  # the two boxes of permissions need the width
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_fields = ("username", "email")
    ordering = ("username",)  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        own = OF_RIGHTS if obj is not None and obj.pk == request.user.pk else ()
        return (*super().get_readonly_fields(request, obj), *own)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        """What somebody sees is part of what they may: each change is an audit row."""
        super().save_formset(request, form, formset, change)
        for beside in formset.forms:
            if beside.has_changed():
                audit.record(
                    actor=actor_of(request), action="user.sight", subject=f"user:{form.instance.pk}",
                    request_id=request_id_of(), sees_every_client=beside.instance.sees_every_client,
                    clients=sorted(beside.instance.clients.values_list("name", flat=True)),
                )  # fmt: skip

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  Django's
        """Set somebody's password, and say in the audit rows who did; never what it is."""
        with transaction.atomic():
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                audit.record(
                    actor=actor_of(request), action="user.password", subject=f"user:{id}", request_id=request_id_of()
                )  # fmt: skip
        return response


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, SuperusersAdmin):  # type: ignore[misc]
    subject = "group"
    compressed_fields = False
    search_fields = ("name",)
    ordering = ("name",)  # type: ignore[misc]
