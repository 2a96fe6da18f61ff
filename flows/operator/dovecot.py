"""A Dovecot of our own: its configuration in a directory, its processes, started and ended.

It listens on loopback only and reads nothing outside its directory. Started by root it serves mail
as ``nobody`` (Dovecot refuses mail users with uid 0); started by anybody else, as that user.
Written for Dovecot 2.3, whose settings 2.4 has renamed.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .maildrop import Account, MailServerError

Security = Literal["none", "starttls", "tls"]

CAPABILITIES = (
    *("IMAP4rev1", "LITERAL+", "SASL-IR", "LOGIN-REFERRALS", "ID", "ENABLE", "IDLE", "SORT"),
    *("THREAD=REFERENCES", "MULTIAPPEND", "UNSELECT", "CHILDREN", "NAMESPACE", "UIDPLUS"),
    *("LIST-EXTENDED", "CONDSTORE", "ESEARCH", "SEARCHRES", "WITHIN", "MOVE"),
)

_START_SECONDS = 15.0
_STOP_SECONDS = 10.0

_CONFIGURATION = """\
protocols = imap
listen = 127.0.0.1
base_dir = {run}
state_dir = {run}
log_path = {log}
instance_name = {name}
default_process_limit = 50
default_client_limit = 500
{accounts}
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid}
}}
first_valid_uid = {uid}
first_valid_gid = {gid}
mail_home = {mail}/%u
mail_location = maildir:~/Maildir
mail_max_userip_connections = 200
protocol imap {{
  imap_capability = {capabilities}
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{more}
"""


@dataclass(frozen=True)
class DovecotOptions:
    """How a Dovecot differs from another: what tests switch on and off."""

    security: Security = "none"
    lacks: Collection[str] = ()  # capabilities not to offer, such as MOVE
    folder_prefix: str = ""  # "INBOX." for a server that keeps every folder under INBOX
    more: str = ""  # lines at the end of its configuration


def mail_account() -> Account:
    """The account that mail belongs to."""
    uid = os.geteuid()
    entry = pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")
    return Account(entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name, entry.pw_uid, entry.pw_gid)


class Dovecot:
    """One Dovecot, with its files in a directory."""

    def __init__(self, directory: Path, options: DovecotOptions) -> None:
        """Take the directory for configuration and log; mail lies in ``mail`` under it."""
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._run: Path | None = None

    def start(self, port: int, logins: Collection[str], password: str) -> None:
        """Start serving on a port of loopback; returns when it answers.

        Raises :class:`MailServerError` with the end of Dovecot's log when it does not.
        """
        program = _program()
        # Sockets lie here, and the path of a UNIX socket has room for 107 characters only.
        self._run = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._run.chmod(0o755)
        self._write_users(logins, password)
        configuration = self._directory / "dovecot.conf"
        configuration.write_text(self._configuration(port, self._run), encoding="utf-8")
        with (self._directory / "dovecot.err").open("wb") as errors:
            self._process = subprocess.Popen(
                [program, "-F", "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # so that kill() reaches all of its processes and no other
            )
        (self._directory / "dovecot.pid").write_text(str(self._process.pid), encoding="ascii")
        self._wait_until_it_answers(self._process, port)

    def end_orphan(self) -> None:
        """End the Dovecot of a predecessor that was killed and left it behind.

        Only for who holds the lock of the directory, so that nobody alive can own that Dovecot.
        """
        try:
            pid = int((self._directory / "dovecot.pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return
        if os.fsencode(self._directory / "dovecot.conf") in command:
            _end_group(pid)

    def stop(self) -> None:
        """End it and wait until it has ended."""
        if self._process is not None:
            self._process.terminate()
            end = time.monotonic() + _STOP_SECONDS
            # Looked at but not collected, so that its number stays its own until kill() is through.
            looking = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while os.waitid(os.P_PID, self._process.pid, looking) is None and time.monotonic() < end:
                time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """End all of its processes at once, as a power cut would."""
        if self._process is not None:
            _end_group(self._process.pid)
            self._process.wait()
            self._process = None
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._run = None

    def _write_users(self, logins: Collection[str], password: str) -> None:
        if not password or any(ord(c) < 32 or c == ":" for c in password):
            raise MailServerError(
                "the local mail server needs a password without colons and control characters"
            )
        users = self._directory / "users"
        users.touch(0o600)
        users.chmod(0o600)
        lines = (f"{login}:{{PLAIN}}{password}\n" for login in sorted(logins))
        users.write_text("".join(lines), encoding="utf-8")

    def _configuration(self, port: int, run: Path) -> str:
        options, here, owner = self._options, self._directory, mail_account()
        tls = options.security == "tls"
        return _CONFIGURATION.format(
            run=run,
            log=here / "dovecot.log",
            name=f"meldbalie-{port}",
            accounts=_accounts(owner),
            ssl="no" if options.security == "none" else "required",
            certificate="" if options.security == "none" else _certificate_settings(here),
            users=_literal(here / "users"),
            mail=_literal(here / "mail"),
            uid=owner.uid,
            gid=owner.gid,
            capabilities=" ".join(c for c in CAPABILITIES if c not in options.lacks),
            separator="." if options.folder_prefix else "/",
            prefix=options.folder_prefix,
            plain_port=0 if tls else port,
            tls_port=port if tls else 0,
            more=options.more,
        )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], port: int) -> None:
        end = time.monotonic() + _START_SECONDS
        while not _answers(port, tls=self._options.security == "tls"):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            if process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise MailServerError(f"Dovecot does not start on port {port}: {self._last_words()}")

    def _last_words(self) -> str:
        for name in ("dovecot.err", "dovecot.log"):
            file = self._directory / name
            if file.exists() and (text := file.read_text("utf-8", "replace").strip()):
                return " / ".join(text.splitlines()[-3:])
        return f"it wrote nothing to {self._directory / 'dovecot.log'}"


def _end_group(group: int) -> None:
    """End a group of processes, and wait until none of them lives: only then are their ports free."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    end = time.monotonic() + _STOP_SECONDS
    while _has_life(group) and time.monotonic() < end:
        time.sleep(0.005)


def _has_life(group: int) -> bool:
    """Whether a process of the group lives; one that is dead and not yet collected does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of_group = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(of_group) == group and state not in "ZX":
                return True
    return False


def _program() -> str:
    found = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MailServerError("Dovecot is not installed: run `make system` (or install dovecot-imapd)")
    return found


def _literal(path: Path) -> str:
    """A path for a setting in which Dovecot replaces ``%u`` and its like."""
    return str(path).replace("%", "%%")


def _accounts(owner: Account) -> str:
    if os.geteuid() == 0:
        return "service auth {\n  user = root\n}"  # may read the file of passwords
    return (
        f"default_internal_user = {owner.name}\ndefault_login_user = {owner.name}\n"
        f"default_internal_group = {owner.group}"
    )


def _certificate_settings(directory: Path) -> str:
    return f"ssl_cert = <{directory / 'tls' / 'server.crt'}\nssl_key = <{directory / 'tls' / 'server.key'}"


def _answers(port: int, *, tls: bool) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            if not tls:
                return plain.recv(16).startswith(b"* OK")
            with _unverified().wrap_socket(plain) as link:
                return link.recv(16).startswith(b"* OK")
    except OSError:
        return False


def _unverified() -> ssl.SSLContext:
    """A context that trusts anybody: it asks our own server only whether it is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
