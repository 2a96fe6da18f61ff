"""Delta Chat's core over a real IMAP and SMTP server of the project's own; runs outside the root.

    cd tests/letters; ../../.venv/bin/python -m make.deltachat DELTACHAT-RPC-SERVER FOLDER

The server program comes from PyPI (deltachat-rpc-server). Autocrypt, protected headers and everything sealed that can
be are what it always does.
"""

import base64
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meldbalie.flows.operator.mailserver import LocalMailServer

from .delivery import trace

HERE = Path(__file__).resolve().parents[1]
CVD, RENEE, DIRK, PASSWORD = "cvd@gemeente.example", "renee@melder.example", "dirk@melder.example", "geheim"
TEXT = (
    "Geacht meldpunt,\n\nDe pagina https://www.gemeente.example/zoeken voert <script>alert(1)</script> uit.\n"
    "Pad op de server: C:\\new\\temp\\één.log — € 0,00.\n"
)
PLAIN = 3  # a socket without TLS, on loopback


class Core:
    """The program behind Delta Chat, asked in JSON-RPC."""

    def __init__(self, program: str, home: Path) -> None:
        environment = {
            "HOME": str(home),
            "DC_ACCOUNTS_PATH": str(home / "accounts"),
            "PATH": os.defpath,
            "TZ": "UTC",
        }
        self._process = subprocess.Popen(
            [program],
            env=environment,
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._number = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._answers.put(json.loads(line))

    def ask(self, method: str, *params: Any) -> Any:
        """Call a method and give its result; raises with what the program says."""
        self._number += 1
        question = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        while (answer := self._answers.get(timeout=60)).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def stop(self) -> None:
        """End the program."""
        self._process.terminate()
        self._process.wait()


def vcard() -> str:
    """The desk as a contact with a key."""
    armour = (HERE / "keys" / "intake.public.asc").read_bytes()
    binary = subprocess.run(
        ["gpg", "--batch", "--dearmor"], input=armour, capture_output=True, check=True
    ).stdout
    key = base64.b64encode(binary).decode()
    return f"BEGIN:VCARD\r\nVERSION:4.0\r\nEMAIL:{CVD}\r\nFN:Meldpunt\r\nKEY:data:application/pgp-keys;base64\\,{key}\r\nEND:VCARD\r\n"


def account(core: Core, server: LocalMailServer, address: str, name: str, key: Path | None) -> int:
    """An account with this key, or with one that the program makes."""
    number: int = core.ask("add_account")
    core.ask("set_config", number, "bcc_self", "0")
    core.ask("set_config", number, "displayname", name)
    if key is not None:
        core.ask("import_self_keys", number, str(key), None)
    where = {
        "imapServer": server.host,
        "imapPort": server.imap_port,
        "imapSecurity": "plain",
        "imapFolder": None,
        "imapUser": address,
    }
    to = {
        "smtpServer": server.host,
        "smtpPort": server.smtp_port,
        "smtpSecurity": "plain",
        "smtpUser": address,
        "smtpPassword": PASSWORD,
    }
    who = {
        "addr": address,
        "password": PASSWORD,
        "certificateChecks": "acceptInvalidCertificates",
        "oauth2": False,
    }
    core.ask("add_or_update_transport", number, who | where | to)
    core.ask("start_io", number)
    return number


def answer() -> bytes:
    """What the desk writes back, sealed to Renée, asking to be told when it is read."""
    inner = (
        f"From: {CVD}\r\nTo: {RENEE}\r\nSubject: Antwoord\r\nChat-Version: 1.0\r\nChat-Disposition-Notification-To: {CVD}\r\n"
        'Content-Type: text/plain; charset=utf-8; protected-headers="v1"\r\n\r\nDank voor uw melding.\r\n'
    )
    with tempfile.TemporaryDirectory(prefix="dcg") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--trust-model=always"]
        for name in ("intake.secret", "renee.public"):
            subprocess.run([*gpg, "--import", str(HERE / "keys" / f"{name}.asc")], check=True)
        seal = [*gpg, "--armor", "--local-user", CVD, "--recipient", f"<{RENEE}>", "--sign", "--encrypt"]
        armour = subprocess.run(seal, input=inner.encode(), capture_output=True, check=True).stdout.decode()
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
    mail = (
        f"From: Meldpunt <{CVD}>\nTo: {RENEE}\nSubject: ...\nMessage-ID: <antwoord@gemeente.example>\nDate: Sat, 21 Nov 2026 12:00:00 +0100\n"
        'Chat-Version: 1.0\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="zegel"\n\n'
        "--zegel\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--zegel\nContent-Type: application/octet-stream\n\n"
        f"{armour}\n--zegel--\n"
    )
    return mail.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def read(core: Core, server: LocalMailServer, number: int) -> None:
    """Get the desk's answer, and read it; the program then tells the desk of its key, in the shape of a receipt."""
    server.deliver(answer(), to=RENEE)
    for _ in range(100):
        if fresh := core.ask("get_fresh_msgs", number):
            core.ask("markseen_msgs", number, fresh)
            return
        time.sleep(0.2)
    raise RuntimeError("the answer did not come")


def make(program: str, folder: Path) -> None:
    """Send one mail after the other, and keep each as it arrived."""
    with tempfile.TemporaryDirectory(prefix="dc") as home, tempfile.TemporaryDirectory(prefix="dcm") as mails:
        Path(mails).chmod(0o755)
        with LocalMailServer(
            Path(mails), addresses=[CVD, RENEE, DIRK], password=PASSWORD, smtp_login=True
        ) as server:
            core = Core(program, Path(home))
            try:
                converse(core, server, folder)
            finally:
                core.stop()


def converse(core: Core, server: LocalMailServer, folder: Path) -> None:
    """What a person does with it."""
    number = account(core, server, RENEE, "Renée Reporter", HERE / "keys" / "renee.secret.asc")
    other = account(core, server, DIRK, "Dirk", None)
    (known,) = core.ask("import_vcard_contents", other, vcard())
    (contact,) = core.ask("import_vcard_contents", number, vcard())
    chat = core.ask("create_chat_by_contact_id", number, contact)
    png, report = HERE / "files" / "scherm.png", HERE / "files" / "verslag één.txt"
    message: dict[str, Any] = dict.fromkeys(
        (
            "html",
            "viewtype",
            "file",
            "filename",
            "location",
            "overrideSenderName",
            "quotedMessageId",
            "quotedText",
            "text",
        )
    )
    letters: dict[str, Callable[[], Any]] = {
        "text": lambda: core.ask("misc_send_text_message", number, chat, TEXT),
        "second-text": lambda: core.ask(
            "misc_send_text_message", number, chat, "Nog iets over www.gemeente.example"
        ),
        "picture": lambda: core.ask(
            "send_msg",
            number,
            chat,
            message
            | {"text": "Een schermbeeld", "viewtype": "File", "file": str(png), "filename": "scherm.png"},
        ),
        "file-without-text": lambda: core.ask(
            "send_msg",
            number,
            chat,
            message | {"viewtype": "File", "file": str(report), "filename": "verslag één.txt"},
        ),
        "key-of-its-own": lambda: core.ask(
            "misc_send_text_message", other, core.ask("create_chat_by_contact_id", other, known), TEXT
        ),
        "key-update": lambda: read(core, server, number),
    }
    for count, (name, send) in enumerate(letters.items(), 1):
        send()
        folder.mkdir(parents=True, exist_ok=True)
        raw = server.wait_for_mail(CVD, count, 30)[-1]
        own = raw[raw.index(b"\nFrom:") + 1 :].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        (folder / f"{name}.eml").write_bytes(trace(DIRK if b"dirk@" in own else RENEE) + own)


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
