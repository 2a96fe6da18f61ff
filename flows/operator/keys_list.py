"""What ``keys list`` shows: our keys, the people's, and reporters as numbers without identity."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ...mailbox.keyring import Keyring
from ...mailbox.keys import KeyFacts
from ...models.outbox import Mail, MailKind
from ...models.states import TicketState
from ...models.ticket import Ticket
from ..installation import Records
from ..key_ends import KeyTrouble, end_of_sealing
from ..key_watch import INTAKE, WatchedKey, known_keys, reporters_keys, watch_keys, watched_keys

PROBLEMS = {
    "missing": "NOT IN THE KEYRING",
    "revoked": "REVOKED",
    "expired": "EXPIRED",
    "no_encryption_key": "CANNOT ENCRYPT",
    "expires": "expires soon",
}


def show(place: Records, keyring: Keyring) -> int:
    """Print the list; 1 when nothing can be sealed to one of the keys."""
    keys, own, now = known_keys(keyring), keyring.own_keys(), place.clock()
    with place.database.reading() as session:
        watched = watched_keys(session, place.config, place.promise, keys, now)
        for one in watched:
            print(_of(one))
        current = place.config.pgp.fingerprint
        for key in own:
            if key.fingerprint != current:
                print(f"{'earlier intake key':20}  {line(key)}  still opens")
        for sentence in _reporters(session, place, keys):
            print(sentence)
    named = {one.holder.fingerprint for one in watched} | {key.fingerprint for key in own}
    print(f"other keys in the keyring: {len(keys.keys() - named)}")
    return 1 if any(one.trouble and one.trouble.is_unusable for one in watched) else 0


def warn(place: Records, keyring: Keyring) -> int:
    """Warn as every sweep does, and say what is wrong."""
    before = _warnings(place)
    failed = watch_keys(place, keyring, whole=True)
    with place.database.reading() as session:
        keys, now = known_keys(keyring), place.clock()
        for one in watched_keys(session, place.config, place.promise, keys, now):
            if one.trouble:
                print(_of(one))
    for failure in failed:
        print(failure)
    print(f"mails written: {_warnings(place) - before}")
    return 1 if failed else 0


def _warnings(place: Records) -> int:
    written = select(func.count(Mail.id)).where(Mail.kind.in_((MailKind.KEY_WARNING, MailKind.KEY_ALARM)))
    with place.database.reading() as session:
        return session.scalar(written) or 0


def line(key: KeyFacts) -> str:
    """A key on one line: fingerprint, how long, how strong, whose."""
    ends_at = end_of_sealing(key)
    until = f"expires {ends_at:%Y-%m-%d}" if ends_at else "does not expire"
    strength = "/".join(dict.fromkeys(sub.strength for sub in key.subkeys if not sub.is_revoked))
    return f"{key.fingerprint}  {until}  {strength}  {', '.join(key.addresses)}"


def _of(one: WatchedKey) -> str:
    who = "intake key" if one.role == INTAKE else f"{one.role} {one.holder.name}".strip()
    shown = line(one.facts) if one.facts else one.holder.fingerprint
    return f"{who:20}  {shown}{_in_words(one.trouble)}"


def _in_words(trouble: KeyTrouble | None) -> str:
    return f"  {PROBLEMS[trouble.problem]}" if trouble else ""


def _reporters(session: Session, place: Records, keys: dict[str, KeyFacts]) -> Iterator[str]:
    with_key = reporters_keys(session, place.config, keys, place.clock())
    count = select(func.count(Ticket.id)).where(Ticket.state != TicketState.CLOSED)
    total = session.scalar(count) or 0
    amiss = Counter(trouble.problem for _, trouble in with_key if trouble)
    found = "".join(f", {number} {PROBLEMS[problem]}" for problem, number in sorted(amiss.items()))
    yield f"reporters of open tickets: {len(with_key)} with a key{found}, {total - len(with_key)} without"
