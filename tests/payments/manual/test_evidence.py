"""What is taken as evidence of a payment: a file is what its first bytes say, under a name that harms nobody."""

import pytest

from payments.errors import Malformed
from payments.manual import evidence
from payments.models import Charge
from tests.payments.manual.desk import refused, waiting_order
from tests.world import PNG

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("content", "kind", "name"),
    [
        (b"%PDF-1.7 x", "application/pdf", "bank.pdf"),
        (PNG, "image/png", "bank.png"),
        (b"\xff\xd8\xff\xe0 x", "image/jpeg", "bank.jpg"),
    ],
)
def test_a_file_is_what_its_first_bytes_say_and_is_named_so(content, kind, name):
    read = evidence.read(name="bank.exe", content=content)

    assert (read.type, read.name) == (kind, name)


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg onload=alert(1)>", b"MZ\x90", b"\x89PNG", b" %PDF-1.7"],
    ids=["none", "svg", "exe", "cut", "late"],
)
def test_other_files_are_no_evidence(content):
    with pytest.raises(Malformed) as caught:
        evidence.read(name="bank.png", content=content)
    assert caught.value.field == "evidence"


def test_a_file_of_five_megabytes_is_kept_and_one_byte_more_is_not():
    largest = PNG + bytes(5 * 1024 * 1024 - len(PNG))
    order = waiting_order()

    assert len(evidence.read(name="x.png", content=largest).content) == 5 * 1024 * 1024
    with refused(Malformed, field="evidence"):
        evidence.read(name="x.png", content=largest + b"\x00")
    assert Charge.objects.filter(order=order, status="pending").exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\Users\\lin\\流水.png", "流水.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"),
        ("", "evidence.png"),
        ("x" * 300, "x" * 116 + ".png"),
    ],
)
def test_a_file_name_is_kept_without_what_harms(name, kept):
    assert evidence.read(name=name, content=PNG).name == kept
