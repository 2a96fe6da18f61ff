"""Mutt 2 and NeoMutt, driven at a terminal: compose, look at nothing, send."""

from functools import partial

from . import stage
from .stage import CVD, HOME, PNG, POC, REPORT, SENDMAIL, SUBJECT, TEXT, each, fresh_home, sent, terminal

BASE = f"""
set from="renee@melder.example" realname="Renée Reporter" use_from=yes hostname="melder.example"
set sendmail="{SENDMAIL}" record="" editor=true abort_unmodified=no abort_noattach=no sig_dashes=no
set use_domain=no folder="{HOME}" spoolfile="{HOME}/inbox" signature="" user_agent=yes
set autoedit=yes edit_headers=yes
set pgp_sign_as="{stage.FINGERPRINTS["renee"]}" pgp_default_key="{stage.FINGERPRINTS["renee"]}"
set send_charset="us-ascii:iso-8859-1:utf-8" charset="utf-8"
set crypt_use_gpgme=yes
unset crypt_autosign crypt_autoencrypt pgp_autoinline
"""

SIGN, ENCRYPT = "set crypt_autosign\n", "set crypt_autoencrypt pgp_self_encrypt=no\n"
PROTECT = "set crypt_protected_headers_write=yes\n"
CLASSIC = "unset crypt_use_gpgme\n"
INLINE = CLASSIC + "set pgp_autoinline pgp_mime_auto=no\n"

RC = {
    "mutt": "source /etc/Muttrc.d/gpg.rc\n",
    "neomutt": "source /usr/share/doc/neomutt/examples/gpg.rc\n",
}
# name: (what muttrc says more, files)
LETTERS = {
    "plain": ("", ()),
    "plain-attachments": ("", (PNG, POC, REPORT)),
    "signed": (SIGN, ()),
    "signed-attachments": (SIGN, (PNG, POC, REPORT)),
    "encrypted": (ENCRYPT, ()),
    "encrypted-signed": (ENCRYPT + SIGN, ()),
    "encrypted-signed-attachments": (ENCRYPT + SIGN, (PNG, REPORT)),
    "inline-signed": (SIGN + INLINE, ()),
    "inline-encrypted": (ENCRYPT + INLINE, ()),
    "inline-encrypted-signed": (ENCRYPT + SIGN + INLINE, ()),
    "protected-encrypted-signed": (ENCRYPT + SIGN + PROTECT, ()),
    "protected-signed": (SIGN + PROTECT, ()),
    "classic-signed": (SIGN + CLASSIC, ()),
    "classic-encrypted-signed": (ENCRYPT + SIGN + CLASSIC, (PNG,)),
    "format-flowed-signed": (SIGN + "set text_flowed=yes\n", ()),
}


def compose(
    program: str, name: str, more: str, files: tuple = (), subject: str = SUBJECT, text: str = TEXT
) -> None:
    """Let the program send one mail."""
    (HOME / "muttrc").write_text(BASE + more)
    (HOME / "text").write_text(text)
    (HOME / "inbox").touch()
    attached = " ".join(f"-a '{file}'" for file in files)
    shown = terminal(
        f"{program} -n -F {HOME}/muttrc -s '{subject}' -i {HOME}/text {attached} -- {CVD}",
        ("Compose|Atts", "y"),
        timeout=15,
    )
    try:
        sent(program, name)
    except RuntimeError as error:
        raise RuntimeError(f"{error}\n{shown[-1500:]}") from error


def make() -> None:
    """Every way of mutt, and the same of neomutt."""
    for program, rc in RC.items():
        fresh_home()
        letters = {
            name: ((rc if CLASSIC in more else "") + more, files) for name, (more, files) in LETTERS.items()
        }
        each(letters, partial(_compose, program))


def _compose(program: str, name: str, how: tuple[str, tuple]) -> None:
    compose(program, name, *how)
