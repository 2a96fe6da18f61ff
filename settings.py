"""What an operator may decide: the only reader of the environment and of ``meldbalie.toml``.

Values come, strongest first, from the environment (``MELDBALIE_IMAP__HOST``), from the file named
by ``MELDBALIE_CONFIG`` (else ``./meldbalie.toml``), from the defaults below. Secrets are never values
here: a setting names the file that holds one, and :func:`read_secret` reads it when it is needed.
The configuration reference in docs/ is made from this module (``meldbalie settings``).
"""

import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .mailbox.answer_templates import checked
from .mailbox.limits import Limits as Bounds
from .models.calendar import BadDuration, Duration, Unit
from .models.clock_rules import FIX, RESPONSE, SHARE, UPDATE

CONFIG_VARIABLE = "MELDBALIE_CONFIG"
DEFAULT_CONFIG = Path("meldbalie.toml")


class SettingsError(Exception):
    """The configuration cannot be used; the message names the setting, its value, the way out."""


def _full_fingerprint(value: str) -> str:
    fingerprint = value.replace(" ", "").upper()
    if fingerprint and (len(fingerprint) != 40 or any(c not in "0123456789ABCDEF" for c in fingerprint)):
        raise ValueError("give the full fingerprint: 40 hexadecimal digits, as gpg -K shows it")
    return fingerprint


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("give a zone of the IANA database, such as Europe/Amsterdam")
    return value


