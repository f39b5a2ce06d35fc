from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EnglishAppConfig(AppConfig):
    name = "english_app"
    verbose_name = _("English app")
