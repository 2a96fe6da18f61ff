"""The demonstration's installation: people with keys, an owner directory, a configuration."""

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from ...mailbox.keyring import Keyring

DOMAIN = "voorbeeld.example"
CVD = f"cvd@{DOMAIN}"
REPORTER = "sanne.devries@onderzoek.example"
WEB_TEAM = f"webteam@{DOMAIN}"
NETWORK_TEAM = f"netwerk@{DOMAIN}"
HANDLER = f"balie@{DOMAIN}"
IBD = "copy@ibd.example"
PLAIN_REPORTER = "karel@anders.example"
ADDRESSES = (CVD, REPORTER, WEB_TEAM, NETWORK_TEAM, HANDLER, IBD, PLAIN_REPORTER)
PASSWORD = "demo-password"  # noqa: S105 - of a mail server on loopback that holds demo mail only


@dataclass(frozen=True)
class Person:
    """Somebody in the demonstration, with a keyring of their own."""

    name: str
    address: str
    home: Path
    fingerprint: str


@dataclass(frozen=True)
class People:
    """Everybody in the demonstration."""

    desk: Person
    reporter: Person
    web_team: Person
    network_team: Person
    handler: Person
    ibd: Person


def make_people(directory: Path) -> People:
    """Give everybody a key, made at the first start, and pin the ones that we write to."""
    keys = directory / "keys"
    people = People(
        desk=_person(keys, "desk", "CVD-meldpunt Voorbeeld", CVD),
        reporter=_person(keys, "reporter", "Sanne de Vries", REPORTER),
        web_team=_person(keys, "web", "Webteam", WEB_TEAM),
        network_team=_person(keys, "net", "Netwerkteam", NETWORK_TEAM),
        handler=_person(keys, "handler", "Balie", HANDLER),
        ibd=_person(keys, "ibd", "IBD", IBD),
    )
    with Keyring(people.desk.home) as ours:
        for person in (people.web_team, people.network_team, people.handler, people.ibd):
            if ours.facts(person.fingerprint) is None:
                ours.import_public(_public_key(person))
    with Keyring(people.reporter.home) as theirs:
        if theirs.facts(people.desk.fingerprint) is None:
            theirs.import_public(_public_key(people.desk))
    return people


def owner_directory(people: People) -> bytes:
    """The owner directory as an organisation would keep it, as CSV."""
    rows = [
        "owner,address,fingerprint,asset",
        f"Webteam,{WEB_TEAM},{people.web_team.fingerprint},*.{DOMAIN}",
        f"Webteam,{WEB_TEAM},{people.web_team.fingerprint},www.{DOMAIN}",
        f"Netwerkteam,{NETWORK_TEAM},{people.network_team.fingerprint},203.0.113.0/24",
        f"Netwerkteam,{NETWORK_TEAM},{people.network_team.fingerprint},2001:db8:42::/48",
    ]
    return ("\n".join(rows) + "\n").encode()


def write_configuration(directory: Path, people: People, *, imap_port: int, smtp_port: int) -> Path:
    """Write ``meldbalie.toml`` and the secrets that it names, and give its path."""
    keys = directory / "application.keys"
    if not keys.exists():
        keys.write_text(Fernet.generate_key().decode() + "\n", encoding="ascii")
    (directory / "imap.password").write_text(PASSWORD, encoding="ascii")
    tables: dict[str, dict[str, object]] = {
        "organisation": {"name": "Gemeente Voorbeeld", "address": CVD},
        "imap": {
            "port": imap_port,
            "security": "none",
            "user": CVD,
            "password_file": str(directory / "imap.password"),
            "poll_seconds": 5,
        },
        "smtp": {"port": smtp_port, "security": "none"},
        "pgp": {"home": str(people.desk.home), "fingerprint": people.desk.fingerprint},
        "database": {
            "url": f"sqlite:///{directory / 'meldbalie.db'}",
            "application_keys_file": str(keys),
        },
        "ibd": {"address": IBD, "fingerprint": people.ibd.fingerprint},
        "prefect": {"home": str(directory / "prefect")},
        "clocks": {"sweep_minutes": 1},
        "logs": {"directory": str(directory / "log")},
    }
    lines = ["# Written anew by every `meldbalie demo`."]
    for name, values in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    lines += [
        "",
        "[[triage]]",
        'name = "Balie"',
        f'address = "{HANDLER}"',
        f'fingerprint = "{people.handler.fingerprint}"',
        "",
    ]
    file = directory / "meldbalie.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _person(keys: Path, short: str, name: str, address: str) -> Person:
    home = keys / short
    with Keyring(home) as keyring:
        own = keyring.own_keys()
        fingerprint = own[0].fingerprint if own else keyring.make_key(name, address)
    return Person(name, address, home, fingerprint)


def _public_key(person: Person) -> bytes:
    with Keyring(person.home) as keyring:
        return keyring.export_public(person.fingerprint)
