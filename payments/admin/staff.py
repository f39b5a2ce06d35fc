"""Staff and their groups, in the dress of the rest. A person who leaves is switched off, never deleted."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import StackedInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from payments.admin.base import AuditedAdmin
from payments.models import StaffMember

admin.site.unregister(User)
admin.site.unregister(Group)


class StaffMemberInline(StackedInline):  # type: ignore[misc]
    """Beside the person: what they see. Saving it is part of the person's audit row."""

    model = StaffMember
    can_delete = False
    filter_horizontal = ("clients",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, AuditedAdmin):  # type: ignore[misc, type-arg]
    subject = "user"
    inlines = (StaffMemberInline,)
    compressed_fields = False  # the two boxes of permissions need the width
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_fields = ("username", "email")
    ordering = ("username",)  # type: ignore[misc]


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):  # type: ignore[misc]
    subject = "group"
    compressed_fields = False
    search_fields = ("name",)
    ordering = ("name",)  # type: ignore[misc]
