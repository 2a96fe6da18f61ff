"""Emacs: Gnus' message mode with mml-secure and EasyPG, in batch."""

from . import stage
from .stage import CVD, HOME, PNG, REPORT, SENDMAIL, SUBJECT, TEXT, each, fresh_home, run, sent

SETTINGS = f"""
(require 'message) (require 'mml) (require 'mml-sec) (require 'mml2015) (require 'epa)
(set-language-environment "UTF-8")
(setq user-full-name "Renée Reporter" user-mail-address "renee@melder.example"
      message-send-mail-function 'message-send-mail-with-sendmail
      sendmail-program "{SENDMAIL}" message-sendmail-envelope-from nil mail-host-address "melder.example"
      message-user-fqdn "melder.example" message-signature nil message-confirm-send nil
      message-interactive t send-mail-function 'sendmail-send-it message-default-charset 'utf-8
      mml-secure-openpgp-sign-with-sender nil mml-secure-openpgp-signers '("{stage.FINGERPRINTS["renee"]}")
      mml-secure-openpgp-encrypt-to-self nil mm-encrypt-option nil epg-debug nil
      mml-secure-openpgp-always-trust t message-kill-buffer-on-exit t make-backup-files nil
      message-auto-save-directory nil auto-save-default nil)
"""
# name: (the tag of MML, files)
LETTERS = {
    "pgpmime-signed": ("<#secure method=pgpmime mode=sign>\n", ()),
    "pgpmime-signed-attachments": ("<#secure method=pgpmime mode=sign>\n", (PNG, REPORT)),
    "pgpmime-encrypted": ("<#secure method=pgpmime mode=encrypt>\n", ()),
    "pgpmime-encrypted-signed": ("<#secure method=pgpmime mode=signencrypt>\n", ()),
    "pgpmime-encrypted-signed-attachments": ("<#secure method=pgpmime mode=signencrypt>\n", (PNG, REPORT)),
    "inline-signed": ("<#secure method=pgp mode=sign>\n", ()),
    "inline-encrypted": ("<#secure method=pgp mode=encrypt>\n", ()),
    "inline-encrypted-signed": ("<#secure method=pgp mode=signencrypt>\n", ()),
    "signed-part-beside-unsigned-text": (
        "Dit is niet ondertekend.\n<#part type=text/plain sign=pgpmime>\n",
        (),
    ),
}


def compose(name: str, how: tuple[str, tuple]) -> None:
    """Let Emacs send one mail."""
    tag, files = how
    attached = "".join(
        f'<#part type="application/octet-stream" filename="{file}" disposition=attachment>\n<#/part>\n'
        for file in files
    )
    (HOME / "body").write_text(tag + TEXT + attached)
    program = (
        SETTINGS
        + f"""
(message-mail "{CVD}" "{SUBJECT}")
(message-goto-body)
(delete-region (point) (point-max))
(let ((coding-system-for-read 'utf-8)) (insert-file-contents "{HOME}/body"))
(message-send)
"""
    )
    (HOME / "send.el").write_text(program)
    run("emacs", "-Q", "--batch", "-l", str(HOME / "send.el"))
    sent("emacs", name)


def make() -> None:
    """PGP/MIME and inline, each sealed, signed and both."""
    fresh_home()
    each(LETTERS, compose)