def _mail_address(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not local or not domain or any(c.isspace() or c in "<>,;" for c in value):
        raise ValueError("give one bare mail address, such as cvd@voorbeeld.example")
    return value


#: Ten years in each unit; what is longer is a slip of the pen.
_LONGEST = {
    Unit.DAYS: 3_650,
    Unit.WORKING_DAYS: 2_600,
    Unit.BUSINESS_HOURS: 87_600,
    Unit.BUSINESS_MINUTES: 5_256_000,
    Unit.BUSINESS_SECONDS: 315_360_000,
}


def _duration(value: str) -> str:
    try:
        duration = Duration.parse(value)
    except BadDuration as error:
        raise ValueError(str(error)) from None
    if not 1 <= duration.amount <= _LONGEST[duration.unit]:
        raise ValueError(
            f"give 1{duration.unit} at least and {_LONGEST[duration.unit]}{duration.unit} at most"
        )
    return value


def _web_address(value: str) -> str:
    if value:
        AnyHttpUrl(value)
    return value


Address = Annotated[str, AfterValidator(_mail_address)]
Fingerprint = Annotated[str, AfterValidator(_full_fingerprint)]
Period = Annotated[str, AfterValidator(_duration)]
Zone = Annotated[str, AfterValidator(_known_zone)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Section(BaseModel):
    """A table of the configuration file; an unknown name in it is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(Section):
    """Somebody who gets mail from us: a handler, a team lead, the CISO."""

    name: str = Field(description="How the history and the forms name them.")
    address: Address = Field(description="Where their mail goes.")
    fingerprint: Fingerprint = Field(
        default="", description="Their pinned key. Without one they get content-free mail only."
    )
    account: str = Field(
        default="", description="Their login name at the reverse proxy, if `prefect.account_header` is set."
    )


class Organisation(Section):
    """Who makes the promise."""

    name: str = Field(default="Gemeente Voorbeeld", description="As it stands in mails and on pages.")
    address: Address = Field(
        default="cvd@voorbeeld.example", description="The intake address: From of every mail that leaves."
    )
    plus_addresses: bool = Field(
        default=True,
        description="Whether the server delivers mail for `local+anything@domain` to the intake address:"
        " replies and bounces then find their ticket by it. Without, only by the mail that they answer.",
    )
    policy_url: str = Field(
        default="https://voorbeeld.example/cvd", description="Where the CVD policy is published."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8600", description="Where reporters reach the web app, without a slash."
    )
    zone: Zone = Field(default="Europe/Amsterdam", description="The zone that days are counted in.")


class Imap(Section):
    """The intake mailbox."""

    host: str = Field(default="127.0.0.1", description="The IMAP server.")
    port: int = Field(default=993, ge=1, le=65535, description="Its port.")
    security: Literal["tls", "starttls", "none"] = Field(
        default="tls",
        description="How the connection is protected; `none` is refused beyond loopback.",
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust instead of the system's, for a private authority."
    )
    user: str = Field(default="", description="The login name.")
    login: Literal["password", "token"] = Field(
        default="password", description="What we log in with: the password, or an access token of `[oauth]`."
    )
    password_file: Path | None = Field(default=None, description="The file that holds the password.")
    inbox: str = Field(default="INBOX", description="Where reports arrive.")
    archive: str = Field(default="Archive", description="Where a message goes once it is filed.")
    quarantine: str = Field(default="Quarantine", description="Where a message goes that keeps failing.")
    junk: str = Field(
        default="", description="Where the server puts spam; empty: the folder that it marks as such, if any."
    )
    timeout_seconds: int = Field(default=30, ge=1, description="For connecting and for each answer.")
    poll_seconds: float = Field(
        default=15, gt=0, le=20, description="How long the poller waits for new mail before it looks again."
    )


class Smtp(Section):
    """How mail leaves."""

    host: str = Field(default="127.0.0.1", description="The SMTP server (a submission server or relay).")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    security: Literal["tls", "starttls", "none"] = Field(
        default="starttls",
        description="How the connection is protected; `none` is refused beyond loopback.",
    )
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead of the system's.")
    user: str = Field(default="", description="The login name; empty for a relay that asks for none.")
    login: Literal["password", "token"] = Field(
        default="password", description="What we log in with: the password, or an access token of `[oauth]`."
    )
    password_file: Path | None = Field(default=None, description="The file that holds the password.")
    timeout_seconds: int = Field(default=30, ge=1, description="For connecting and for each answer.")
    retry_minutes: list[float] = Field(
        default=[1, 5, 15, 60, 240, 720, 1440, 1440],
        description="Waits between attempts; after the last one the mail is parked for a handler.",
    )


class Oauth(Section):
    """Access tokens for mail servers that want no password (Microsoft 365, Gmail): XOAUTH2, OAUTHBEARER."""

    token_file: Path | None = Field(
        default=None,
        description="A file in which another program keeps a fresh access token; or else give `token_url`.",
    )
    token_url: WebAddress = Field(default="", description="The token endpoint of the identity provider.")
    client_id: str = Field(default="", description="The name that the identity provider knows us by.")
    client_secret_file: Path | None = Field(
        default=None, description="The file that holds the client secret, if there is one."
    )
    refresh_token_file: Path | None = Field(
        default=None,
        description="The file that holds the refresh token, which we replace when we get a new one."
        " Without one the client acts for itself (client credentials).",
    )
    scope: str = Field(default="", description="What is asked for, as the mail provider names it.")
    ca_file: Path | None = Field(default=None, description="Certificates to trust instead of the system's.")
    timeout_seconds: int = Field(default=30, ge=1, description="For connecting and for the answer.")


class Pgp(Section):
    """The intake key and the keyring it lies in."""

    home: Path = Field(
        default=Path("var/gnupg"), description="The GNUPGHOME; gpg wants its path under 87 characters."
    )
    fingerprint: Fingerprint = Field(default="", description="The intake key.")
    passphrase_file: Path | None = Field(
        default=None, description="The file that holds the key's passphrase, if it has one."
    )
    timeout_seconds: float = Field(default=30, gt=0, description="For each call of gpg.")
    warn_days: list[Annotated[int, Field(ge=1)]] = Field(
        default=[30, 7, 1],
        description="How many days before a key expires handlers are warned, and whoever holds it.",
    )


class SecurityTxt(Section):
    """What `/.well-known/security.txt` says besides (RFC 9116)."""

    canonical: list[str] = Field(
        default=[],
        description="Where else it is served, such as https://voorbeeld.example/.well-known/security.txt.",
    )
    acknowledgments: str = Field(default="", description="The page that thanks finders, if there is one.")


class Database(Section):
    """The truth."""

    url: str = Field(
        default="sqlite:///var/meldbalie.db",
        description="An SQLAlchemy URL: sqlite:///path or postgresql+psycopg://user@host/name.",
    )
    password_file: Path | None = Field(
        default=None, description="The file that holds the database password, so that the URL has none."
    )
    application_keys_file: Path = Field(
        default=Path("secrets/application.keys"),
        description="Keys that protect columns: one a line, the newest first; old ones still open.",
    )


class Ibd(Section):
    """The sectoral CERT; it always gets a copy."""

    name: str = Field(default="IBD", description="As the history names it.")
    address: Address = Field(default="ibd@voorbeeld.example", description="Where copies go.")
    fingerprint: Fingerprint = Field(
        default="", description="The pinned key that copies are sealed to. Without it copies are parked."
    )


class Rung(Section):
    """One step of an escalation ladder."""

    share: float | None = Field(
        default=None, gt=0, le=100, description="When: this share of the clock has run (1.0: it is due)."
    )
    offset_hours: float | None = Field(
        default=None,
        ge=-87_600,
        le=87_600,
        description="Or when: so many hours after the clock is due; negative: before.",
    )
    tell: list[Literal["owner", "handlers", "lead", "on_call", "ciso"]] = Field(
        min_length=1, description="Who is told."
    )
    acknowledge_minutes: int | None = Field(
        default=None,
        ge=1,
        le=525_600,
        description="If nobody has said within it that they saw it, the next rung fires.",
    )
    at_any_hour: bool = Field(
        default=False,
        description="Whether all are mailed at once; else outside business hours only the person on call is.",
    )
    words: Literal["reminder", "escalation", "breach"] = Field(
        default="reminder", description="What the mail says first."
    )

    @model_validator(mode="after")
    def _has_one_moment(self) -> Self:
        if (self.share is None) == (self.offset_hours is None):
            raise ValueError("give either share or offset_hours")
        return self


_NAME = r"^[a-z][a-z0-9_]{0,39}$"
_CLOCKS = (RESPONSE.value, SHARE.value, UPDATE.value, FIX.value)


class StatutoryClock(Section):
    """A clock that a law starts with a milestone, such as the early warning of NIS2 or the CRA."""

    name: str = Field(pattern=_NAME, description="As histories name it.")
    hours: int = Field(ge=1, le=87_600, description="How long it runs, day and night.")
    starts_on: str = Field(default="exploited", pattern=_NAME, description="The milestone that starts it.")
    stops_on: str = Field(pattern=_NAME, description="The milestone that stops it.")

    @field_validator("name")
    @classmethod
    def _is_not_ours(cls, name: str) -> str:
        if name in _CLOCKS:
            raise ValueError(f"{name} is a clock of every ticket: give the clock of the law another name")
        return name

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.starts_on == self.stops_on:
            raise ValueError(
                f"{self.name} starts and stops on {self.starts_on!r}, so it would never run:"
                " give another milestone in stops_on"
            )
        return self


class Clocks(Section):
    """Durations: `5d` calendar days, `5wd` working days, `40bh`/`90bm`/`30bs` business time."""

    response: Period = Field(default="5d", description="From arrival until an answer is delivered.")
    share_minutes: int = Field(
        default=60, ge=1, le=525_600, description="From arrival until the IBD has its copy."
    )
    update: Period = Field(default="14d", description="The longest silence towards the reporter.")
    statutory: list[StatutoryClock] = Field(default=[], description="Clocks of laws; none by default.")
    ladder: list[Rung] = Field(
        default=[
            Rung(share=0.5, tell=["owner"]),
            Rung(share=0.8, tell=["lead", "on_call"], words="escalation"),
            Rung(share=1.0, tell=["ciso"], words="breach"),
        ],
        description="The rungs of the response clock.",
    )
    ladders: dict[str, list[Rung]] = Field(
        default={
            "update": [Rung(share=0.8, tell=["owner", "handlers"]), Rung(share=1.0, tell=["lead"])],
            "fix": [
                Rung(offset_hours=-72, tell=["owner"]),
                Rung(share=1.0, tell=["owner", "handlers", "lead"]),
            ],
        },
        description="The rungs of the other clocks, by name; each also tells the handlers when it is due.",
    )
    sweep_minutes: float = Field(default=5, gt=0, le=1440, description="How often the ladder is looked at.")

    @field_validator("statutory")
    @classmethod
    def _differ(cls, laws: list[StatutoryClock]) -> list[StatutoryClock]:
        names = [law.name for law in laws]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two clocks are called {twice[0]}: give each a name of its own")
        return laws

    @field_validator("ladders")
    @classmethod
    def _belong_to_clocks(
        cls, ladders: dict[str, list[Rung]], others: ValidationInfo
    ) -> dict[str, list[Rung]]:
        if RESPONSE in ladders:
            raise ValueError("the ladder of the response clock is clocks.ladder: move its rungs there")
        laws: list[StatutoryClock] | None = others.data.get("statutory")
        known = [*_CLOCKS[1:], *(law.name for law in laws or ())]
        if laws is not None and (unknown := [name for name in ladders if name not in known]):
            raise ValueError(f"there is no clock {unknown[0]}: give the ladder of one of {', '.join(known)}")
        return ladders


class WorkingTime(Section):
    """When the organisation is open: for working days, business hours, and who is mailed when."""

    hours: dict[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], list[tuple[str, str]]] = Field(
        default={day: [("09:00", "17:00")] for day in ("mon", "tue", "wed", "thu", "fri")},
        description="Opening hours by weekday; 24:00 is the end of the day.",
    )
    dutch_holidays: bool = Field(
        default=True, description="Whether it is closed on the public holidays of the Netherlands."
    )
    good_friday: bool = Field(default=False, description="Whether it is closed on Good Friday.")
    liberation_day: bool | Literal["lustrum"] = Field(
        default=False, description="Whether it is closed on 5 May; `lustrum`: once in five years."
    )


class Rota(Section):
    """The on-call rota (piketdienst). In a gap `on_call` is told, else the lead, else triage."""

    file: Path | None = Field(
        default=None,
        description="A table (CSV: from, until, name, address, fingerprint) or a calendar (`.ics`) of"
        " shifts; it is read anew when it changes.",
    )
    last_good: Path = Field(
        default=Path("var/last-good-rota"),
        description="Where a copy of the last one that could be used is kept, with the ending of `file`;"
        " it holds while the file cannot be used.",
    )
    people: list[Person] = Field(
        default=[], description="Who may be named in it besides the people of these settings."
    )
    warn_days: int = Field(
        default=7, ge=1, le=30, description="How long before a gap begins handlers are told of it."
    )


class LastResort(Section):
    """What is run when mail does not do: a rung that reaches nobody, a flow that does not run."""

    command: list[str] = Field(
        default=[],
        description="A program and its arguments, for an SMS gateway or a chat. It is started with a line of"
        " JSON on its input (kind, reference, clock, rung; never a word of a report) and has to end with 0."
        " Without one the sweep fails in Prefect.",
    )
    after_minutes: float = Field(
        default=15, gt=0, le=1440, description="How long a rung may reach nobody before the program is run."
    )
    timeout_seconds: float = Field(default=30, gt=0, le=600, description="How long the program may take.")


class Intake(Section):
    """How incoming mail is treated."""

    tries: int = Field(default=5, ge=1, description="Failures of one message before it is quarantined.")
    notes_per_hour: int = Field(
        default=20,
        ge=0,
        description="How many senders an hour are told that their message cannot be opened; one sender is"
        " told once a day.",
    )


_BOUNDS = Bounds()


class Limits(Section):
    """How much of a message is looked at; what is beyond is kept, and the limit is named to handlers."""

    size: int = Field(default=_BOUNDS.size, ge=2**10, description="Bytes of a message.")
    parts: int = Field(default=_BOUNDS.parts, ge=1, description="Parts of a message, at all depths together.")
    depth: int = Field(default=_BOUNDS.depth, ge=1, le=100, description="Parts inside each other.")
    headers: int = Field(default=_BOUNDS.headers, ge=10, description="Header fields; a tenth in a part.")
    header: int = Field(default=_BOUNDS.header, ge=2**10, description="Bytes of one header field.")
    header_block: int = Field(default=_BOUNDS.header_block, ge=2**10, description="Bytes of all of them.")
    addresses: int = Field(default=_BOUNDS.addresses, ge=1, description="Addresses in one header field.")
    text: int = Field(default=_BOUNDS.text, ge=2**10, description="Characters of the text that is shown.")
    html: int = Field(
        default=_BOUNDS.html,
        ge=0,
        description="Characters of HTML that are laid out, not only read.",
    )
    sealed: int = Field(default=_BOUNDS.sealed, ge=1, description="Sealed or signed pieces: runs of gpg.")
    layers: int = Field(default=_BOUNDS.layers, ge=1, le=20, description="Sealed messages inside each other.")
    keys: int = Field(default=_BOUNDS.keys, ge=1, description="Offered keys that are examined.")
    targets: int = Field(default=_BOUNDS.targets, ge=1, description="Hosts and addresses that are named.")


class Audit(Section):
    """The comparison of mailbox, ledger, tickets and outbox."""

    every_minutes: float = Field(default=60, gt=0, description="How often they are compared.")
    patience_minutes: float = Field(
        default=30, gt=0, description="How long a message or a mail may be under way before that is alarming."
    )
    most_taken_in: int = Field(
        default=20,
        ge=0,
        description="So many messages that the ledger lacks are taken in from one folder unasked; more wait"
        " for `meldbalie audit --take-in`.",
    )


class Most(Section):
    """A bound on automatic mail to one address."""

    mails: int = Field(ge=1, description="So many mails.")
    minutes: float = Field(gt=0, description="In so many minutes.")


class Loops(Section):
    """When machines that answer each other are stopped: mail beyond these bounds is parked."""

    per_ticket: list[Most] = Field(
        default=[Most(mails=10, minutes=10), Most(mails=30, minutes=24 * 60)],
        description="Automatic mail to one address about one ticket.",
    )
    per_address: list[Most] = Field(
        default=[Most(mails=30, minutes=10), Most(mails=60, minutes=60), Most(mails=150, minutes=24 * 60)],
        description="Automatic mail to one address that wrote to us, about all its tickets.",
    )


class Prefect(Section):
    """Where the flows run."""

    api_url: str = Field(
        default="", description="An existing Prefect server's API. Empty: `meldbalie up` starts its own."
    )
    port: int = Field(default=4200, ge=1, le=65535, description="Port of the server that `up` starts.")
    home: Path = Field(default=Path("var/prefect"), description="The server's and the runner's files.")
    auth_file: Path | None = Field(
        default=None,
        description="File with the `user:password` of the server and its UI; without one nobody is asked.",
    )
    encryption_key_file: Path | None = Field(
        default=None,
        description="A Fernet key for Prefect's secret blocks; without one it lies in its database.",
    )
    ui_url: str = Field(default="", description="Where handlers reach the UI, if not at the API's host.")
    account_header: str = Field(
        default="",
        pattern=r"^([A-Za-z][A-Za-z0-9-]*)?$",
        description="The header in which the reverse proxy names who logged in, such as `X-Remote-User`. An"
        " answer in a form then has to come from the `account` of the person that it names.",
    )
    shift_minutes: float = Field(
        default=60,
        gt=0,
        description="How long one run of intake or deliver works before the next takes over.",
    )
    reconcile_minutes: float = Field(
        default=1, gt=0, description="How often stopped flows are started, and old runs deleted."
    )

    @field_validator("account_header")
    @classmethod
    def _is_for_our_own_server(cls, header: str, others: ValidationInfo) -> str:
        if header and (elsewhere := others.data.get("api_url")):
            raise ValueError(
                f"the server at {elsewhere} (api_url) does not take accounts to us, only the one that"
                " `meldbalie up` starts does: leave one of the two settings empty"
            )
        return header


class AnswerText(Section):
    """A text that handlers choose for an answer or a question."""

    name: str = Field(
        min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$", description="How it is chosen."
    )
    nl: Annotated[str, AfterValidator(checked)] = Field(default="", description="In Dutch.")
    en: Annotated[str, AfterValidator(checked)] = Field(default="", description="In English.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.nl.strip() or self.en.strip()):
            raise ValueError(f"the text {self.name!r} is empty: give it in Dutch (nl) or English (en)")
        return self


class Desk(Section):
    """How handlers work."""

    second_factor: Literal["link", "pin"] = Field(
        default="link",
        description="How handlers prove who they are when they close, join or release: a link in the mail"
        " sealed to their key, or a personal PIN (`meldbalie pins set NAME`).",
    )
    confirm_hours: float = Field(default=24, gt=0, le=720, description="How long such a link can be used.")
    owner_files: Path | None = Field(
        default=None,
        description="The directory from which the deployment `import-owners` takes CSV files. Without one"
        " owners are imported by command alone.",
    )
    answers: list[AnswerText] = Field(
        default=[],
        description="Texts for answers and questions; `{reference}`, `{fix_date}` and `{organisation}` are"
        " filled in. Without any, handlers are offered five of ours, in both languages.",
    )

    @field_validator("answers")
    @classmethod
    def _have_names(cls, answers: list[AnswerText]) -> list[AnswerText]:
        names = [answer.name for answer in answers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two texts are called {twice[0]!r}: give each a name of its own")
        return answers


class Web(Section):
    """The status pages."""

    host: str = Field(default="127.0.0.1", description="The address that the web app listens on.")
    port: int = Field(default=8600, ge=1, le=65535, description="Its port.")
    workers: int = Field(default=2, ge=1, description="Web processes.")
    proxies: int = Field(
        default=0,
        ge=0,
        description="Reverse proxies in front whose X-Forwarded headers are to be believed.",
    )
    rate_limit: str = Field(default="60 per minute", description="Requests for a secret link, per address.")
    rate_limit_storage: str = Field(
        default="memory://", description="Where counts are kept; a redis:// URL with several web machines."
    )
    publish_report: bool = Field(
        default=False,
        description="Whether `/promise` shows everybody how the promise was kept, in whole years.",
    )
    publish_minimum: int = Field(
        default=5, ge=3, description="A smaller number of reports than this is not published."
    )


class Logs(Section):
    """Where the processes that `up` starts write to."""

    to: Literal["files", "stdout"] = Field(
        default="files", description="A file each, or our standard output for systemd and containers."
    )
    directory: Path = Field(default=Path("var/log"), description="Where the files lie.")
    max_bytes: int = Field(
        default=10 * 2**20, ge=2**16, description="A larger file is put away as `.1` and begun again."
    )


class Settings(BaseSettings):
    """The whole configuration of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="MELDBALIE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    organisation: Organisation = Organisation()
    imap: Imap = Imap()
    smtp: Smtp = Smtp()
    oauth: Oauth = Oauth()
    pgp: Pgp = Pgp()
    security_txt: SecurityTxt = SecurityTxt()
    database: Database = Database()
    ibd: Ibd = Ibd()
    triage: list[Person] = Field(
        default=[], description="Handlers: told of every ticket, and the owner of what nobody owns."
    )
    lead: Person | None = Field(default=None, description="The team lead.")
    on_call: Person | None = Field(default=None, description="Who is on call (piketdienst).")
    ciso: Person | None = Field(default=None, description="The CISO.")
    clocks: Clocks = Clocks()
    working_time: WorkingTime = WorkingTime()
    rota: Rota = Rota()
    alarm: LastResort = LastResort()
    intake: Intake = Intake()
    loops: Loops = Loops()
    limits: Limits = Limits()
    audit: Audit = Audit()
    prefect: Prefect = Prefect()
    desk: Desk = Desk()
    web: Web = Web()
    logs: Logs = Logs()

    @property
    def prefect_api(self) -> str:
        """The API that our processes talk to."""
        return self.prefect.api_url or f"http://127.0.0.1:{self.prefect.port}/api"

    @property
    def prefect_ui(self) -> str:
        """Where handlers find the Prefect UI, without a slash at the end."""
        return (self.prefect.ui_url or self.prefect_api.removesuffix("/api")).rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())


def config_file() -> Path:
    """The configuration file in use; it need not exist."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def use(file: Path) -> Settings:
    """Work with another configuration file from here on, this process and what it starts."""
    os.environ[CONFIG_VARIABLE] = str(file.absolute())
    settings.cache_clear()
    return settings()


@cache
def settings() -> Settings:
    """Read the configuration once; raises :class:`SettingsError` that names each wrong setting."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_in_words(error)) from None
    except ValueError as error:  # the file is not TOML
        raise SettingsError(f"{config_file()}: {error}") from None


def _in_words(error: ValidationError) -> str:
    lines = [f"{config_file()} or the environment has settings that cannot be used:"]
    for wrong in error.errors(include_url=False):
        name = ".".join(str(part) for part in wrong["loc"])
        lines.append(f"  {name} = {wrong['input']!r}: {wrong['msg']}")
    return "\n".join(lines)


def read_secret(file: Path | None) -> str | None:
    """The secret in a file, without the line end; ``None`` where no file is configured."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(
            f"the secret file {file} cannot be read ({error.strerror}): make it, readable for"
            " the account that runs Meldbalie only, or correct the setting that names it"
        ) from None


def prefect_variables(config: Settings, api_url: str) -> dict[str, str]:
    """The environment of every process that uses Prefect: own files, no telemetry, our credentials."""
    variables = {
        "PREFECT_HOME": str(config.prefect.home.absolute()),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_COLORS": "false",
    }
    if credentials := read_secret(config.prefect.auth_file):
        variables["PREFECT_API_AUTH_STRING"] = credentials
    return variables


def retry_waits(config: Settings) -> list[timedelta]:
    """The waits between attempts to deliver one mail."""
    return [timedelta(minutes=minutes) for minutes in config.smtp.retry_minutes]
