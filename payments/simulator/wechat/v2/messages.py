"""Flat XML: one element, and in it one per field."""

from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import escape

LONGEST = 64 * 1024
FIELD = 2  # how deep a field stands


class NotAMessage(Exception):
    """Not flat XML, or XML that declares a document type: entities have no business here."""


def read(raw: bytes) -> dict[str, str]:
    """
    The fields, each once, empty ones included.

    :raises NotAMessage: anything but one element with fields in it
    """
    if len(raw) > LONGEST:
        raise NotAMessage("too long")
    reader = _Reader()
    try:
        reader.parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise NotAMessage(str(error)) from error
    return reader.fields


def write(fields: Mapping[str, str | int], *, root: str = "xml") -> str:
    """Texts as CDATA, numbers bare, as WeChat writes them."""
    lines = [f"<{name}>{_value(value)}</{name}>" for name, value in fields.items()]
    return f"<{root}>" + "\n".join(lines) + f"</{root}>"


class _Reader:
    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._open: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _doctype(self, *_: object) -> None:
        raise NotAMessage("a document type is declared")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > FIELD:
            raise NotAMessage("fields within fields")
        if len(self._open) == FIELD:
            if name in self.fields:
                raise NotAMessage("a name stands twice")
            self.fields[name] = ""

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if len(self._open) == FIELD:
            self.fields[self._open[-1]] += text


def _value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    return f"<![CDATA[{value}]]>" if "]]>" not in value else escape(value)
