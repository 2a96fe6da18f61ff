"""The documented set of things that keep a letter, or a part of it, from being opened."""

from enum import StrEnum


class Problem(StrEnum):
    """Why a letter could not be opened, or not in full; the value is what people and programs are
    shown."""

    NO_SECRET_KEY = "no_secret_key"  # noqa: S105 - a word, no secret
    """It is sealed to a key that this keyring does not hold."""
    PASSPHRASE = "passphrase"  # noqa: S105 - a word, no secret
    """It is sealed to a key of ours, but the passphrase is missing or wrong."""
    TAMPERED = "tampered"
    """The ciphertext was altered or cut short, or nothing protects it from that (EFAIL): no byte of
    it is shown."""
    MALFORMED = "malformed"
    """It claims to be OpenPGP, but what is inside is not."""
    UNSUPPORTED = "unsupported"
    """It is OpenPGP of a sort that is not opened here, such as encryption with a mere passphrase."""
    NEWER_FORMAT = "newer_format"
    """It is made with a newer OpenPGP than this gpg reads: version 6 (RFC 9580), or what is inside the
    seal is of no sort that gpg knows."""
    TIMEOUT = "timeout"
    """Gpg did not finish in time and was killed."""
    TOO_LARGE = "too_large"
    """The letter, a text, or what came out of decryption is larger than the limit."""
    HEADERS_TOO_LARGE = "headers_too_large"
    """It has more header fields, or longer ones, than the limit; those beyond are not looked at."""
    TOO_MANY_PARTS = "too_many_parts"
    """It has more parts, or more sealed pieces, than the limit."""
    TOO_DEEP = "too_deep"
    """Its parts are nested more deeply than the limit."""
    UNREADABLE = "unreadable"
    """The bytes could not be had at all, or opening them failed in a way that nobody foresaw."""
