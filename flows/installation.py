"""One installation, ready to work: configuration, database, keyring, mail servers, promise, clock.

Flows and commands get all that they work with from here, so that a test can hand them another.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from ..mailbox.access_token import AccessTokens, TokenEndpoint, TokenFile
from ..mailbox.imap import ImapAccount
from ..mailbox.keyring import Keyring
from ..mailbox.limits import Limits
from ..mailbox.smtp import SmtpServer
from ..models.calendar import Duration
from ..models.clock_rules import Statutory
from ..models.due import calendar_from
from ..models.promise import NO_ROTA, Correspondent, Promise, RungPlan
from ..models.rota_file import KnownPeople, RotaFile
from ..models.session import Database
from ..models.vault import vault
from ..settings import Ibd, Imap, Person, Rung, Settings, SettingsError, Smtp, read_secret, settings


@dataclass(frozen=True)
class Records:
    """What the desk knows and promises: enough to look things up, without keys or mail servers."""

    config: Settings
    database: Database
    promise: Promise
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Installation(Records):
    """Everything that a flow works with."""

    keyring: Keyring
    imap: ImapAccount
    smtp: SmtpServer
    limits: Limits

    @property
    def loop_marker(self) -> str:
        """The value of the X-Loop header by which our own mail is known when it comes back."""
        return self.config.organisation.address


def utc_now() -> datetime:
    """The present."""
    return datetime.now(UTC)


@cache
def installation() -> Installation:
    """The installation that this process works for."""
    return install(settings(), clock=utc_now)


@cache
def records() -> Records:
    """The records of this installation, for commands that neither read nor send mail."""
    return open_records(settings(), clock=utc_now)


def install(config: Settings, *, clock: Callable[[], datetime]) -> Installation:
    """Open what the configuration names; raises :class:`SettingsError` with the way out."""
    return Installation(
        **vars(open_records(config, clock=clock)),
        keyring=open_keyring(config),
        imap=imap_account(config),
        smtp=smtp_server(config),
        limits=Limits(**config.limits.model_dump()),
    )


def open_records(config: Settings, *, clock: Callable[[], datetime]) -> Records:
    """Open the database and unlock its protected columns; raises :class:`SettingsError`."""
    unlock_vault(config)
    return Records(config=config, database=open_database(config), promise=promise(config), clock=clock)


def unlock_vault(config: Settings) -> None:
    """Give this process the application keys."""
    keys = read_secret(config.database.application_keys_file)
    if not keys or not keys.split():
        raise SettingsError(
            f"database.application_keys_file = {config.database.application_keys_file}: the file holds"
            " no key; `meldbalie init` makes one"
        )
    vault.unlock(keys.split())


def open_database(config: Settings) -> Database:
    """The database, connected when it is first used."""
    return Database(config.database.url, read_secret(config.database.password_file))


def open_keyring(config: Settings) -> Keyring:
    """The keyring with the intake key and the pinned keys."""
    passphrase = read_secret(config.pgp.passphrase_file)
    return Keyring(config.pgp.home, passphrase=passphrase, timeout=config.pgp.timeout_seconds)


def imap_account(config: Settings) -> ImapAccount:
    """The intake mailbox."""
    imap = config.imap
    return ImapAccount(
        host=imap.host,
        port=imap.port,
        security=imap.security,
        user=imap.user,
        password=_password(imap),
        tokens=access_tokens(config) if imap.login == "token" else None,
        ca_file=imap.ca_file,
        timeout=imap.timeout_seconds,
        inbox=imap.inbox,
        archive=imap.archive,
        quarantine=imap.quarantine,
        junk=imap.junk,
    )


def smtp_server(config: Settings) -> SmtpServer:
    """The server that takes our mail."""
    smtp = config.smtp
    return SmtpServer(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        user=smtp.user,
        password=_password(smtp),
        tokens=access_tokens(config) if smtp.login == "token" else None,
        ca_file=smtp.ca_file,
        timeout=smtp.timeout_seconds,
    )


def access_tokens(config: Settings) -> AccessTokens:
    """Where access tokens come from; raises :class:`SettingsError` where that is not said."""
    oauth = config.oauth
    if bool(oauth.token_file) == bool(oauth.token_url):
        raise SettingsError(
            'a login is set to "token": give either oauth.token_file or oauth.token_url, so that it is'
            " known where access tokens come from"
        )
    if oauth.token_file:
        return TokenFile(oauth.token_file)
    if not oauth.client_id or not (oauth.client_secret_file or oauth.refresh_token_file):
        raise SettingsError(
            f"oauth.token_url = {oauth.token_url}: give oauth.client_id as well, and"
            " oauth.client_secret_file or oauth.refresh_token_file or both"
        )
    return TokenEndpoint(
        url=oauth.token_url,
        client_id=oauth.client_id,
        client_secret=read_secret(oauth.client_secret_file) or "",
        refresh_token_file=oauth.refresh_token_file,
        scope=oauth.scope,
        ca_file=oauth.ca_file,
        timeout=oauth.timeout_seconds,
    )


def _password(server: Imap | Smtp) -> str:
    return "" if server.login == "token" else read_secret(server.password_file) or ""


def promise(config: Settings) -> Promise:
    """The promise as it is configured."""
    return Promise(
        response=Duration.parse(config.clocks.response),
        share=timedelta(minutes=config.clocks.share_minutes),
        calendar=calendar_from(working_time(config)),
        ladder=_rungs(config.clocks.ladder),
        triage=tuple(_correspondent(person) for person in config.triage),
        ibd=_correspondent(config.ibd),
        lead=_correspondent(config.lead) if config.lead else None,
        on_call=_correspondent(config.on_call) if config.on_call else None,
        ciso=_correspondent(config.ciso) if config.ciso else None,
        update=Duration.parse(config.clocks.update),
        statutory=tuple(Statutory(**law.model_dump()) for law in config.clocks.statutory),
        ladders={name: _rungs(rungs) for name, rungs in config.clocks.ladders.items()},
        rota=rota_file(config) or NO_ROTA,
    )


def rota_file(config: Settings) -> RotaFile | None:
    """The on-call rota, if there is one."""
    if config.rota.file is None:
        return None
    staff = (config.lead, config.on_call, config.ciso)
    people = [*config.rota.people, *config.triage, *(one for one in staff if one)]
    return RotaFile(
        config.rota.file,
        config.organisation.zone,
        KnownPeople.of(_correspondent(one) for one in people),
        last_good=config.rota.last_good,
    )


def working_time(config: Settings) -> dict[str, Any]:
    """The calendar of the settings as ``meldbalie due`` reads it."""
    time = config.working_time
    hours = {day: [list(span) for span in spans] for day, spans in time.hours.items()}
    mapping: dict[str, Any] = {"zone": config.organisation.zone, "hours": hours}
    if time.dutch_holidays:
        days = {"good_friday": time.good_friday, "liberation_day": time.liberation_day}
        mapping["holidays"] = {"country": "NL"} | days
    return mapping


def _rungs(rungs: Iterable[Rung]) -> tuple[RungPlan, ...]:
    return tuple(
        RungPlan(
            share=rung.share,
            tell=tuple(rung.tell),
            offset=None if rung.offset_hours is None else timedelta(hours=rung.offset_hours),
            acknowledge=timedelta(minutes=rung.acknowledge_minutes) if rung.acknowledge_minutes else None,
            at_any_hour=rung.at_any_hour,
            words=rung.words,
        )
        for rung in rungs
    )


def _correspondent(person: Person | Ibd) -> Correspondent:
    return Correspondent(person.name, person.address, person.fingerprint)
