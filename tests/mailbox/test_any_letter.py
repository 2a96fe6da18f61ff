"""What holds for every letter: whatever tree of parts was sent comes back, and no bytes do any harm."""

import base64
import quopri
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from meldbalie.mailbox.addresses import mailboxes
from meldbalie.mailbox.automatic import why_automatic
from meldbalie.mailbox.header_lines import in_words, named
from meldbalie.mailbox.html_text import text_of
from meldbalie.mailbox.letter import Letter
from meldbalie.mailbox.parts import Part
from meldbalie.mailbox.targets import find_targets
from meldbalie.mailbox.words import decoded, file_name, from_base64, from_uuencode, shown, unfolded
from meldbalie.models.ledger import identity_of
from meldbalie.tests.hostile import HEAD

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Any text that has bytes; line ends are written as a mail has them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(
    lambda text: text.replace("\r", "")
)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


@dataclass(frozen=True)
class Leaf:
    """A part with content."""

    content: bytes
    encoding: str
    name: str = ""

    def written(self) -> bytes:
        """The part as it is sent."""
        lines = [
            b"Content-Type: application/octet-stream",
            b"Content-Transfer-Encoding: " + self.encoding.encode(),
        ]
        if self.name:
            quoted = "".join(f"%{byte:02X}" for byte in self.name.encode())
            lines.append(f"Content-Disposition: attachment; filename*=utf-8''{quoted}".encode())
        body = {
            "base64": lambda: base64.encodebytes(self.content).replace(b"\n", b"\r\n"),
            "quoted-printable": lambda: quopri.encodestring(self.content, quotetabs=True),
            "8bit": lambda: self.content,
        }[self.encoding]()
        return b"\r\n".join((*lines, b"", body))


@dataclass(frozen=True)
class Branch:
    """A multipart, with text around its parts."""

    children: Sequence["Leaf | Branch"]
    preamble: bytes
    epilogue: bytes

    def written(self, boundary: str = "b") -> bytes:
        """The part as it is sent, each boundary longer by a letter than the one outside."""
        mark = boundary.encode()
        inside = (
            child.written(f"{boundary}{number}") if isinstance(child, Branch) else child.written()
            for number, child in enumerate(self.children)
        )
        parts = b"".join(b"\r\n--" + mark + b"\r\n" + each for each in inside)
        start = b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n' + self.preamble
        return start + parts + b"\r\n--" + mark + b"--\r\n" + self.epilogue


def without_dashes(content: bytes) -> bool:
    return b"\n--" not in content and not content.startswith(b"--")


LEAVES = st.one_of(
    st.builds(Leaf, st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable"]), WORDS),
    st.builds(Leaf, st.binary(max_size=200).filter(without_dashes), st.just("8bit")),
)
PROSE = st.binary(max_size=40).filter(without_dashes)
TREES = st.recursive(
    LEAVES,
    lambda children: st.builds(Branch, st.lists(children, min_size=1, max_size=4), PROSE, PROSE),
    max_leaves=12,
)


def shape(tree: Leaf | Branch) -> object:
    return tree.content if isinstance(tree, Leaf) else [shape(child) for child in tree.children]


def shape_of(part: Part) -> object:
    return [shape_of(child) for child in part.children] if part.children else part.content()


@EXAMPLES
@given(tree=TREES)
def test_every_tree_of_parts_comes_back_with_every_byte(tree: Leaf | Branch) -> None:
    written = tree.written()
    assert shape_of(Letter.read(HEAD + written).root) == shape(tree)
    assert shape_of(Letter.read(written).root) == shape(tree)


@EXAMPLES
@given(tree=TREES, cut=st.integers(0, 10_000))
def test_a_letter_may_end_anywhere(tree: Leaf | Branch, cut: int) -> None:
    whole = HEAD + tree.written()
    found = Letter.read(whole[: cut % (len(whole) + 1)])
    for part in found.root.walk():
        assert isinstance(part.text() + part.file_name, str)
        assert found.root.start <= part.start <= part.body_start <= part.end <= len(found.raw)


@EXAMPLES
@given(tree=TREES, extra=st.binary(max_size=30), place=st.integers(0, 10_000))
def test_bytes_in_the_middle_do_no_harm(tree: Leaf | Branch, extra: bytes, place: int) -> None:
    whole = HEAD + tree.written()
    place %= len(whole)
    found = Letter.read(whole[:place] + extra + whole[place:])
    assert isinstance("".join(part.text() + part.file_name for part in found.root.walk()), str)
    assert why_automatic(found) is None or found.subject is not None


@EXAMPLES
@given(text=TEXTS, encoding=st.sampled_from(["base64", "quoted-printable", "8bit"]))
def test_every_text_comes_back(text: str, encoding: str) -> None:
    octets = text.replace("\n", "\r\n").encode()
    assume(not octets.startswith(b"\xef\xbb\xbf"))
    body = {"base64": base64.encodebytes, "quoted-printable": lambda it: quopri.encodestring(it, True)}
    raw = HEAD + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding.encode()
    assert Letter.read(raw + b"\r\n\r\n" + body.get(encoding, bytes)(octets)).root.text() == text


@EXAMPLES
@given(text=st.text(max_size=200), codec=st.sampled_from(["utf-8", "utf-16", "utf-7", "gb18030", "utf-32"]))
def test_a_charset_that_is_named_is_read(text: str, codec: str) -> None:
    assume(not any("\ud800" <= letter <= "\udfff" for letter in text) and not text.startswith("\ufeff"))
    octets = text.encode(codec)
    assume(codec.startswith("utf-8") or not octets.isascii() or codec in ("utf-7", "gb18030"))
    assert decoded(octets, codec) == text


@EXAMPLES
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=100))
def test_a_header_that_we_write_is_read_as_it_was(text: str) -> None:
    assert unfolded(in_words(text).encode("ascii")) == text.strip()


