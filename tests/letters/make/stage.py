"""What every client needs: a home with keys, something to say, and a mail server that keeps what it gets.

All of this runs inside the root that setup.sh makes, as a user and on a host whose names are invented.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pexpect

from .delivery import CVD as CVD
from .delivery import trace

ZOO = Path(__file__).resolve().parents[1]
HOME = Path.home()
OUTGOING = HOME / "outgoing"
SENDMAIL = HOME / "sendmail"
LETTERS = HOME / "letters"

RENEE = "renee@melder.example"
ROLF = "rolf@melder.example"
FINGERPRINTS = {
    "intake": "E649BA483DEB12D174BA131FBFDA26990FC6AC25",
    "intake-former": "B83FCA2918E80D03F39066A07AD0EDC1241612E7",
    "renee": "B5FC3F7122162762720BDDFA8DA89988C395E800",
    "rolf": "EF203DFEBF071326AC92B61506F8362AEB1B529B",
    "list": "9B7F7C7A26F146DD8093515827A4E7A7992BC445",
    "stranger": "447430BB58527DF9243BF558AA85986615B3E4F4",
    "owner": "3EA3F16B083F1956169504D4516FA0FCE2ACDFE0",
    "expired": "22B7AFB8D8C067B26AE91B490AAD019CA2C2C58D",
    "revoked": "B2D3978262C0C944A0BB79DEF73CFDE2DFA1423E",
    "trickster": "054E518542F17B00ED54FAEA3617584C4662B991",
}
EVERYBODY = tuple(FINGERPRINTS)

SUBJECT = "XSS in de zoekfunctie – één"
TEXT = """\
Geacht meldpunt,

De pagina https://www.gemeente.example/zoeken voert <script>alert(1)</script> uit.
Pad op de server: C:\\new\\temp\\één.log — € 0,00.
From nu af aan is dit de vijfde regel.
- Een streepje vooraan, en blanco's achteraan.   

Groet, Renée
"""
PNG, POC, REPORT, OCTETS = (
    ZOO / "files" / name for name in ("scherm.png", "bewijs.py", "verslag één.txt", "octets.bin")
)

_KEEP = f"""#!/usr/bin/python3
import pathlib, sys, uuid
place = pathlib.Path("{OUTGOING}")
(place / (uuid.uuid4().hex + ".part")).write_bytes(raw := sys.stdin.buffer.read())
(place / (uuid.uuid4().hex + ".eml")).write_bytes(raw)
[part.unlink() for part in place.glob("*.part")]
"""


def run(
    *command: str, feed: bytes | str = b"", timeout: float = 60, env: Mapping[str, str] | None = None
) -> bytes:
    """Run a command and give what it writes; raises with its complaint when it fails."""
    feed = feed.encode() if isinstance(feed, str) else feed
    done = subprocess.run(command, input=feed, capture_output=True, timeout=timeout, env=env, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)}: {(done.stderr or done.stdout).decode(errors='replace')[-2000:]}"
        )
    return done.stdout


def gpg(*args: str, feed: bytes | str = b"", at: str | None = None) -> bytes:
    """Run gpg with the sender's keys, at another time if need be."""
    shifted = [f"--faked-system-time={at}"] if at else []
    return run(
        "gpg",
        "--batch",
        "--quiet",
        "--trust-model=always",
        "--no-auto-check-trustdb",
        *shifted,
        *args,
        feed=feed,
    )


def fresh_home(secrets: Iterable[str] = ("renee",), publics: Iterable[str] = ("intake",)) -> None:
    """Empty the sender's home and give him these keys, his own and others'."""
    subprocess.run(["gpgconf", "--kill", "all"], check=False)
    for child in HOME.iterdir():
        if child not in (ZOO, LETTERS):
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    (HOME / ".gnupg").mkdir(mode=0o700)
    OUTGOING.mkdir()
    SENDMAIL.write_text(_KEEP)
    SENDMAIL.chmod(0o755)
    for name in secrets:
        gpg("--import", str(ZOO / "keys" / f"{name}.secret.asc"))
    for name in publics:
        gpg("--import", str(ZOO / "keys" / f"{name}.public.asc"))
    trusted = "".join(f"{FINGERPRINTS[name]}:6:\n" for name in {*secrets, *publics})
    run("gpg", "--batch", "--import-ownertrust", feed=trusted)


def terminal(
    command: str, *answers: tuple[str, str], timeout: float = 30, env: Mapping[str, str] | None = None
) -> str:
    """Run a program that wants a terminal; whenever it shows the one thing, type the other. Gives what it showed."""
    process = pexpect.spawn(
        "/bin/sh",
        ["-c", command],
        timeout=timeout,
        env=env,
        encoding="utf-8",
        codec_errors="replace",
        dimensions=(50, 120),
    )
    shown: list[str] = []
    process.logfile_read = _Kept(shown)
    try:
        for awaited, typed in answers:
            process.expect(awaited)
            process.send(typed)
        process.expect(pexpect.EOF)
    except (pexpect.TIMEOUT, pexpect.EOF):
        pass
    finally:
        process.close(force=True)
    return "".join(shown)


class _Kept:
    """A file of sorts, for pexpect to write into."""

    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append

    def flush(self) -> None:
        """Nothing waits to be written."""


def each(letters: Mapping[str, Any], compose: Callable[[str, Any], object]) -> None:
    """Make one letter after the other; what fails is named at the end and hinders no other."""
    failed: list[str] = []
    for name, how in letters.items():
        try:
            compose(name, how)
        except Exception as error:
            failed.append(f"{name}: {error}")
            for left in OUTGOING.glob("*"):
                left.unlink()
    if failed:
        raise RuntimeError("\n".join(failed))


def sent(client: str, name: str, *, sender: str = RENEE) -> bytes:
    """Take the one mail that was sent, and put it into the zoo as the desk's server delivers it."""
    mails = sorted(OUTGOING.glob("*.eml"))
    if len(mails) != 1:
        raise RuntimeError(f"{client}/{name}: {len(mails)} mails were sent instead of one")
    raw = mails[0].read_bytes()
    mails[0].unlink()
    return keep(client, name, raw, sender=sender)


def keep(client: str, name: str, raw: bytes, *, sender: str | None = RENEE) -> bytes:
    """Put a mail into the zoo, with the trace of its delivery and the line ends of IMAP; gives the mail itself."""
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    folder = LETTERS / client
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.eml").write_bytes((trace(sender) if sender is not None else b"") + raw)
    return raw
