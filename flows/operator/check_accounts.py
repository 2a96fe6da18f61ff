"""What `meldbalie check` finds about accounts at the reverse proxy: a handler without one cannot answer."""

from collections.abc import Iterator

from ...settings import Settings
from .finding import Finding, ok, warning


def accounts(config: Settings) -> Iterator[Finding]:
    """Every handler without an account, where a proxy names accounts."""
    if not config.prefect.account_header:
        yield ok("no proxy names them (prefect.account_header is empty): the form asks who it is")
        return
    without = [person.name for person in config.triage if not person.account]
    for name in without:
        yield warning(
            f"handler {name} has no account, and every answer of theirs in a form is refused",
            "set their account to the login name that the proxy knows",
        )
    if not without:
        yield ok(f"every handler has one; the proxy names it in {config.prefect.account_header}")
