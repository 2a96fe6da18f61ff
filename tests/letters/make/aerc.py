"""Aerc, driven at a terminal: its review screen after an editor that changes nothing."""

import os

from . import stage
from .stage import CVD, HOME, SENDMAIL, SUBJECT, TEXT, each, fresh_home, sent, terminal

ACCOUNT = f"""[renee]
source = maildir://{HOME}/maildir
outgoing = {SENDMAIL}
default = INBOX
from = Renée Reporter <renee@melder.example>
pgp-key-id = {stage.FINGERPRINTS["renee"]}
"""
SETTINGS = """[general]
pgp-provider = gpg
[compose]
editor = true
address-book-cmd =
[ui]
spinner = .
"""
LETTERS = {
    "signed": "pgp-auto-sign = true\n",
    "encrypted": "pgp-opportunistic-encrypt = true\n",
    "encrypted-signed": "pgp-auto-sign = true\npgp-opportunistic-encrypt = true\n",
}


def compose(name: str, more: str) -> None:
    """Let aerc send one mail."""
    config = HOME / ".config" / "aerc"
    config.mkdir(parents=True, exist_ok=True)
    for folder in ("cur", "new", "tmp"):
        (HOME / "maildir" / "INBOX" / folder).mkdir(parents=True, exist_ok=True)
    (config / "accounts.conf").write_text(ACCOUNT + more)
    (config / "accounts.conf").chmod(0o600)
    (config / "aerc.conf").write_text(SETTINGS)
    (HOME / "text").write_text(TEXT)
    (HOME / "run").mkdir(exist_ok=True)
    editor = HOME / "editor"
    editor.write_text(f'#!/bin/sh\ncat {HOME}/text >> "$1"\n')
    editor.chmod(0o755)
    (config / "aerc.conf").write_text(SETTINGS.replace("editor = true", f"editor = {editor}"))
    shown = terminal(
        f"aerc 'mailto:{CVD}?subject={SUBJECT.replace(' ', '%20')}'",
        ("[Ss]end this email|:send|Review", "y"),
        timeout=12,
        env=os.environ | {"XDG_RUNTIME_DIR": str(HOME / "run")},
    )
    try:
        sent("aerc", name)
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{shown[-1500:]}") from error


def make() -> None:
    """PGP/MIME: signed, sealed, both."""
    fresh_home()
    each(LETTERS, compose)
