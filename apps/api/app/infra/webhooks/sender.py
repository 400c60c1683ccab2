"""
Sends to addresses that users name, and reaches nothing but the public internet with it (OWASP:
Server-Side Request Forgery Prevention).
"""

import os
import re
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.connector import AddrInfoType
from yarl import URL

from app.common.addresses import is_address, is_public
from app.usecases.ports import WebhookReply

TIMEOUT_S = 15.0
_CONNECT_S = 5.0
#: Of an answer, what its owner is shown; no more is read.
SHOWN_BYTES = 1_000
#: Requests at once, of one process; the queue brings fewer.
_CONNECTIONS = 200
_SECONDS = re.compile("[0-9]{1,8}")
#: As WHATWG's URL standard says: a host that ends in a number is an IPv4 address, or wrong.
_NUMBER = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)\.?$", re.IGNORECASE)
_NOT_PUBLIC = "the address is not on the public internet"


class _NotPublic(OSError):
    def __init__(self) -> None:
        super().__init__(_NOT_PUBLIC)


class HttpWebhookSender:
    """The `WebhookSender` port."""

    def __init__(self, session: aiohttp.ClientSession, *, allow_private: bool) -> None:
        self._session = session
        self._allow_private = allow_private

    def refusal(self, url: str) -> str | None:
        try:
            parsed = URL(url)
            host, port = parsed.host, parsed.port
        except ValueError:
            return "is not a URL"
        if not host or not port or any(c <= " " or c == "\x7f" for c in url):
            return "is not a URL"
        if not is_address(host) and not _is_name(parsed.raw_host or ""):
            return "is not a URL"
        if parsed.scheme != "https" and not (self._allow_private and parsed.scheme == "http"):
            return "must begin with https://"
        if parsed.raw_user is not None or parsed.raw_password is not None:
            return "must not carry a name or a password; verify the signature instead"
        if "#" in url:
            return "must not have a fragment"
        inside = not is_public(host) if is_address(host) else host.rstrip(".") == "localhost"
        if inside and not self._allow_private:
            return "must be an address on the public internet"
        return None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> WebhookReply:
        began = time.monotonic()

        def failed(error: str, status: int | None = None) -> WebhookReply:
            return WebhookReply(_since(began), status, error)

        # A URL that was taken while private addresses were allowed may be taken no longer.
        if refusal := self.refusal(url):
            return failed(f"the URL {refusal}")
        try:
            async with self._session.post(
                URL(url), data=body, headers=headers, allow_redirects=False
            ) as answer:
                shown = await _beginning(answer)
                return WebhookReply(
                    _since(began),
                    answer.status,
                    _problem_of(answer.status),
                    response=shown.decode(errors="replace").replace("\x00", "\ufffd") or None,
                    retry_after_s=_seconds(answer.headers.get("Retry-After")),
                )
        except TimeoutError:
            return failed(f"no answer within {TIMEOUT_S:.0f} seconds")
        except aiohttp.ClientConnectorCertificateError as error:
            return failed(f"the certificate does not hold: {error.certificate_error}")
        except aiohttp.ClientConnectorDNSError:
            return failed("the host's name does not resolve")
        except aiohttp.ClientConnectorError as error:
            if _NOT_PUBLIC in str(error.os_error):
                return failed(_NOT_PUBLIC)
            return failed(f"cannot connect: {_reason(error.os_error)}")
        except (aiohttp.ClientError, ValueError) as error:
            return failed(f"the answer is not HTTP: {type(error).__name__}")


def _is_name(host: str) -> bool:
    """Whether it could be looked up (RFC 1035, §2.3.4)."""
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= 63 for label in labels) and not _NUMBER.search(host)


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """How its body begins; one that does not come takes nothing back: the status was the answer."""
    try:
        return await answer.content.read(SHOWN_BYTES)
    except (aiohttp.ClientError, TimeoutError):
        return b""


def _reason(error: OSError) -> str:
    # asyncio's own text names the address instead of the reason.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def _problem_of(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"answered {status}: redirects are not followed"
    return f"answered {status}"


def _seconds(retry_after: str | None) -> int | None:
    """Of a `Retry-After` in seconds; its other form, a date, is not taken."""
    return int(retry_after) if retry_after and _SECONDS.fullmatch(retry_after) else None


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _guarded(info: AddrInfoType) -> socket.socket:
    # Here every address passes that is really connected to, after names are resolved: a name
    # that resolves to something else each time gains nothing.
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise _NotPublic
    return socket.socket(family, kind, protocol)


@asynccontextmanager
async def connect(*, allow_private: bool) -> AsyncIterator[HttpWebhookSender]:
    """Makes no request yet; *allow_private* also sends to private addresses, and by plain http."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=_CONNECTIONS,
            # Kept connections would outlive what the guard decided.
            force_close=True,
            socket_factory=None if allow_private else _guarded,
        ),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        # What is shown of an answer is not worth unpacking something hostile.
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding",),
    ) as session:
        yield HttpWebhookSender(session, allow_private=allow_private)
