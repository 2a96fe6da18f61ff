"""The cells of the owner file: each is read into its one form, or refused with the way out."""

import re
from datetime import date
from types import MappingProxyType

from .hosts import Unusable, is_public_suffix, read_address, read_host, read_network
from .owners import AssetKind

WIDEST = MappingProxyType({4: 8, 6: 7})  # 10.0.0.0/8 and fc00::/7; no organisation has more

_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")  # RFC 5321 without the quoted ones
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FORMULA_STARTS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")  # with their full-width forms


class WrongCell(ValueError):
    """A cell that cannot be taken; the message says why and the way out without saying it back."""

    def __init__(self, because: str, *, column: str = "asset") -> None:
        super().__init__(because)
        self.column = column


def refuse_trick(cell: str) -> None:
    """Refuse invisible characters (NUL, line ends, text direction) and what a spreadsheet would run."""
    if not cell.isprintable():
        hidden = next(character for character in cell if not character.isprintable())
        raise WrongCell(f"it holds the invisible character U+{ord(hidden):04X}: type the value anew")
    if cell and cell[0] in _FORMULA_STARTS:
        raise WrongCell(f'it begins with "{cell[0]}", which a spreadsheet takes for a formula: remove that')


def read_mail_address(cell: str) -> str:
    """One bare mail address, its domain as routing compares hosts."""
    local, _, domain = cell.rpartition("@")
    host = read_host(domain)
    if not _LOCAL_PART.fullmatch(local) or isinstance(host, Unusable):
        raise WrongCell("give one bare mail address, such as beheer@voorbeeld.nl")
    return f"{local}@{host}"


def read_fingerprint(cell: str) -> str:
    """The full fingerprint of a key, or nothing."""
    fingerprint = cell.replace(" ", "").upper()
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise WrongCell("give the full fingerprint, 40 hexadecimal digits, or leave the cell empty")
    return fingerprint


def read_day(cell: str) -> date | None:
    """A day of the calendar, or none."""
    if not cell:
        return None
    try:
        if _DAY.fullmatch(cell):
            return date.fromisoformat(cell)
    except ValueError:
        pass  # such as the 30th of February
    raise WrongCell("give a day of the calendar as year-month-day, such as 2026-11-21")


def read_asset(kind: str, written: str) -> tuple[AssetKind, str]:
    """The kind of an asset, derived when it is not given, and the form that routing compares."""
    if not written:
        raise WrongCell("the line names no asset")
    if "://" in written:
        raise WrongCell("it is a URL: give the host alone, such as www.voorbeeld.nl")
    chosen = _kind_named(kind) if kind else _kind_of(written)
    if chosen is AssetKind.CIDR:
        return chosen, _range(written)
    return chosen, _suffix(written) if chosen is AssetKind.SUFFIX else _host(written)


def _kind_named(kind: str) -> AssetKind:
    try:
        return AssetKind(kind.lower())
    except ValueError:
        raise WrongCell("a kind is host, suffix or cidr, or empty", column="kind") from None


def _kind_of(written: str) -> AssetKind:
    if "/" in written or read_address(written):
        return AssetKind.CIDR
    return AssetKind.SUFFIX if written.startswith(("*.", ".")) else AssetKind.HOST


def _range(written: str) -> str:
    network = read_network(written)
    if network is None:
        raise WrongCell("it is not an address range, such as 203.0.113.0/24 or 2001:db8::/48")
    if read_network(written, strict=True) is None:
        raise WrongCell(
            "it has bits set after its prefix: write the first address of the range before it, or for the one"
            " address no prefix"
        )
    if network.prefixlen < WIDEST[network.version]:
        raise WrongCell(f"no organisation has more than a /{WIDEST[network.version]}: check the prefix")
    return str(network)


def _suffix(written: str) -> str:
    name = _name(written.removeprefix("*.").removeprefix("."))
    if is_public_suffix(name):
        raise WrongCell(
            "what lies under it belongs to many parties: give the domain under it that is this owner's,"
            " such as *.voorbeeld.nl, or the host alone with the kind host"
        )
    return name


def _host(written: str) -> str:
    if read_address(written):
        raise WrongCell("the asset is an address: its kind is cidr", column="kind")
    if written.startswith(("*.", ".")):
        raise WrongCell("the asset is a domain with all under it: its kind is suffix", column="kind")
    return _name(written)


def _name(written: str) -> str:
    if "*" in written:
        raise WrongCell("a * stands only in front, before a dot, as in *.voorbeeld.nl")
    host = read_host(written)
    if isinstance(host, Unusable):
        raise WrongCell("it is not a host name: give one such as www.voorbeeld.nl, without port or path")
    return host.name
