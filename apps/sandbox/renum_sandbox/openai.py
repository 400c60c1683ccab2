"""A real model behind the demo agents: any OpenAI-compatible server, streamed."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

DEFAULT_MODEL = "gpt-4o-mini"
CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0
"""Longest silence of the model before its run fails."""


class ModelError(Exception):
    """The model gave no usable answer; the message is fit to be shown and names no key."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """Where the model is; `base_url` ends before `/chat/completions`."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    name: str = DEFAULT_MODEL

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "ChatModel | None":
        """
        The model that the environment names, None without OPENAI_BASE_URL.

        A key alone is not enough: many developers have one in their shell, and a demo must
        not send its prompts anywhere, or cost money, without being told where.
        """
        base_url = env.get("OPENAI_BASE_URL")
        if not base_url:
            return None
        key, name = env.get("OPENAI_API_KEY"), env.get("OPENAI_MODEL")
        return cls(base_url.rstrip("/"), key or None, name or DEFAULT_MODEL)

    async def stream(self, *, system: str, user: str) -> AsyncIterator[str]:
        """The answer, piece by piece. Raises ModelError."""
        # Imported here: most sandboxes have no model, and this would double their start time.
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=IDLE_TIMEOUT_S
        )
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        body = {
            "model": self.name,
            "stream": True,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
        }
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
                http.post(f"{self.base_url}/chat/completions", json=body) as answer,
            ):
                if answer.status != 200:
                    raise ModelError(f"the model answered {answer.status}")
                async for piece in _pieces(answer):
                    yield piece
        except aiohttp.InvalidURL as error:
            raise ModelError("the address of the model is not valid") from error
        except aiohttp.ClientConnectorError as error:
            raise ModelError("the model cannot be reached") from error
        except TimeoutError as error:
            raise ModelError("the model fell silent") from error
        except aiohttp.ClientError as error:
            raise ModelError("the connection to the model broke") from error
        except aiohttp.http_exceptions.HttpProcessingError as error:  # such as an endless line
            raise ModelError("the model answered something that is no completion") from error


async def _pieces(answer: "aiohttp.ClientResponse") -> AsyncIterator[str]:
    if answer.content_type != "text/event-stream":  # a server that cannot stream answers at once
        yield _text(await answer.read(), "message")
        return
    async for line in answer.content:
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data:
            continue
        if data == b"[DONE]":
            return
        piece = _text(data, "delta")
        if piece:
            yield piece
    raise ModelError("the model stopped in the middle of its answer")


def _text(data: bytes, part: str) -> str:
    """The text of one chunk; empty for chunks that bring none, such as usage."""
    try:
        chunk: Any = json.loads(data)
        if "error" in chunk:
            raise ModelError("the model reported an error")
        choices = chunk["choices"]
        text = choices[0][part].get("content") if choices else ""
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError("the model answered something that is no completion") from error
    return text or ""