@EXAMPLES
@given(
    name=WORDS, address=st.from_regex(r"[a-z][a-z0-9.+-]{0,20}@[a-z][a-z0-9-]{0,20}\.example", fullmatch=True)
)
def test_a_sender_that_we_write_is_one_sender(name: str, address: str) -> None:
    found = mailboxes(named(name, address))
    assert [(one.address, one.is_ambiguous) for one in found] == [(address, False)]
    assert found[0].name == shown(name, limit=200)


@settings(EXAMPLES, max_examples=400)
@given(raw=st.binary(max_size=400))
@pytest.mark.parametrize(
    "start", [b"", HEAD, b"Content-Type: ", b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"]
)
def test_no_bytes_do_any_harm(start: bytes, raw: bytes) -> None:
    found = Letter.read(start + raw)
    for part in found.root.walk():
        assert isinstance(part.text() + part.file_name + part.content_type, str)
    text = raw.decode("latin-1")
    assert isinstance(text_of(text, limit=300) + file_name(text) + unfolded(raw), str)
    assert isinstance(from_base64(raw) + from_uuencode(raw), bytes)
    assert len(find_targets(text)) <= 200
    assert len(mailboxes(text)) <= 1001
    every = (found.message_id, found.date, found.sender, found.to, found.references, why_automatic(found))
    assert every


@EXAMPLES
@given(raw=st.binary(max_size=200))
def test_nothing_that_is_shown_in_a_line_can_leave_it(raw: bytes) -> None:
    for line in (shown(unfolded(raw)), file_name(raw.decode("latin-1"))):
        assert not set(line) & set("\r\n\0\x1b\u202e\u2066\u2028")


TRACES = st.sampled_from(
    [
        b"Received: from a by b; x\r\n",
        b"Return-Path: <a@b.example>\r\n",
        b"X-Spam: no\r\n",
        b"Delivered-To: x@y\r\n",
    ]
)


@EXAMPLES
@given(tree=TREES, traces=st.lists(TRACES, max_size=4))
def test_what_is_added_on_the_way_makes_no_other_letter(tree: Leaf | Branch, traces: list[bytes]) -> None:
    raw = HEAD + tree.written()
    assert identity_of(b"".join(traces) + raw) == identity_of(raw)


@EXAMPLES
@given(tree=TREES, other=st.binary(min_size=1, max_size=20))
def test_another_text_makes_another_letter(tree: Leaf | Branch, other: bytes) -> None:
    assume(other.strip(b"\r\n"))
    raw = HEAD + tree.written()
    assert identity_of(raw + b"x" + other) != identity_of(raw + b"x")
