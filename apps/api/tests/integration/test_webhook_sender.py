"""Requests to webhooks: what they reach, and what they make of every answer."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.infra.webhooks import sender as module
from app.infra.webhooks.sender import HttpWebhookSender, connect
from app.usecases.ports import WebhookReply
from tests.ports import a_free_port
from tests.receiver import Receiver, Reply, receiving


@pytest.fixture
async def guarded() -> AsyncIterator[HttpWebhookSender]:
    async with connect(allow_private=False) as sender:
        yield sender


@pytest.fixture
async def free() -> AsyncIterator[HttpWebhookSender]:
    async with connect(allow_private=True) as sender:
        yield sender


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def send(sender: HttpWebhookSender, url: str) -> WebhookReply:
    return await sender.send(url, b"{}", {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "must begin with https://"),
        ("ftp://example.com/", "must begin with https://"),
        ("example.com", "is not a URL"),
        ("https://", "is not a URL"),
        ("https:///path", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://example.com:0/", "is not a URL"),
        ("https://example.com:99999/", "is not a URL"),
        ("https://exa mple.com/", "is not a URL"),
        ("https://example.com/\r\nX: y", "is not a URL"),
        ("https://example.com/#part", "must not have a fragment"),
        ("https://ana:secret@example.com/", "must not carry a name or a password"),
        ("https://ana@example.com/", "must not carry a name or a password"),
        ("https://127.0.0.1/", "must be an address on the public internet"),
        ("https://169.254.169.254/latest/meta-data", "must be an address on the public internet"),
        ("https://[::1]/", "must be an address on the public internet"),
        ("https://[::ffff:10.0.0.1]/", "must be an address on the public internet"),
        ("https://[::127.0.0.1]/", "must be an address on the public internet"),
        ("https://a..example/", "is not a URL"),
        (f"https://{'a' * 64}.example/", "is not a URL"),
        ("https://127.1/", "is not a URL"),
        ("https://2130706433/", "is not a URL"),
        ("https://0x7f000001/", "is not a URL"),
        ("https://0177.0.0.1/", "is not a URL"),
        ("https://localhost/", "must be an address on the public internet"),
        ("https://LOCALHOST./", "must be an address on the public internet"),
    ],
)
async def test_what_is_refused_by_its_looks(guarded: HttpWebhookSender, url: str, why: str) -> None:
    assert (guarded.refusal(url) or "").startswith(why)
    reply = await send(guarded, url)
    assert reply.error is not None
    assert reply.error.startswith(f"the URL {why}")


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://bücher.example/a?b=c", "https://1.1.1.1:8443/x"]
)
async def test_what_is_taken(guarded: HttpWebhookSender, url: str) -> None:
    assert guarded.refusal(url) is None


async def test_the_guard_stands_where_connections_are_made(
    guarded: HttpWebhookSender, free: HttpWebhookSender, receiver: Receiver
) -> None:
    """A name that was harmless when it was looked at, and resolves to loopback now."""
    port = receiver.url.rpartition(":")[2]
    past_the_looks = HttpWebhookSender(guarded._session, allow_private=True)
    reply = await send(past_the_looks, f"http://localhost:{port}/")
    assert reply.error == "the address is not on the public internet"
    assert receiver.got == []
    assert (await send(free, f"http://localhost:{port}/")).error is None


async def test_an_answer_and_how_its_body_begins(
    free: HttpWebhookSender, receiver: Receiver
) -> None:
    receiver.replies = [
        Reply(200, body=b"fine"),
        Reply(503, {"Retry-After": "120"}, b"a\x00\xff" + b"x" * 5000),
        Reply(429, {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}),
        Reply(404, {"Content-Encoding": "gzip"}, b"not gzip"),
    ]
    fine = await send(free, f"{receiver.url}/hook?x=1")
    assert (fine.status_code, fine.error, fine.response) == (200, None, "fine")
    assert receiver.got[0].path == "/hook?x=1"
    busy = await send(free, receiver.url)
    assert (busy.status_code, busy.error, busy.retry_after_s) == (503, "answered 503", 120)
    assert busy.response is not None
    assert busy.response.startswith("a\ufffd\ufffdxxx")
    assert len(busy.response) <= 1_000
    limited = await send(free, receiver.url)
    assert (limited.error, limited.retry_after_s, limited.response) == ("answered 429", None, None)
    assert (await send(free, receiver.url)).response == "not gzip"


async def test_redirects_are_not_followed(free: HttpWebhookSender, receiver: Receiver) -> None:
    for status in (301, 302, 307, 308):
        receiver.replies = [Reply(status, {"Location": f"{receiver.url}/elsewhere"})]
        reply = await send(free, receiver.url)
        assert reply.error == f"answered {status}: redirects are not followed"
    assert {got.path for got in receiver.got} == {"/"}


async def test_no_answer(
    free: HttpWebhookSender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = await send(free, f"http://127.0.0.1:{a_free_port()}/")
    assert (refused.status_code, refused.error) == (None, "cannot connect: Connection refused")
    unknown = await send(free, "http://nowhere.invalid/")
    assert unknown.error == "the host's name does not resolve"
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    receiver.gate.clear()
    async with connect(allow_private=True) as impatient:
        reply = await send(impatient, receiver.url)
    assert (reply.status_code, reply.error) == (None, "no answer within 0 seconds")


async def test_what_is_no_http(free: HttpWebhookSender) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HELLO\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reply = await send(free, f"http://127.0.0.1:{port}/")
    assert (reply.error or "").startswith("the answer is not HTTP")


@pytest.mark.parametrize("hangs", [True, False])
async def test_the_status_is_the_answer_whatever_becomes_of_the_body(
    monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    answered: list[asyncio.StreamWriter] = []

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        writer.write(
            f"HTTP/1.1 {path[1:]} X\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n".encode()
        )
        await writer.drain()
        answered.append(writer)
        if not hangs:
            writer.close()

    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server, connect(allow_private=True) as impatient:
        port = server.sockets[0].getsockname()[1]
        replies = [await send(impatient, f"http://127.0.0.1:{port}/{n}") for n in (200, 410, 503)]
    for writer in answered:
        writer.close()
    assert [(r.status_code, r.error) for r in replies] == [
        (200, None),
        (410, "answered 410"),
        (503, "answered 503"),
    ]
    assert {(r.response, r.retry_after_s) for r in replies} == {(None, 7)}


def self_signed(path: Path) -> Path:
    """A key and a certificate that nobody vouches for, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(pem, private, serialization.NoEncryption())
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path


async def test_a_certificate_must_hold(free: HttpWebhookSender, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "certificate.pem"))

    def encrypted(server: ThreadingHTTPServer) -> None:
        server.socket = context.wrap_socket(server.socket, server_side=True)

    with receiving(encrypted) as receiver:
        reply = await send(free, receiver.url.replace("http://", "https://"))
        assert receiver.got == []
    assert (reply.error or "").startswith("the certificate does not hold: ")
