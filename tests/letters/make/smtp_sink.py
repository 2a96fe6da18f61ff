"""A mail server on loopback that keeps what it gets, for clients that know no sendmail program."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from .stage import OUTGOING

HOST, PORT = "127.0.0.1", 2525


class _Keeper:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (OUTGOING / f"{uuid.uuid4().hex}.eml").write_bytes(envelope.original_content)
        return "250 kept"


@contextmanager
def listening() -> Iterator[None]:
    """Take mail for anybody, from whoever logs in with whatever password, or not at all."""
    controller = Controller(
        _Keeper(),
        hostname=HOST,
        port=PORT,
        ident="zoo",
        server_hostname="mail.melder.example",
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=True),
        data_size_limit=10_000_000,
    )
    controller.start()
    try:
        yield
    finally:
        controller.stop()
