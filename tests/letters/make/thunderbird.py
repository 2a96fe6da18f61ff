"""Thunderbird without a screen: its own compose window and its own OpenPGP (RNP), driven by Marionette."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import smtp_sink, stage
from .stage import CVD, HOME, PNG, REPORT, SUBJECT, TEXT, ZOO, each, fresh_home, sent

PREFERENCES = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.bypassNotification": True,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "mail.smtpserver.default.hello_argument": "[192.0.2.25]",
    "mail.compose.warn_public_recipients.threshold": 100,
    "mail.SpellCheckBeforeSend": False,
    "mail.warn_on_send_accel_key": False,
    "network.dns.offline-localhost": False,
    "intl.locale.requested": "en-US",
}

ACCOUNT = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { RNP } = ChromeUtils.importESModule("chrome://openpgp/content/modules/RNP.sys.mjs");
const { PgpSqliteDb2 } = ChromeUtils.importESModule("chrome://openpgp/content/modules/sqliteDb.sys.mjs");
const { BondOpenPGP } = ChromeUtils.importESModule("chrome://openpgp/content/BondOpenPGP.sys.mjs");
const { EnigmailKeyRing } = ChromeUtils.importESModule("chrome://openpgp/content/modules/keyRing.sys.mjs");
await BondOpenPGP.init();
const [port, secret, publics, own, desk] = args;
const server = MailServices.accounts.createIncomingServer("renee", "mail.melder.example", "pop3");
server.loginAtStartUp = false; server.doBiff = false;
const account = MailServices.accounts.createAccount();
account.incomingServer = server;
const identity = MailServices.accounts.createIdentity();
identity.email = "renee@melder.example";
identity.fullName = "Renée Reporter";
identity.doFcc = false;
identity.setUnicharAttribute("openpgp_key_id", own.slice(-16));
identity.autoEncryptDrafts = false;
account.addIdentity(identity);
MailServices.accounts.defaultAccount = account;
const smtp = MailServices.outgoingServer.createServer("smtp");
smtp.QueryInterface(Ci.nsISmtpServer);
smtp.hostname = "127.0.0.1"; smtp.port = port; smtp.authMethod = 1; smtp.socketType = 0;
identity.smtpServerKey = smtp.key;
MailServices.outgoingServer.defaultServer = smtp;
let result = await RNP.importSecKeyBlockImpl(null, () => "", true, secret, false, []);
if (result.exitCode !== 0) return "secret: " + JSON.stringify(result);
result = await RNP.importPubkeyBlockAutoAcceptImpl(null, publics, "verified", false, []);
await PgpSqliteDb2.acceptAsPersonalKey(own);
await PgpSqliteDb2.updateAcceptance(desk, ["cvd@gemeente.example"], "verified");
EnigmailKeyRing.clearCache();
return "ready " + JSON.stringify(result.exitCode);
"""

