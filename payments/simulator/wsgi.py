"""Where the simulator starts: its book is brought up to date, its courier set to work."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "payments.simulator.settings"

from django.core.wsgi import get_wsgi_application

from payments.simulator import startup

application = get_wsgi_application()
startup.prepare()
