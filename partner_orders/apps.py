from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PartnerOrdersConfig(AppConfig):
    name = "partner_orders"
    verbose_name = _("Partner programme")
