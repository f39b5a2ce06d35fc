"""How staff find what is a customer's."""

from collections.abc import Iterable

from django.db.models import QuerySet

from payments.models import ApiClient, Customer


def of_customers(term: str) -> Iterable[QuerySet[Customer]]:
    """Yield look-ups of customers by their user id and by their phone, each answered by an index."""
    # A user id is unique per client and indexed under it: name them all, they are few.
    clients = list(ApiClient.objects.values_list("pk", flat=True))
    yield Customer.objects.filter(client__in=clients, user_id=term)
    yield Customer.objects.filter(phone=term)
