"""What a browser is shown of a fault while DEBUG is on."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

SENTENCE = "Something failed here. The traceback stands in the log, under the X-Request-ID of this answer."


class SilentReporter(ExceptionReporter):
    """
    Tells where to look, and nothing more.

    Django's own page shows headers, cookies, settings and the variables of every frame, tokens and keys among them;
    the log has the traceback with these left out.
    """

    def get_traceback_html(self) -> SafeString:
        return format_html("<!doctype html>\n<title>500</title>\n<p>{}</p>\n", SENTENCE)

    def get_traceback_text(self) -> SafeString:
        return SafeString(f"{SENTENCE}\n")
