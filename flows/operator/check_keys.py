"""Checks of the keyring: our own key works, and everybody whom mail is sealed to has a usable key."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from ...mailbox.gpg_home import check_length
from ...mailbox.keyring import Keyring
from ...mailbox.keys import KeyFacts
from ...models.owners import Owner
from ...models.session import Database
from ...settings import Person, Settings
from ..key_ends import end_of_sealing, trouble_with
from .finding import Finding, ok, warning, wrong
from .intake_key import try_key

#: What is wrong with a key, and the way out where it is not to renew it.
TROUBLES: Mapping[str, tuple[str, str]] = {
    "missing": ("is not in the keyring", "import it: meldbalie keys import FILE"),
    "revoked": ("was revoked", "ask for a new one, import and pin it"),
    "expired": ("has expired", ""),
    "no_encryption_key": ("cannot encrypt", ""),
}
TOO_SLOW_SECONDS = 0.25  # gpg's calibrated count costs 0.4 s, the one that init sets 0.02 s


def keyring_home(home: Path) -> Iterator[Finding]:
    """Its path is short enough for gpg, and nobody else can look inside."""
    if not home.is_dir():
        yield wrong(f"pgp.home = {home} does not exist", "make it with an intake key: meldbalie init")
        return
    check_length(home.absolute())
    if home.stat().st_mode & 0o077:
        yield wrong(f"{home} can be entered by others", f"chmod 700 {home}")
        return
    yield ok(f"{home.absolute()} is ours alone, and its path short enough")


def intake_key(config: Settings, keyring: Keyring, now: datetime) -> Iterator[Finding]:
    """What is sealed to it opens, it lasts, and its passphrase costs little."""
    fingerprint = config.pgp.fingerprint
    if not fingerprint:
        yield wrong("pgp.fingerprint is empty", "write the intake key's there; gpg -K shows it")
        return
    if fingerprint not in {facts.fingerprint for facts in keyring.own_keys()}:
        yield wrong(
            f"the secret key {fingerprint} is not in {config.pgp.home}", "meldbalie init --import-key FILE"
        )
        return
    trial = try_key(keyring, fingerprint)
    if trial.problem:
        yield wrong(
            f"the intake key {fingerprint} does not work: {trial.problem.replace('_', ' ')}",
            f"is pgp.passphrase_file = {config.pgp.passphrase_file} its own, and has it not expired?",
        )
        return
    yield _usable(config, "the intake key", keyring.facts(fingerprint), fingerprint, now)
    yield from _cost(config, trial.seconds)
    facts, ours = keyring.facts(fingerprint), config.organisation.address
    if facts and not facts.belongs_to(ours):
        yield warning(
            f"the intake key names {' '.join(facts.addresses) or 'nobody'}, not {ours}",
            "reporters' programs look it up by the address: add it to the key",
        )


def _cost(config: Settings, seconds: float) -> Iterator[Finding]:
    if config.pgp.passphrase_file is None:
        yield warning(
            f"the intake key has no passphrase; opening takes {seconds:.2f} s",
            "a stolen keyring opens every report: make a key with one (meldbalie init)",
        )
    elif seconds > TOO_SLOW_SECONDS:
        yield warning(
            f"opening takes {seconds:.2f} s, most of it for the passphrase",
            "export the key, put `s2k-count 65536` into gpg-agent.conf, import it into a new pgp.home",
        )
    else:
        yield ok(f"opening takes {seconds:.2f} s: a low s2k-count, so its passphrase must be long and random")


def pinned_keys(config: Settings, keyring: Keyring, now: datetime) -> Iterator[Finding]:
    """The IBD and the people can be written to in secret."""
    if config.ibd.fingerprint:
        yield _usable(
            config,
            f"the key of {config.ibd.name}",
            keyring.facts(config.ibd.fingerprint),
            config.ibd.fingerprint,
            now,
        )
    else:
        yield wrong(f"{config.ibd.name} has no pinned key, so its copies stay here", "set ibd.fingerprint")
    if not config.triage:
        yield wrong("nobody does triage, so nobody is told of a report", "add a [[triage]] table")
    for role, person in _people(config):
        yield _of_person(config, f"{role}: {person.name}", person.fingerprint, keyring, now)


def owners_keys(config: Settings, database: Database, keyring: Keyring, now: datetime) -> Iterator[Finding]:
    """The owners can be written to in secret; only what is amiss is told of each."""
    with database.reading() as session:
        owners = session.execute(select(Owner.name, Owner.fingerprint).order_by(Owner.name)).all()
    found = [_of_person(config, f"owner {name}", fingerprint, keyring, now) for name, fingerprint in owners]
    amiss = [finding for finding in found if finding.mend]
    yield from amiss
    if not amiss:
        yield ok(f"all of {len(owners)} owners have a usable key" if owners else "there are no owners yet")


def _people(config: Settings) -> Iterator[tuple[str, Person]]:
    yield from (("triage", person) for person in config.triage)
    for role in ("lead", "on_call", "ciso"):
        person: Person | None = getattr(config, role)
        if person is not None:
            yield role, person


def _of_person(config: Settings, who: str, fingerprint: str, keyring: Keyring, now: datetime) -> Finding:
    if not fingerprint:
        return warning(
            f"{who} has no pinned key and gets mail without content", "pin their key's fingerprint"
        )
    return _usable(config, f"the key of {who}", keyring.facts(fingerprint), fingerprint, now)


def _usable(config: Settings, whose: str, facts: KeyFacts | None, fingerprint: str, now: datetime) -> Finding:
    trouble = trouble_with(facts, now, config.pgp.warn_days)
    if trouble is None:
        ends_at = end_of_sealing(facts) if facts else None
        return ok(f"{whose} can be sealed to{f' until {ends_at:%Y-%m-%d}' if ends_at else ''}: {fingerprint}")
    if trouble.problem == "expires":
        return warning(
            f"{whose}, {fingerprint}, expires on {trouble.ends_at:%Y-%m-%d}", _renewal(config, fingerprint)
        )
    what, mend = TROUBLES[trouble.problem]
    return wrong(f"{whose}, {fingerprint}, {what}", mend or _renewal(config, fingerprint))


def _renewal(config: Settings, fingerprint: str) -> str:
    is_ours = fingerprint == config.pgp.fingerprint
    return "make the next one: meldbalie keys rotate" if is_ours else "have it renewed, and import it"
