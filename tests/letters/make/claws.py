"""Claws Mail with its PGP plugins: mail from a file into the compose window, then Ctrl+Enter."""

import time

from . import desktop, stage
from .desktop import xdotool
from .stage import CVD, HOME, SENDMAIL, SUBJECT, TEXT, each, fresh_home, sent

PLUGINS = "/usr/lib/x86_64-linux-gnu/claws-mail/plugins"
ACCOUNT = """[Account: 1]
account_name=renee
is_default=1
name=Renée Reporter
address=renee@melder.example
protocol=5
smtp_server=localhost
use_mail_command=1
mail_command={sendmail} -t
set_domain=1
domain=melder.example
msgid_with_addr=0
generate_msgid=1
generate_xmailer=1
default_privacy_system={system}
default_encrypt={encrypt}
default_sign={sign}
save_clear_text=0
encrypt_to_self=0
"""
RC = f"""[Common]
never_send_retrval=1
warn_large_insert=0
warn_empty_subj=0
warn_sending_multi_recipients_num=0
outgoing_charset=UTF-8
auto_exteditor=0
autowrap=0
linewrap_before_sending=0
linewrap_pastes=0
linewrap_len=200
no_markup=1
warn_dnd=0
[Plugins_GTK3]
{PLUGINS}/pgpcore.so
{PLUGINS}/pgpinline.so
{PLUGINS}/pgpmime.so
"""
LETTERS = {
    "pgpmime-signed": ("pgpmime", 0, 1),
    "pgpmime-encrypted": ("pgpmime", 1, 0),
    "pgpmime-encrypted-signed": ("pgpmime", 1, 1),
    "inline-signed": ("pgpinline", 0, 1),
    "inline-encrypted-signed": ("pgpinline", 1, 1),
}


def compose(name: str, how: tuple[str, int, int]) -> None:
    """Let Claws send one mail."""
    system, encrypt, sign = how
    home = HOME / ".claws-mail"
    home.mkdir(exist_ok=True)
    (HOME / "Mail" / "inbox").mkdir(parents=True, exist_ok=True)
    for folder in ("sent", "draft", "queue", "trash"):
        (HOME / "Mail" / folder).mkdir(exist_ok=True)
    (home / "folderlist.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<folderlist><folder type="mh" name="Mailbox" path="Mail" collapsed="0">'
        + "".join(
            f'<folderitem type="{kind}" name="{kind}" path="{kind}"/>'
            for kind in ("inbox", "outbox", "draft", "queue", "trash")
        )
        + "</folder></folderlist>\n"
    )
    (home / "accountrc").write_text(
        ACCOUNT.format(sendmail=SENDMAIL, system=system, encrypt=encrypt, sign=sign)
    )
    (home / "clawsrc").write_text(RC)
    (HOME / "draft").write_text(f"To: {CVD}\nSubject: {SUBJECT}\n\n{TEXT}")
    program = desktop.start("claws-mail", "--compose-from-file", str(HOME / "draft"))
    try:
        number = desktop.window("Compose message")
        time.sleep(1.5)
        for _ in range(8):  # it warns that headers are not sealed, and asks whether a key may be used
            if list(stage.OUTGOING.glob("*.eml")):
                break
            if xdotool("search", "--onlyvisible", "--name", "warning|Warning|question"):
                xdotool("key", "Return")
            else:
                desktop.press(number, "ctrl+Return")
            desktop.wait_for_mail(2)
        sent("claws", name)
    finally:
        program.kill()
        program.wait()


def make() -> None:
    """Each privacy system of Claws."""
    fresh_home()
    with desktop.screen():
        each(LETTERS, compose)
