"""Machines that write by themselves: Dovecot's Sieve on holiday."""

from .gnupg_shell import mail
from .stage import CVD, HOME, RENEE, SENDMAIL, fresh_home, run, sent

DOVECOT = f"""
protocols =
mail_location = maildir:{HOME}/maildir
sendmail_path = {SENDMAIL}
hostname = mail.melder.example
postmaster_address = postmaster@melder.example
log_path = {HOME}/dovecot.log
auth_socket_path =
stats_writer_socket_path =
protocol lda {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{HOME}/rule.sieve
  sieve_vacation_send_from_recipient = no
}}
"""
RULES = {
    "dovecot-vacation": 'require ["vacation"];\nvacation :days 1 :subject "Afwezig" :addresses ["renee@melder.example"] "Ik ben er maandag weer, zie www.melder.example.";\n',
    "dovecot-reject": 'require ["reject"];\nreject "Ik neem geen mail meer aan.";\n',
}


def make() -> None:
    """Let each rule answer a mail of ours."""
    fresh_home()
    (HOME / "dovecot.conf").write_text(DOVECOT)
    ours = mail(
        "Wij hebben uw melding ontvangen.\n",
        subject="Ontvangstbevestiging CVD-2026-0042",
        sender=f"Meldpunt <{CVD}>",
    )
    del ours["To"]
    ours["To"] = RENEE
    for name, rule in RULES.items():
        (HOME / "rule.sieve").write_text(rule)
        run(
            "/usr/lib/dovecot/dovecot-lda",
            "-c",
            str(HOME / "dovecot.conf"),
            "-f",
            CVD,
            "-a",
            RENEE,
            feed=bytes(ours),
        )
        sent("automatic", name, sender="")
