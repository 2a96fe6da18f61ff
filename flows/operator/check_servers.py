"""Checks of the servers: mail in and out, Prefect, the web app."""

import json
from collections.abc import Iterator
from importlib.metadata import version

from ...mailbox.imap import IntakeMailbox
from ...mailbox.smtp import check
from ...settings import Settings
from ..installation import imap_account, smtp_server
from .children import answers, fetched, in_url, login
from .finding import Finding, ok, warning, wrong
from .up import why_not_free


def incoming(config: Settings) -> Iterator[Finding]:
    """The mailbox lets us in, and its folders can be used."""
    imap = config.imap
    with IntakeMailbox(imap_account(config)) as mailbox:
        waiting, can = mailbox.count(imap.inbox), mailbox.capabilities
        can_put_away = mailbox.can_put_away
    by = " with an access token" if imap.login == "token" else ""
    where = f"{imap.user} at {imap.host}:{imap.port}{by}"
    yield ok(f"{where}: {waiting} waiting in {imap.inbox}; {imap.archive} and {imap.quarantine} are there")
    if "IDLE" not in can:
        yield warning(
            "the server does not tell of new mail (IDLE)", "nothing: it is asked every few seconds instead"
        )
    if not can_put_away:
        yield wrong(
            f"{imap.user} may not delete messages from {imap.inbox}, and the server cannot move them",
            "give it that right, or have MOVE switched on: messages are taken in, and stay there",
        )
    elif not {"MOVE", "UIDPLUS"} & can:
        yield warning(
            "the server has neither MOVE nor UIDPLUS", "empty the inbox of deleted mail now and then"
        )


def outgoing(config: Settings) -> Iterator[Finding]:
    """The mail server lets us in; nothing is sent."""
    check(smtp_server(config))
    by = " with an access token" if config.smtp.login == "token" else ""
    yield ok(f"{config.smtp.host}:{config.smtp.port} lets {config.smtp.user or 'us'} send{by}")


def prefect(config: Settings) -> Iterator[Finding]:
    """The configured server answers in our version; or our own can start, or runs."""
    ours, port = version("prefect"), config.prefect.port
    if config.prefect.api_url:
        yield _prefect_version(config, ours)
    elif not (problem := why_not_free("127.0.0.1", port)):
        yield ok(f"`meldbalie up` will start Prefect {ours} on port {port}")
    elif answers(f"{config.prefect_api}/ready"):
        yield _prefect_version(config, ours)
    else:
        yield wrong(f"port {port} for Prefect: {problem}", "stop what uses it, or set prefect.port")


def _prefect_version(config: Settings, ours: str) -> Finding:
    body = fetched(f"{config.prefect_api.rstrip('/')}/admin/version", login(config))
    if body is None:
        return wrong(
            f"no Prefect server lets us in at {config.prefect_api}",
            "start it, or correct prefect.api_url and prefect.auth_file",
        )
    theirs = str(json.loads(body))
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        return warning(
            f"{config.prefect_api} is Prefect {theirs}, and we are {ours}", "bring both to one version"
        )
    return ok(f"{config.prefect_api} answers: Prefect {theirs}")


def web(config: Settings) -> Iterator[Finding]:
    """Its port is free, or it is our own app that listens there."""
    host, port = config.web.host, config.web.port
    if not (problem := why_not_free(host, port)):
        yield ok(f"port {port} of {host} is free for the web app")
    elif answers(f"http://{in_url(host)}:{port}/health/live"):
        yield ok(f"the web app answers on port {port} of {host}")
    else:
        yield wrong(f"port {port} of {host}: {problem}", "stop what uses it, or set web.host and web.port")
