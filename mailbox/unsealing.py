"""The walk through a letter's parts: what is sealed is opened, what is signed is checked, what is shown
is collected.

Nothing is decided here about who sent the letter; each piece only remembers whether it was sealed, and
which signature covers it.
"""

from dataclasses import replace

from .armour import (
    Sort,
    bare_name,
    has_armour,
    is_key_file,
    is_sealed_file,
    named_charset,
    seems_to_hold_a_seal,
    stretches,
    unarmoured_keys,
)
from .consulting import Consultation
from .findings import Findings, Piece, Place
from .keyring import Keyring
from .limits import Limits
from .offered_keys import Offers
from .parts import Part, split
from .problem import Problem
from .shapes import (
    LEGACY_DISPLAY,
    SHOWN_TEXTS,
    SMIME,
    STUB_WORDS,
    as_text,
    best_form,
    ciphertext,
    has_protected_headers,
    is_copy_of_headers,
    is_entity,
    is_marker,
    is_signed,
    is_stub,
    is_the_text,
    is_undivided_text,
    is_unknown_text,
    is_utf8,
    is_wrong_marker,
    shows_without_words,
    signed_bytes,
)
from .words import decoded, decoded_as


def says_something(part: Part, limits: Limits) -> bool:
    """Tell whether a text says anything beside what is sealed or signed in it."""
    if shows_without_words(part):
        return True
    content, _ = as_text(part, part.content(), limits)
    return any(stretch.octets.strip() for stretch in stretches(content) if stretch.sort is Sort.PLAIN)


