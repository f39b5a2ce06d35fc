"""What staff show for a payment that they confirm: a file, told by its first bytes and never by its name."""

import dataclasses
import hashlib

from django.utils.translation import gettext_lazy as _

from payments.errors import Malformed
from payments.manual.models import EVIDENCE_BYTES_MAX, EVIDENCE_NAME_LENGTH_MAX, EvidenceType

_MAGIC = {
    b"%PDF-": EvidenceType.PDF,
    b"\x89PNG\r\n\x1a\n": EvidenceType.PNG,
    b"\xff\xd8\xff": EvidenceType.JPEG,
}
SUFFIXES = {EvidenceType.PDF: ".pdf", EvidenceType.PNG: ".png", EvidenceType.JPEG: ".jpg"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    name: str
    type: EvidenceType
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read(*, name: str, content: bytes) -> Evidence:
    """
    Return a file as it is kept; its name ends as its kind does.

    :raises Malformed: if it is too large, or neither PDF, PNG nor JPEG
    """
    check_size(size=len(content))
    found = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
    if found is None:
        raise Malformed(_("Choose a PDF, PNG or JPEG file."), field="evidence")
    printable = "".join(char for char in name.replace("\\", "/").rpartition("/")[2] if char.isprintable())
    suffix = SUFFIXES[found]
    stem = printable.rpartition(".")[0] or printable or "evidence"
    return Evidence(name=f"{stem[: EVIDENCE_NAME_LENGTH_MAX - len(suffix)]}{suffix}", type=found, content=content)


def check_size(*, size: int) -> None:
    """:raises Malformed: if so many bytes are not kept"""
    if size > EVIDENCE_BYTES_MAX:
        raise Malformed(
            _("Choose a file of at most %(limit)s MB."), field="evidence", limit=EVIDENCE_BYTES_MAX // 1024**2
        )
