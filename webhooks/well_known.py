"""What others look up about us: our OpenPGP key, and whom to tell of a leak.

The key is served for the Web Key Directory (draft-koch-openpgp-webkey-service-19, sections 3.1 and 4.5)
under both of its paths, and armoured at `/key.asc`. `security.txt` is of RFC 9116; it is not signed,
because no secret key is within reach of the web app: TLS says whose it is.
"""

import base64
import hashlib
from datetime import UTC, datetime, time, timedelta

from flask import Blueprint, Response, abort, request
from sqlalchemy import select

from ..mailbox.armour import armoured
from ..models.published_keys import PublishedKey
from .database import db
from .site import site

#: Less than the year that RFC 9116 advises; it is computed by the day, so that it stays the same.
SECURITY_TXT_LASTS = timedelta(days=180)
_BASE_32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_Z_BASE_32 = b"ybndrfg8ejkmcpqxot1uwisza345h769"

well_known = Blueprint("well_known", __name__)


@well_known.get("/.well-known/openpgpkey/hu/<name>")
@well_known.get("/.well-known/openpgpkey/<domain>/hu/<name>")
def web_key(name: str, domain: str | None = None) -> Response:
    """The key of the intake address, found by the hash of its local part; clients may be anywhere."""
    key = _current()
    if key is None or not _is_asked_for(key.address, name, domain, request.args.get("l")):
        abort(404)
    return _for_everybody(Response(key.octets, mimetype="application/octet-stream"))


@well_known.get("/.well-known/openpgpkey/policy")
@well_known.get("/.well-known/openpgpkey/<domain>/policy")
def web_key_policy(domain: str | None = None) -> Response:
    """The file by which a client knows that there is a Web Key Directory; it has nothing to say."""
    if domain is not None and domain.lower() != _domain_of(site().settings.organisation.address):
        abort(404)
    return _for_everybody(Response(b"", mimetype="text/plain"))


@well_known.get("/key.asc")
def armoured_key() -> Response:
    """The current key, armoured."""
    key = _current()
    if key is None:
        abort(404)
    return _armoured(key)


@well_known.get("/keys/<fingerprint>.asc")
def key_by_fingerprint(fingerprint: str) -> Response:
    """The current key or an earlier one, for whoever checks an old mail of ours."""
    key = db.session().get(PublishedKey, fingerprint.upper())
    if key is None:
        abort(404)
    return _armoured(key)


@well_known.get("/.well-known/security.txt")
def security_txt() -> Response:
    """Whom to tell of a leak, and how (RFC 9116)."""
    lines = (f"{name}: {value}\n" for name, value in _security_fields(site().local_now(), _current()))
    return Response("".join(lines), mimetype="text/plain")


def _security_fields(now: datetime, key: PublishedKey | None) -> list[tuple[str, str]]:
    organisation, more = site().settings.organisation, site().settings.security_txt
    here = organisation.public_url.rstrip("/")
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    fields = [
        ("Contact", f"mailto:{organisation.address}"),
        ("Contact", organisation.policy_url),
        ("Expires", f"{midnight + SECURITY_TXT_LASTS:%Y-%m-%dT%H:%M:%SZ}"),
    ]
    if key is not None and (key.expires_at is None or now < key.expires_at):
        fields += [("Encryption", f"{here}/key.asc"), ("Encryption", f"openpgp4fpr:{key.fingerprint}")]
    if more.acknowledgments:
        fields.append(("Acknowledgments", more.acknowledgments))
    fields.append(("Preferred-Languages", "nl, en"))
    fields += [("Canonical", where) for where in (f"{here}/.well-known/security.txt", *more.canonical)]
    return [*fields, ("Policy", organisation.policy_url)]


def _current() -> PublishedKey | None:
    return db.session().scalars(select(PublishedKey).where(PublishedKey.is_current)).first()


def _is_asked_for(address: str, name: str, domain: str | None, local: str | None) -> bool:
    ours = address.rpartition("@")[0]
    return (
        name == web_key_name(ours)
        and (domain is None or domain.lower() == _domain_of(address))
        and (local is None or local.lower() == ours.lower())
    )


def web_key_name(local_part: str) -> str:
    """The name of a key in a Web Key Directory: the SHA-1 of the local part in lower case, in z-base-32."""
    digest = hashlib.sha1(local_part.lower().encode(), usedforsecurity=False).digest()
    return base64.b32encode(digest).translate(bytes.maketrans(_BASE_32, _Z_BASE_32)).decode()


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _armoured(key: PublishedKey) -> Response:
    answer = Response(armoured(key.octets, "PUBLIC KEY BLOCK"), mimetype="application/pgp-keys")
    answer.headers["Content-Disposition"] = f'attachment; filename="{key.fingerprint}.asc"'
    return answer


def _for_everybody(answer: Response) -> Response:
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
