"""How often one address may ask for a secret link, right or wrong; page and API count together.

A token has 192 random bits, so this is against load, not against guessing. Counts are kept per
process with ``memory://`` and for all of them with ``redis://``; when Redis is away, per process.
"""

from ipaddress import IPv6Address, ip_address

from flask import request
from flask_limiter import Limiter
from limits import parse_many

from ..settings import SettingsError, Web
from .site import Site

SUBSCRIBER_BITS = 64  # RFC 6177: one subscriber has at least this much of IPv6 to ask from


def limiter_for(app: Site) -> Limiter:
    """The limiter of one app; which pages it guards is said with :func:`guard`."""
    web = app.settings.web
    _check(web)
    return Limiter(
        key_func=who_asks,
        app=app,
        storage_uri=web.rate_limit_storage,
        strategy="moving-window",
        in_memory_fallback_enabled=True,
        in_memory_fallback=[web.rate_limit],
    )


def _check(web: Web) -> None:
    try:
        parse_many(web.rate_limit)
    except ValueError:
        raise SettingsError(
            f"web.rate_limit = {web.rate_limit!r} is not understood: give a number and a period,"
            " such as 60 per minute"
        ) from None


def who_asks() -> str:
    """The address that a request came from; of IPv6 the network of one subscriber."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> SUBSCRIBER_BITS << SUBSCRIBER_BITS)}/{SUBSCRIBER_BITS}"
