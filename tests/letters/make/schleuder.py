"""Schleuder: a list that opens what it gets, and seals it anew to each subscriber; the desk is one."""

import os
from pathlib import Path

from . import smtp_sink, stage
from .gnupg_shell import attach, mail
from .stage import CVD, HOME, OUTGOING, PNG, RENEE, TEXT, ZOO, fresh_home, gpg, run, sent

LIST = "onderzoekers@lijst.example"
PLACE = HOME / "schleuder"
RUBY = """
require 'schleuder'
ActiveRecord::Base.logger = nil
attributes = {email: ARGV[0], fingerprint: ARGV[1], send_encrypted_only: false, receive_encrypted_only: false,
  subject_prefix: '[onderzoekers]', public_footer: 'Een lijst van onderzoekers', internal_footer: 'Intern: https://lijst.example'}
list, _ = Schleuder::ListBuilder.new(attributes, ARGV[2], ARGV[3], File.read(ARGV[4])).run
abort list.errors.full_messages.join(', ') unless list.errors.empty?
list.subscribe(ARGV[5], ARGV[6], false, true, File.read(ARGV[7]))
list.subscriptions.where(email: ARGV[5]).update_all(delivery_enabled: false)
"""


def configure() -> dict[str, str]:
    """A list of our own making, with the key of the zoo; gives the environment."""
    (PLACE / "lists" / "lijst.example" / "onderzoekers").mkdir(parents=True, mode=0o700)
    config = Path("/etc/schleuder/schleuder.yml").read_text()
    for old, new in (
        ("/var/lib/schleuder", str(PLACE)),
        ("/var/log/schleuder", str(PLACE)),
        ("port: 25", f"port: {smtp_sink.PORT}"),
        ("address: localhost", "address: 127.0.0.1"),
    ):
        config = config.replace(old, new)
    (PLACE / "schleuder.yml").write_text(config)
    environment = os.environ | {
        "SCHLEUDER_CONFIG": str(PLACE / "schleuder.yml"),
        "SCHLEUDER_LIST_DEFAULTS": "/etc/schleuder/list-defaults.yml",
        "SCHLEUDER_ENV": "production",
    }
    home = PLACE / "lists" / "lijst.example" / "onderzoekers"
    run("gpg", "--homedir", str(home), "--batch", "--import", str(ZOO / "keys" / "list.secret.asc"))
    schema = "require 'schleuder'; load '/usr/lib/ruby/vendor_ruby/schleuder/db/schema.rb'"
    run("ruby", "-e", schema, env=environment)
    keys = ZOO / "keys"
    run(
        "ruby",
        "-e",
        RUBY,
        LIST,
        stage.FINGERPRINTS["list"],
        CVD,
        stage.FINGERPRINTS["intake"],
        str(keys / "intake.public.asc"),
        RENEE,
        stage.FINGERPRINTS["renee"],
        str(keys / "renee.public.asc"),
        env=environment,
    )
    return environment


def make() -> None:
    """What the desk gets of a sealed and signed, a merely signed, and an open mail to the list."""
    fresh_home(publics=("intake", "list"))
    environment = configure()
    sealed = gpg(
        "--armor",
        "--recipient",
        stage.FINGERPRINTS["list"],
        "--local-user",
        stage.FINGERPRINTS["renee"],
        "--sign",
        "--encrypt",
        feed=TEXT,
    )
    clear = gpg("--local-user", stage.FINGERPRINTS["renee"], "--clear-sign", feed=TEXT)
    letters = {
        "from-a-subscriber-encrypted-signed": mail(sealed),
        "from-a-subscriber-clearsigned": mail(clear),
        "from-a-subscriber-in-the-open-with-file": attach(
            mail(TEXT), PNG.read_bytes(), "scherm.png", "image/png"
        ),
    }
    with smtp_sink.listening():
        for name, message in letters.items():
            del message["To"]
            message["To"] = LIST
            run("schleuder", "work", LIST, feed=bytes(message), env=environment)
            mails = sorted(OUTGOING.glob("*.eml"))
            assert mails, f"Schleuder sent nothing: {name}"
            sent("schleuder", name, sender="onderzoekers-bounce@lijst.example")
