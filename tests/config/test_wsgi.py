import io
from wsgiref.util import setup_testing_defaults

import pytest

from config.wsgi import application


def status_of(content_type):
    """Send a call as a server hands it over: the tests' own client is not in between."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/app/partner/order/pay",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": "3",
        "wsgi.input": io.BytesIO(b"a=b"),
    }
    setup_testing_defaults(environ)
    said = []
    body = application(environ, lambda status, _headers: said.append(status))
    body.close()
    return said[0]


FORM = "application/x-www-form-urlencoded"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("parameter", ["charset*=nonsense''gbk", "charset=nonsense", "charset*=utf-8''utf-8"])
def test_a_content_type_that_nobody_can_read_is_no_failure_of_ours(parameter):
    assert status_of(f"{FORM}; {parameter}") == status_of(FORM) == "401 Unauthorized"
