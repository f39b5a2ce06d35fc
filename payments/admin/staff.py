"""
Staff and their groups, in the dress of the rest. A person who leaves is switched off, never deleted.

Who keeps them can become whom they please, so it is the superusers' alone; and nobody changes what they are themselves.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_otp.plugins.otp_static.models import StaticDevice
from unfold.admin import StackedInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as Ticks

from payments import audit
from payments.admin.base import AuditedAdmin, actor_of
from payments.admin.colleagues import ColleaguesAdmin
from payments.models import StaffMember

admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister(StaticDevice)  # colleagues reset it, and do nothing else to it

# What people call the groups that `migrate` makes.
ROLE_NAMES = {
    "look-up": pgettext_lazy("role", "look-up"),
    "refund": pgettext_lazy("role", "refund"),
    "approve": pgettext_lazy("role", "approve"),
    "finance": pgettext_lazy("role", "finance"),
    "operator": pgettext_lazy("role", "operator"),
}
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
    hide_title = True

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, widget=Ticks, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(User)
class UserAdmin(ColleaguesAdmin, DjangoUserAdmin, SuperusersAdmin):  # type: ignore[misc, type-arg]
    subject = "user"
    inlines = (StaffMemberInline,)
    filter_horizontal = ("user_permissions",)
    compressed_fields = False  # the two boxes of permissions need the width
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_fields = ("username", "email")
    ordering = ("username",)  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A name stays whose it is: by it, refunds and audit rows tell who asked, and that another decided."""
        kept = ("username",) if obj is not None else ()
        own = OF_RIGHTS if obj is not None and obj.pk == request.user.pk else ()
        return (*super().get_readonly_fields(request, obj), *kept, *own)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "groups":
            return super().formfield_for_manytomany(db_field, request, **kwargs)
        field: Any = super().formfield_for_manytomany(db_field, request, widget=Ticks, **kwargs)
        field.label_from_instance = role_name
        return field

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        """What somebody sees is part of what they may: each change is an audit row."""
        super().save_formset(request, form, formset, change)
        for beside in formset.forms:
            if beside.has_changed():
                audit.record(
                    actor=actor_of(request), action="user.sight", subject=f"user:{form.instance.pk}",
                    sees_every_client=beside.instance.sees_every_client,
                    clients=sorted(beside.instance.clients.values_list("name", flat=True)),
                )  # fmt: skip


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, SuperusersAdmin):  # type: ignore[misc]
    subject = "group"
    compressed_fields = False
    list_display = ("name", "role")
    search_fields = ("name",)
    ordering = ("name",)  # type: ignore[misc]

    @admin.display(description=_("role"))
    def role(self, group: Group) -> str | None:
        return role_name(group) if group.name in ROLE_NAMES else None


def role_name(group: Group) -> str:
    """What people call a group: ours in their language, another as it was named."""
    return str(ROLE_NAMES.get(group.name, group.name))