class Walk:
    """One walk through one letter."""

    def __init__(self, keyring: Keyring, limits: Limits) -> None:
        self.limits = limits
        self.findings = Findings(Offers(limits.keys))
        self._gpg = Consultation(keyring, limits, self.findings)
        self._parts = 0

    def visit(self, part: Part, place: Place) -> None:
        """Collect what is in a part, and in all parts inside."""
        is_returned = place.is_returned or part.content_type == "multipart/report"
        inside = replace(place, depth=place.depth + 1, is_returned=is_returned)
        if part.children and (cipher := ciphertext(part)) is not None:
            self._visit_sealed(part, cipher, inside)
        elif part.content_type == "multipart/encrypted":
            self._seal_without_content(part, inside)
        elif is_signed(part):
            self._visit_signed(part, inside)
        elif part.content_type == "multipart/alternative" and part.children:
            self._visit_alternatives(part, inside)
        elif part.children:
            for child in part.children:
                self.visit(child, inside)
        else:
            self._visit_leaf(part, place)

    # Sealed and signed multiparts

    def _visit_sealed(self, part: Part, cipher: Part, place: Place) -> None:
        for child in part.children:
            if child is cipher:
                self._open(cipher.content(), place, is_payload=True)
            else:
                self._visit_beside_seal(part, child, place)

    def _seal_without_content(self, part: Part, place: Place) -> None:
        self.findings.sealed += 1
        self.findings.problems.append(Problem.MALFORMED)
        self.findings.closed.append(replace(place, is_sealed=True))
        for child in part.children:
            self._visit_beside_seal(part, child, place)

    def _visit_beside_seal(self, part: Part, child: Part, place: Place) -> None:
        """Visit a footer, something meant to look sealed, or the marker, which is never a file."""
        if part.content_type == "multipart/encrypted" and is_wrong_marker(child):
            self.findings.muted.append((child, place))
        else:
            self.visit(child, place)

    def _visit_signed(self, part: Part, place: Place) -> None:
        signed, signature, *others = part.children
        numbers = self._gpg.check(signature.content(), signed_bytes(signed, signature), place)
        covered = replace(place, signatures=place.signatures | numbers)
        is_payload = place.is_sealed or (place.depth == 1 and has_protected_headers(signed))
        if is_payload and not place.is_foreign and signed.headers.has("subject"):
            self.findings.protected = signed.headers
        self.visit(signed, covered)
        for child in others:
            self.visit(child, place)

    def _visit_alternatives(self, part: Part, place: Place) -> None:
        chosen = best_form(part.children)
        if is_stub(chosen):
            chosen = next((form for form in part.children if self._says_more(form, chosen)), chosen)
        for child in part.children:
            self.visit(child, place if child is chosen else replace(place, is_muted=True))

    def _says_more(self, form: Part, stub: Part) -> bool:
        """Tell whether an HTML form is the message, and the plain one only says that there is one."""
        if form.content_type != "text/html":
            return False
        words, _ = as_text(form, form.content(), self.limits)
        return len(words.split()) > 2 * len(stub.content().split()) + STUB_WORDS

    # Opening

    def _open(
        self,
        octets: bytes,
        place: Place,
        *,
        is_payload: bool = False,
        name: str | None = None,
        charset: str | None = None,
    ) -> bool:
        """Open a sealed piece and visit what is inside, as a letter's part, a file, or a text.

        A signature around the seal does not cover what is inside: its maker need not have been able to
        read it.
        """
        opened = self._gpg.decrypt(octets, place)
        if opened is None:
            return False
        plaintext, was_encrypted, numbers = opened
        is_sealed = place.is_sealed or was_encrypted
        inside = replace(place, is_sealed=is_sealed, layers=place.layers + 1, signatures=numbers)
        if is_payload or is_entity(plaintext, name):
            self.enter(plaintext, inside)
        elif name is not None and not is_the_text(plaintext, name):
            self._take_file(plaintext, name, "application/octet-stream", inside)
        elif has_armour(plaintext) and inside.layers <= self.limits.layers:
            self._visit_inline(plaintext, "utf-8" if is_utf8(plaintext) else charset, inside)
        else:
            self._take_text(decoded_as(plaintext, "utf-8", charset), inside)
        return True

    def enter(self, entity: bytes, place: Place) -> None:
        """Take apart and visit a part that was sealed, or a letter that is attached."""
        if place.layers > self.limits.layers:
            self.findings.problems.append(Problem.TOO_DEEP)
            return
        limits = replace(
            self.limits,
            parts=max(1, self.limits.parts - self._parts),
            depth=max(0, self.limits.depth - place.depth),
        )
        root, problem = split(entity, limits)
        if problem is not None:
            self.findings.problems.append(problem)
        self._parts += sum(1 for _ in root.walk())
        if place.is_sealed and root.content_type == "message/rfc822":
            self.enter(
                root.content(), replace(place, layers=place.layers + 1)
            )  # a whole letter under the seal
            return
        if place.is_sealed and not place.is_foreign and self.findings.protected is None:
            self.findings.protected = root.headers
        if not root.headers.has("content-type") and place.is_sealed:
            self._take_text(decoded(entity, "utf-8"), place)  # no MIME at all, in spite of RFC 3156
        else:
            self.visit(root, place)

    # Leaves

    def _visit_leaf(self, part: Part, place: Place) -> None:
        if part.content_type in SMIME:
            self._note_smime(part)
        content = part.content()
        if part.content_type == "application/pgp-keys" or is_key_file(content, part.file_name):
            self.findings.offers.add(unarmoured_keys(content))
        if is_copy_of_headers(part):
            self.findings.muted.append((part, place))  # a program that knows no such copies shows it
            self._note_headers(content, place)
        elif self._is_shown_text(part):
            self._visit_text(part, content, place)
        elif part.content_type == "application/pgp-encrypted":
            self._visit_pgp_file(part, content, place)
        elif part.content_type == "message/rfc822":
            self._visit_attached_letter(part, content, place)
        elif is_sealed_file(content, part.file_name):
            self._visit_sealed_file(part, content, place)
        else:
            self._take_file(content, part.file_name, part.content_type, place)

    def _note_headers(self, content: bytes, place: Place) -> None:
        """Use a copy of the headers under the seal, of a client that puts them nowhere else; never
        show it."""
        known = self.findings.protected
        if place.is_sealed and not place.is_foreign and (known is None or not known.has("subject")):
            self.findings.protected = split(content, self.limits)[0].headers

    def _note_smime(self, part: Part) -> None:
        self.findings.problems.append(Problem.UNSUPPORTED)
        self.findings.sealed += "signed" not in (part.parameter("smime-type") or "")

    def _is_shown_text(self, part: Part) -> bool:
        is_text = part.content_type in SHOWN_TEXTS or is_undivided_text(part) or is_unknown_text(part)
        if not is_text or part.disposition == "attachment":
            return False
        return not part.file_name or not any(piece.content is None for piece in self.findings.pieces)

    def _visit_text(self, part: Part, content: bytes, place: Place) -> None:
        if place.is_muted or shows_without_words(part):
            self.findings.muted.append((part, place))
        if place.is_muted:
            return
        content, charset = as_text(part, content, self.limits)
        if part.content_type == "text/html":  # laying out is slow: the limit is for the whole letter
            self.limits = replace(self.limits, html=max(0, self.limits.html - len(part.body)))
        if has_armour(content):
            self._visit_inline(content, charset, place)
            return
        text = decoded(content, charset)
        if part.parameter("hp-legacy-display") == "1":
            text = LEGACY_DISPLAY.sub("", text.replace("\r\n", "\n"))
        self._take_text(text, place)

    def _visit_inline(self, content: bytes, charset: str | None, place: Place) -> None:
        for stretch in stretches(content):
            if stretch.sort is Sort.MESSAGE:
                self._open(stretch.octets, place, charset=named_charset(stretch.octets) or charset)
            elif stretch.sort is Sort.SIGNED:
                self._visit_clearsigned(stretch.octets, charset, place)
            else:
                if stretch.sort is Sort.KEY:
                    self.findings.offers.add(unarmoured_keys(stretch.octets))
                self._take_text(decoded(stretch.octets, charset), place)

    def _visit_clearsigned(self, block: bytes, charset: str | None, place: Place) -> None:
        checked = self._gpg.check_clearsigned(block, place)
        if checked is None:
            return
        covered, numbers = checked
        if covered is None:
            self._take_text(decoded(block, charset), place)
        else:
            self._take_text(decoded(covered, charset), replace(place, signatures=place.signatures | numbers))

    def _visit_pgp_file(self, part: Part, content: bytes, place: Place) -> None:
        if is_marker(part):
            return
        if has_armour(content) or is_sealed_file(content, ".pgp"):  # sealed or signed, by its type
            self._visit_sealed_file(part, content, place)
        else:
            self._take_file(content, part.file_name, part.content_type, place)

    def _visit_sealed_file(self, part: Part, content: bytes, place: Place) -> None:
        if not self._open(content, place, name=bare_name(part.file_name)):
            self._take_file(content, part.file_name, part.content_type, place)  # still sealed

    def _visit_attached_letter(self, part: Part, content: bytes, place: Place) -> None:
        """Look for something sealed in an attached letter; its own text is shown only then.

        Under the seal, one that says it is not forwarded is the letter itself (RFC 8551, section 3.1).
        """
        if place.is_sealed and part.parameter("forwarded") == "no":
            self.enter(content, replace(place, layers=place.layers + 1))
            return
        self._take_file(content, part.file_name, part.content_type, place)
        if seems_to_hold_a_seal(content) and not place.is_returned:
            deeper = replace(place, layers=place.layers + 1, is_foreign=True)
            self.enter(content, deeper)

    def _take_text(self, text: str, place: Place) -> None:
        if not place.is_muted:
            self.findings.pieces.append(Piece(place, text=text.replace("\r\n", "\n")))

    def _take_file(self, content: bytes, name: str, content_type: str, place: Place) -> None:
        self.findings.pieces.append(Piece(place, name=name, content_type=content_type, content=content))
