"""
The XML of WeChat Pay v2: one root, text below it, nothing else.

Whatever XML can do beyond that has been used against payment notices (entities that read files or grow without end,
a second element of the same name, elements inside values), so it is refused where it begins, before any of it is
acted on: expat hands over one event at a time and the first wrong one ends the reading.
"""

import re
from collections.abc import Callable, Mapping
from xml.parsers import expat

MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_]*")


class Malformed(ValueError):
    """Not what WeChat sends."""


def read(body: bytes, *, root: str = "xml") -> dict[str, str]:
    """
    Name → text of a flat document, text exactly as it stands. A byte order mark is tolerated.

    :raises Malformed: anything else, and anything that is not UTF-8
    """
    if len(body) > MOST_BYTES:
        raise Malformed(f"more than {MOST_BYTES} bytes")
    if b"\x00" in body:
        raise Malformed("not UTF-8")  # expat would guess UTF-16, whatever encoding it is told
    reader = _Reader(root)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.XmlDeclHandler = reader.declaration
    parser.StartDoctypeDeclHandler = _refuse("a document type")
    parser.ProcessingInstructionHandler = _refuse("a processing instruction")
    parser.CommentHandler = _refuse("a comment")
    try:
        parser.Parse(body, True)  # True: this is all there is
    except expat.ExpatError as error:
        raise Malformed(f"not XML: {error}") from error
    return reader.fields


def write(fields: Mapping[str, str]) -> bytes:
    """The document of these fields, empty ones left out. Every text is CDATA, as WeChat writes it."""
    elements = (f"<{name}>{_cdata(text)}</{name}>" for name, text in fields.items() if text)
    return f"<xml>{''.join(elements)}</xml>".encode()


def _cdata(text: str) -> str:
    # `]]>` ends a section: it is spread over two.
    return f"<![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _refuse(what: str) -> Callable[..., None]:
    def refuse(*_told: object) -> None:
        raise Malformed(what)

    return refuse


class _Reader:
    """What expat tells, in order. `_open` is the element that is being read, None between two."""

    def __init__(self, root: str) -> None:
        self.fields: dict[str, str] = {}
        self._root = root
        self._depth = 0
        self._open: str | None = None

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise Malformed(f"in {encoding[:32]!r}, not UTF-8")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if attributes:
            raise Malformed("an attribute")
        if self._depth == 0 and name != self._root:
            raise Malformed(f"the root is {name[:32]!r}")
        if self._depth > 1:
            raise Malformed("an element inside a value")
        if self._depth == 1:
            self._begin(name)
        self._depth += 1

    def _begin(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Malformed(f"a field named {name[:32]!r}")
        if name in self.fields:
            raise Malformed(f"two fields named {name[:32]!r}")
        self.fields[name] = ""
        self._open = name

    def end(self, name: str) -> None:
        self._depth -= 1
        self._open = None

    def text(self, data: str) -> None:
        if self._open is not None:
            self.fields[self._open] += data
        elif data.strip():
            raise Malformed("text between the fields")
