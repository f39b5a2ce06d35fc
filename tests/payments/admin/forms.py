"""How the tests fill in the back-office's forms: as a browser does, with what the form carries."""

import re

from django.urls import reverse


def page(row, name="change"):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])


def listing(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def carried(response):
    """What the form that is shown carries without showing it."""
    names = "stocked|batch|as_seen|before"
    return dict(re.findall(rf'name="({names})" (?:value="([^"]*)")?', response.content.decode()))


def send(client, path, entered, **changes):
    """Open the form, fill it in and send it."""
    return client.post(path, carried(client.get(path)) | entered | changes, follow=True)


def errors(response):
    return {name: list(said) for name, said in response.context["form"].errors.items()}
