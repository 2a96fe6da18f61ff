"""Letters that are made to hurt: each a family that grows, so that what a letter costs can be compared
with its size.
"""

from collections.abc import Callable, Mapping

Family = Callable[[int], bytes]

HEAD = b"From: R <r@melder.example>\r\nTo: cvd@voorbeeld.example\r\nSubject: lek\r\n"


def letter(content_type: bytes, body: bytes, *more: bytes) -> bytes:
    """A letter with one part."""
    lines = b"".join(line + b"\r\n" for line in (b"Content-Type: " + content_type, *more))
    return HEAD + lines + b"\r\n" + body


def nested(depth: int, boundary: Callable[[int], bytes]) -> bytes:
    """The beginnings of multiparts inside each other."""
    level = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n'
    return b"".join(level % (boundary(number), boundary(number)) for number in range(depth))


def _siblings(size: int) -> bytes:
    """Many multiparts below fifty open ones with long boundaries."""
    tail = b"y" * size
    inner = (
        b"Content-Type: multipart/mixed; boundary=s%d\r\n\r\n--s%d\r\n\r\nx\r\n--s%d--\r\n--48"
        + tail
        + b"\r\n"
    )
    start = nested(49, lambda number: b"%d" % number + tail)
    return HEAD + start + b"".join(inner % (number, number, number) for number in range(900))


def _parameters(each: bytes) -> Family:
    """Parts with many parameters."""
    return lambda number: letter(
        b"multipart/mixed; boundary=b",
        b"".join(b"--b\r\nContent-Type: text/plain; " + each * 100 + b"\r\n\r\nx\r\n" for _ in range(number)),
    )


def _html(source: Callable[[int], str]) -> Family:
    return lambda number: letter(b"text/html", source(number).encode())


def _header(name: bytes, run: bytes, end: bytes = b"") -> Family:
    return lambda number: name + b": " + run * number + end + b"\r\n" + HEAD + b"\r\ntekst"


def _body(run: bytes, content_type: bytes = b"text/plain", *more: bytes) -> Family:
    return lambda number: letter(content_type, run * number, *more)


_BASE64 = b"Content-Transfer-Encoding: base64"
_QUOTED = b"Content-Transfer-Encoding: quoted-printable"

FAMILIES: Mapping[str, Family] = {
    "multiparts inside each other": lambda number: HEAD + nested(number, lambda each: b"b%d" % each),
    "siblings below long boundaries": lambda number: _siblings(number // 10),
    "delimiters": _body(b"--b\r\n", b"multipart/mixed; boundary=b"),
    "delimiters that are none": _body(b"--\n", b"multipart/mixed; boundary=b"),
    "delimiters that are nearly one": _body(b"--bb\n", b"multipart/mixed; boundary=b"),
    "dashes in one line": _body(b"--", b"multipart/mixed; boundary=b"),
    "dashes without a boundary": _body(b"--b\n", b"multipart/mixed"),
    "letters inside each other": _body(b"Content-Type: message/rfc822\r\n\r\n", b"message/rfc822"),
    "parameters": _parameters(b"p=a; "),
    "quoted parameters": _parameters(b'a="\\;'),
    "continued parameters": _parameters(b"a*0*=b;"),
    "one field": _header(b"X", b"a"),
    "one field in folds": _header(b"X", b"\r\n b"),
    "many fields": lambda number: b"X: y\r\n" * number + HEAD + b"\r\ntekst",
    "senders": _header(b"From", b"a@b.example, "),
    "senders without an end": _header(b"From", b"a@", b"b.example"),
    "one long sender": _header(b"From", b"a", b"@b.example"),
    "words without an address": _header(b"From", b"=?utf-8?q?"),
    "open quotes": _header(b"From", b'"\\', b"a@b.example"),
    "open brackets": _header(b"From", b"<(", b"a@b.example"),
    "encoded words": _header(b"Subject", b"=?utf-8?q?=C3=A9?= "),
    "encoded words without an end": _header(b"Subject", b"=?utf-8?q?a"),
    "question marks": _header(b"Subject", b"?="),
    "references": _header(b"References", b"<a@b.example>\r\n "),
    "carriage returns": lambda number: b"\r" * number,
    "line feeds": lambda number: b"\n" * number,
    "zeros": lambda number: b"\0" * number,
    "base64 with padding": _body(b"YQ==", b"text/plain", _BASE64),
    "base64 with blanks": _body(b"YWFh ", b"text/plain", _BASE64),
    "base64 with prose": _body(b"YWFhYWFh\n a b\n", b"text/plain", _BASE64),
    "quoted-printable": _body(b"=41=\r\n", b"text/plain", _QUOTED),
    "uuencode": _body(b"begin 644 x\n", b"text/plain", b"Content-Transfer-Encoding: uuencode"),
    "utf-7": _body(b"+AOk-", b"text/plain; charset=utf-7"),
    "iso-2022-jp": _body(b"\x1b$B\x1b(B", b"text/plain; charset=iso-2022-jp"),
    "hosts": _body(b"a.nl "),
    "dots": _body(b"a."),
    "colons": _body(b"a:"),
    "one word": _body(b"a"),
    "armour": _body(b"-----BEGIN PGP MESSAGE-----\r\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n"),
    "lines of a bounce": _body(b"<a@b.example>\r\n"),
    "html: elements inside each other": _html(lambda number: "<div>" * number + "woord"),
    "html: tables inside each other": _html(lambda number: "<table><tr><td>" * number + "woord"),
    "html: tall and wide": _html(
        lambda number: f"<table><tr><td>{'x<br>' * number}</td>{'<td>y</td>' * number}</tr></table>"
    ),
    "html: a long cell over many": _html(
        lambda number: f"<table><tr><td>{'x' * number}</td></tr>{'<tr><td>y</td></tr>' * number}</table>"
    ),
    "html: far to the right": _html(lambda number: "<p style='padding-left:800000px'>" + "x<br>" * number),
    "html: far below": _html(lambda number: "<p style='margin-top:100000em'>x" * number),
    "html: lists inside lists": _html(lambda number: "<ul><li>" * 100 + "x<br>" * number),
    "html: hidden": _html(lambda number: "<i hidden>" * 200 + "<b>x</b>" * number),
    "html: rules": _html(lambda number: f"<style>{'.a{x:' + ' ' * number}</style>woord"),
    "html: rules for screens": _html(lambda number: f"<style>{'@media (x){' * number}</style>woord"),
    "html: less-than": _html(lambda number: "<" * number + "woord"),
    "html: comments": _html(lambda number: "<!--" * number + "woord"),
    "html: entities": _html(lambda number: "&amp;" * number),
    "html: data": _html(lambda number: "data:" * number + "woord"),
}
