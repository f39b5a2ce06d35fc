from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Onetill"

    def ready(self) -> None:
        from config import (  # noqa: PLC0415
            celery,  # noqa: F401  the app that `payments.transactions.wake` sends through
            checks,  # noqa: F401  registers the system checks
            roles,
        )

        post_migrate.connect(roles.make_groups, dispatch_uid="roles")
