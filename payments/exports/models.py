from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.exports.states import UNFINISHED, Status

QUERY_LENGTH_MAX = 2_000
REASON_LENGTH_MAX = 200
ERROR_LENGTH_MAX = 200


class Format(models.TextChoices):
    XLSX = "xlsx", _("Excel workbook (XLSX)")
    CSV = "csv", _("text (CSV)")


class Export(models.Model):
    """
    What somebody took out of a list: whose it is, which rows, why, and what became of it.

    Stays when its file is gone. What was asked for never changes, what is finished stays so: a trigger holds that.
    """

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="exports", verbose_name=_("requested by")
    )
    model = models.CharField(_("list"), max_length=64)  # payments.order
    query = models.CharField(_("address of the list"), max_length=QUERY_LENGTH_MAX, blank=True)  # its filters
    filters = models.TextField(_("filters"), blank=True)  # in the words of who asked
    format = models.CharField(_("format"), max_length=4, choices=Format)
    language = models.CharField(_("language"), max_length=16)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH_MAX)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.QUEUED)
    rows_done = models.PositiveIntegerField(_("rows"), default=0)
    is_cut = models.BooleanField(_("not all rows"), default=False)  # there were more than a file takes
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    error = models.CharField(_("why it failed"), max_length=ERROR_LENGTH_MAX, blank=True)
    # What its person might see when it was written: who may see less by now may not have the file.
    clients = ArrayField(models.BigIntegerField(), null=True, editable=False)  # none: every client's and nobody's
    has_persons = models.BooleanField(default=False, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(_("being written until"), null=True, blank=True)
    requested_at = models.DateTimeField(_("requested at"), db_default=Now())
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    pruned_at = models.DateTimeField(_("file deleted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        permissions = [("export_rows", _("Can export rows of lists"))]
        constraints = [
            models.CheckConstraint(name="export_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="export_format_known", condition=Q(format__in=Format.values)),
            models.CheckConstraint(name="export_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="export_finished_has_a_time",
                condition=Q(status__in=UNFINISHED, finished_at__isnull=True)
                | (~Q(status__in=UNFINISHED) & Q(finished_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="export_leased_while_running",
                condition=Q(status=Status.RUNNING, leased_until__isnull=False)
                | (~Q(status=Status.RUNNING) & Q(leased_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="export_failed_says_why",
                condition=(Q(status=Status.FAILED) & ~Q(error="")) | (~Q(status=Status.FAILED) & Q(error="")),
            ),
            models.CheckConstraint(
                name="export_done_has_a_hash",
                condition=(Q(status=Status.DONE) & ~Q(sha256="")) | (~Q(status=Status.DONE) & Q(sha256="")),
            ),
            models.UniqueConstraint(
                name="export_one_at_a_time", fields=["requested_by"], condition=Q(status=Status.RUNNING)
            ),
        ]
        indexes = [
            models.Index(name="export_of_person", fields=["requested_by", "-id"]),
            models.Index(name="export_unfinished", fields=["id"], condition=Q(status__in=UNFINISHED)),
            models.Index(
                name="export_kept", fields=["finished_at"], condition=Q(status=Status.DONE, pruned_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def subject(self) -> str:
        """How audit rows name this export."""
        return f"export:{self.pk}"

    @property
    def file_name(self) -> str:
        return f"{self.model.rpartition('.')[2]}-{self.pk}.{self.format}"


class ExportPart(models.Model):
    """A piece of the file, about 1 MB."""

    export = models.ForeignKey(Export, models.PROTECT, related_name="parts", verbose_name=_("export"))
    number = models.PositiveIntegerField(_("number"))
    body = models.BinaryField(_("body"))

    class Meta:
        verbose_name = _("part of an export")
        verbose_name_plural = _("parts of exports")
        constraints = [models.UniqueConstraint(name="export_part_once", fields=["export", "number"])]

    def __str__(self) -> str:
        return f"{self.export_id} #{self.number}"
