"""The card above a ticket's form can be read: a style that Prefect's pages lack.

In the dialog of *Resume*, Prefect 3.8 lets the description shrink to make room for the form, to nothing in a
window of any usual height (seen: 0 pixels in one of 2,000). With the style it has its own height, and the
dialog scrolls.
"""

from .prefect_server import App, Message, Receive, Scope, Send

STYLE = b"<style>.p-modal__body>.markdown-renderer{flex:none;overflow:visible}</style>"
HEAD_ENDS = b"</head>"
#: A page is asked for whole and uncompressed, so that it can be changed.
NOT_PASSED_ON = frozenset({b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"})
#: Of the page as it was, before the style.
OF_THE_FILE = frozenset({b"content-length", b"etag", b"last-modified"})


class Look:
    """Puts the style into each page; everything else goes through as it is."""

    def __init__(self, app: App) -> None:
        """Take the application whose pages they are."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does; a page gets its style."""
        if _asks_for_a_page(scope):
            asked = [pair for pair in scope["headers"] if pair[0] not in NOT_PASSED_ON]
            await self._app({**scope, "headers": asked}, receive, _Page(send))
        else:
            await self._app(scope, receive, send)


class _Page:
    """Keeps a page until it is whole, and sends it with its style; what is no page is sent on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif not self._start or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_styled()

    async def _send_styled(self) -> None:
        body = self._body.replace(HEAD_ENDS, STYLE + HEAD_ENDS, 1)
        kept = [pair for pair in self._start.get("headers", []) if pair[0].lower() not in OF_THE_FILE]
        length = (b"content-length", str(len(body)).encode("ascii"))
        await self._send({**self._start, "headers": [*kept, length]})
        await self._send({"type": "http.response.body", "body": body})


def _asks_for_a_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _is_page(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html")
        for name, value in start.get("headers", [])
    )