COMPOSE = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const [how] = args;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
fields.to = how.to; fields.subject = how.subject; fields.body = how.body;
const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
params.composeFields = fields;
params.identity = MailServices.accounts.allIdentities[0];
params.identity.composeHtml = how.html;
params.format = how.html ? Ci.nsIMsgCompFormat.HTML : Ci.nsIMsgCompFormat.PlainText;
const ready = new Promise(done => Services.obs.addObserver(function seen(win) {
  win.addEventListener("load", () => {
    if (!win.location.href.includes("messengercompose")) return;
    Services.obs.removeObserver(seen, "toplevel-window-ready");
    win.addEventListener("compose-editor-ready", () => done(win), { once: true });
  }, { once: true });
}, "toplevel-window-ready"));
MailServices.compose.OpenComposeWindowWithParams(null, params);
const win = await ready;
await new Promise(done => win.setTimeout(done, 700));
for (const path of how.files) {
  const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
  file.initWithPath(path);
  await win.AddAttachments([win.FileToAttachment(file)]);
}
win.gSelectedTechnologyIsPGP = true;
win.gSendEncrypted = how.encrypt; win.gUserTouchedSendEncrypted = true;
win.gSendSigned = how.sign; win.gUserTouchedSendSigned = true;
win.gEncryptSubject = how.hide; win.gUserTouchedEncryptSubject = true;
win.gAttachMyPublicPGPKey = how.key; win.gUserTouchedAttachMyPubKey = true;
win.updateEncryptionOptions?.(); win.setEncSigStatusUI?.();
await win.updateEncryptionDependencies?.();
const closed = new Promise(done => win.addEventListener("unload", () => done("closed"), { once: true }));
const sent = win.GenericSendMessage(Ci.nsIMsgCompDeliverMode.Now);
const ended = await Promise.race([closed, new Promise(done => win.setTimeout(() => done("waiting"), 15000)), sent.then(() => closed)]);
return ended;
"""

PLAIN = {
    "to": CVD,
    "subject": SUBJECT,
    "body": TEXT,
    "html": False,
    "files": [],
    "encrypt": False,
    "sign": False,
    "hide": True,
    "key": False,
}
HTML = {
    "html": True,
    "body": "<p>Lek op <b>https://www.gemeente.example/zoeken</b></p><p>C:\\new\\temp\\één.log — € 0,00.</p>",
}
LETTERS = {
    "plain": {},
    "html": HTML,
    "signed": {"sign": True},
    "encrypted": {"encrypt": True},
    "encrypted-signed": {"encrypt": True, "sign": True},
    "encrypted-signed-with-key": {"encrypt": True, "sign": True, "key": True},
    "encrypted-signed-attachments": {"encrypt": True, "sign": True, "files": [str(PNG), str(REPORT)]},
    "encrypted-signed-subject-outside": {"encrypt": True, "sign": True, "hide": False},
    "html-encrypted-signed": HTML | {"encrypt": True, "sign": True},
    "signed-with-key-and-attachments": {"sign": True, "key": True, "files": [str(PNG), str(REPORT)]},
}


class Marionette:
    """Thunderbird's remote control."""

    def __init__(self, port: int = 2828) -> None:
        self._socket = _connected(port)
        self._socket.settimeout(60)
        self._number = 0
        self._receive()
        self.ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": {"script": 50000}}}})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def ask(self, command: str, parameters: dict[str, Any]) -> Any:
        """Give a command and its result; raises with what went wrong."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{command}: {error['message']} {error.get('stacktrace', '')[:500]}")
        return result

    def execute(self, script: str, *args: Any) -> Any:
        """Run the body of an asynchronous function in Thunderbird, with its `args`."""
        wrapped = (
            "const done = arguments[arguments.length - 1]; const args = Array.from(arguments).slice(0, -1);"
            f"(async () => {{ {script} }})().then(done, error => done('failed: ' + error + ' ' + error?.stack));"
        )
        value = self.ask(
            "WebDriver:ExecuteAsyncScript",
            {"script": wrapped, "args": list(args), "sandbox": "system", "newSandbox": True},
        )["value"]
        if str(value).startswith(("failed", "secret", "waiting")):
            raise RuntimeError(value)
        return value

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._socket.recv(1)
        left, message = int(length[:-1]), b""
        while len(message) < left:
            message += self._socket.recv(left - len(message))
        return json.loads(message)


def _connected(port: int) -> socket.socket:
    for _ in range(120):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("Thunderbird did not start")


@contextmanager
def running() -> Iterator[Marionette]:
    """Thunderbird with a fresh profile."""
    profile = HOME / "profile"
    profile.mkdir()
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    command = [
        "xvfb-run",
        "-a",
        "thunderbird",
        "--profile",
        str(profile),
        "--no-remote",
        "--marionette",
        "--remote-allow-system-access",
    ]
    with (HOME / "thunderbird.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=os.environ | {"MOZ_CRASHREPORTER_DISABLE": "1"},
            start_new_session=True,
        )
        try:
            yield Marionette()
        finally:
            os.killpg(process.pid, 15)
            process.wait(20)


def make() -> None:
    """Everything that the compose window offers."""
    fresh_home()
    keys = ZOO / "keys"
    with smtp_sink.listening(), running() as thunderbird:
        print(
            thunderbird.execute(
                ACCOUNT,
                smtp_sink.PORT,
                (keys / "renee.secret.asc").read_text(),
                (keys / "intake.public.asc").read_text(),
                stage.FINGERPRINTS["renee"],
                stage.FINGERPRINTS["intake"],
            )
        )

        def compose(name: str, how: dict[str, Any]) -> None:
            print(name, thunderbird.execute(COMPOSE, PLAIN | how))
            sent("thunderbird", name)

        each(LETTERS, compose)
