"""Reads the text that a running agent streams (suna.md §1.5)."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from pydantic_core import from_json

from app.infra.suna.answers import decoded

_ENDS = ("completed", "failed", "stopped", "END_STREAM", "STOP", "ERROR", "error")


#: Bytes of a line that is read: the text comes with the result in any case.
MAX_LINE = 8 * 1024 * 1024


async def frames(body: aiohttp.StreamReader) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON objects of unnamed `data:` frames; what is none is passed over."""
    async for line in _lines(body):
        if line.startswith(b"data:"):
            try:
                frame = from_json(line[5:].strip())
            except ValueError:
                continue
            if isinstance(frame, Mapping):
                yield frame


async def _lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """
    Lines without their end, however long; those over MAX_LINE are passed over.

    aiohttp's own end the stream at 512 KiB, and a whole answer can be one line.
    """
    rest, skips = bytearray(), False
    async for chunk in body.iter_any():
        *ended, tail = chunk.split(b"\n")
        for part in ended:
            rest += part
            if not skips:
                yield bytes(rest)
            rest, skips = bytearray(), False
        if not skips:
            rest += tail
        if len(rest) > MAX_LINE:
            rest, skips = bytearray(), True


def is_end(frame: Mapping[str, Any]) -> bool:
    """Whether the run is over; a turn's end is not. `status` decides which way it ended."""
    return frame.get("type") == "status" and frame.get("status") in _ENDS


def error_of(frame: Mapping[str, Any]) -> str | None:
    """What an error frame says, for the log."""
    if frame.get("type") == "error" or frame.get("status") in ("error", "failed"):
        return str(frame.get("message") or frame.get("error") or "")[:1000]
    return None


class TextStream:
    """
    Turns frames into new text.

    Chunks add up; the complete message that follows them repeats what they said, so that only
    what is new of it is text.
    """

    def __init__(self) -> None:
        self._turn = ""

    def add(self, frame: Mapping[str, Any]) -> str:
        """The new text in a frame, often none."""
        if frame.get("type") != "assistant":
            return ""
        content = decoded(frame.get("content"))
        text = content.get("content") if isinstance(content, Mapping) else content
        if not isinstance(text, str):
            return ""
        metadata = decoded(frame.get("metadata"))
        status = metadata.get("stream_status") if isinstance(metadata, Mapping) else None
        if status == "chunk":
            self._turn += text
            return text
        new = text.removeprefix(self._turn) if text.startswith(self._turn) else ""
        self._turn = ""
        return new
