"""Beats as the SSE frames of each era; JSON inside JSON, as Suna sends it."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from renum_sandbox.suna.dialect import Dialect
from renum_sandbox.suna.runs import Run, RunStatus
from renum_sandbox.suna.script import Beat, Kind, Turn

Frame = dict[str, Any]


def message_id(run: Run, turn: Turn, role: str) -> str:
    """The same id in the stream and in the messages, and after a restart."""
    return str(uuid5(NAMESPACE_URL, f"{run.id}/{turn.number}/{role}"))


def iso(at: float) -> str:
    """As PostgreSQL writes a time in JSON: `+00:00`, not `Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat()


class FrameWriter:
    """Numbers the frames of one run from its first one, so a replay repeats every number."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._chunks = 0
        self._events = 0

    def beat(self, beat: Beat) -> list[Frame]:
        match beat.kind:
            case Kind.OPENS:
                frames = [
                    self._progress(beat, "thread_run_start"),
                    self._progress(beat, "assistant_response_start"),
                ]
                if self._run.dialect is Dialect.START:
                    frames.insert(0, {"type": "llm_response_start"})
                    if not self._events:
                        frames.insert(0, {"type": "ack", "agent_run_id": self._run.id})
            case Kind.TEXT:
                frames = [self._chunk(beat)]
            case Kind.ARGUMENTS:
                assert beat.turn.call is not None  # noqa: S101  arguments belong to a call
                frames = [
                    self._progress(
                        beat,
                        "tool_call_chunk",
                        function_name=beat.turn.call.name,
                        arguments_delta=beat.text,
                    )
                ]
            case Kind.CLOSES:
                frames = self._closing(beat)
            case Kind.ERROR:
                frames = [{"type": "status", "status": "error", "message": beat.text}]
        return [self._numbered(frame, beat.at) for frame in frames]

    def finish_with(self, run: Run) -> None:
        """Take the run as it is at its end: its error may have come in the meantime."""
        self._run = run

    def ending(self, status: RunStatus, now: float) -> list[Frame]:
        """The last words of a stream that was open when its run ended."""
        message = {
            RunStatus.COMPLETED: "Agent run completed successfully",
            RunStatus.STOPPED: "Agent run stopped by user",
        }.get(status) or self._run.error
        end: Frame = {"type": "status", "status": status.value, "message": message}
        if self._run.dialect is Dialect.START:
            return [self._numbered(end, now)]
        if status is RunStatus.STOPPED:
            return [{"type": "status", "status": "STOP"}]
        control = "END_STREAM" if status is RunStatus.COMPLETED else "ERROR"
        return [end, {"type": "status", "status": control}]

    def after_the_end(self, status: RunStatus, at: float) -> list[Frame]:
        """After a replay of a run that is over: `completed`, also when that is not true."""
        frames: list[Frame] = []
        if status is RunStatus.FAILED:
            frames.append({"type": "status", "status": "failed", "message": self._run.error})
        frames.append({"type": "status", "status": "completed"})
        return [self._numbered(frame, at) for frame in frames]

    def _chunk(self, beat: Beat) -> Frame:
        frame = self._message(
            beat,
            "assistant",
            None,
            {"role": "assistant", "content": beat.text},
            {"stream_status": "chunk", "thread_run_id": self._thread_run_id(beat)},
        )
        frame["sequence"] = self._chunks
        self._chunks += 1
        return frame

    def _closing(self, beat: Beat) -> list[Frame]:
        turn, call = beat.turn, beat.turn.call
        content, metadata = assistant_message(self._run, turn)
        metadata = {**metadata, "stream_status": "complete"}
        assistant_id = message_id(self._run, turn, "assistant")
        frames = [self._message(beat, "assistant", assistant_id, content, metadata)]
        if call is not None:
            frames.append(self._progress(beat, "tool_started", function_name=call.name))
            if call.result is not None:
                tool_id = message_id(self._run, turn, "tool")
                result = tool_message(turn)
                frames.append(self._message(beat, "tool", tool_id, result, {}))
            frames.append(self._progress(beat, "tool_completed", function_name=call.name))
        if call is None:
            reason = "stop"
        elif turn.last:
            reason = "agent_terminated"
        else:
            native = self._run.dialect is Dialect.START
            reason = "tool_calls" if native else "xml_tool_limit_reached"
        frames.append(self._progress(beat, "finish", finish_reason=reason))
        if self._run.dialect is Dialect.START:
            frames.append({"type": "llm_response_end"})
        frames.append(self._progress(beat, "thread_run_end"))
        return frames

    def _progress(self, beat: Beat, status_type: str, **more: object) -> Frame:
        content = {"role": "system", "status_type": status_type, **more}
        return self._message(
            beat, "status", None, content, {"thread_run_id": self._thread_run_id(beat)}
        )

    def _message(
        self,
        beat: Beat,
        kind: str,
        id_: str | None,
        content: dict[str, Any],
        metadata: dict[str, Any],
    ) -> Frame:
        return {
            "message_id": id_,
            "thread_id": self._run.thread_id,
            "type": kind,
            "is_llm_message": kind != "status",
            "content": json.dumps(content, ensure_ascii=False),
            "metadata": json.dumps(metadata, ensure_ascii=False),
            "created_at": iso(beat.at),
            "updated_at": iso(beat.at),
        }

    def _thread_run_id(self, beat: Beat) -> str:
        return message_id(self._run, beat.turn, "thread_run")

    def _numbered(self, frame: Frame, at: float) -> Frame:
        """Era B: an id to resume from, shaped as an entry of a Redis stream."""
        if self._run.dialect is not Dialect.START:
            return frame
        self._events += 1
        return {**frame, "_event_id": f"{int(at * 1000)}-{self._events}"}


def assistant_message(run: Run, turn: Turn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Content and metadata of a whole message: XML in the text (A), or native calls (B)."""
    thread_run = {"thread_run_id": message_id(run, turn, "thread_run")}
    if run.dialect is not Dialect.START:
        return {"role": "assistant", "content": turn.as_xml()}, thread_run
    content: dict[str, Any] = {"role": "assistant", "content": turn.prose}
    metadata: dict[str, Any] = {**thread_run, "text_content": turn.prose}
    if turn.call is not None:
        call_id = f"call_{message_id(run, turn, 'call').replace('-', '')[:24]}"
        arguments = json.dumps(turn.call.arguments, ensure_ascii=False)
        content["tool_calls"] = [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": turn.call.name, "arguments": arguments},
            }
        ]
        metadata["tool_calls"] = [
            {
                "tool_call_id": call_id,
                "function_name": turn.call.name,
                "arguments": turn.call.arguments,
                "source": "native",
            }
        ]
    return content, metadata


def tool_message(turn: Turn) -> dict[str, Any]:
    assert turn.call is not None  # noqa: S101  only calls have results
    return {"role": "tool", "name": turn.call.name, "content": turn.call.result}


def event_number(event_id: str) -> int:
    """The number in an `_event_id`; 0, the beginning, for anything else."""
    number = event_id.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
