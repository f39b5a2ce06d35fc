"""Pages of lists that nobody counts."""

from typing import Any

from django.core.paginator import Page
from unfold.paginator import InfinitePaginator


class Pages(InfinitePaginator):  # type: ignore[misc]
    """Skips rows by their keys alone: what is skipped is neither read nor joined."""

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        rows = self.object_list
        if number > 1:
            skipped = (number - 1) * self.per_page
            keys = rows.select_related(None).values("pk")[skipped : skipped + self.per_page]
            rows = rows.filter(pk__in=keys)
        page: Page[Any] = self._get_page(rows[: self.per_page], number, self)
        return page
