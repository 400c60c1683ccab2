"""The promises, each as a function of what was recorded."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from renum.conformance.recording import Message, Recording

#: What is told and not stored.
_PASSING = frozenset({"agent_output", "heartbeat", "connected", "error", "token_expiring"})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and whether it was kept."""

    name: str
    problems: tuple[str, ...] = ()
    #: Why it could not be looked at; then it counts as neither kept nor broken.
    skipped: str | None = None

    @property
    def kept(self) -> bool:
        return not self.problems


def of_streams(recordings: Sequence[Recording]) -> Iterator[Check]:
    """What holds for every watcher, whatever happened."""
    yield _check("every connection is greeted first", _ungreeted(recordings))
    yield _check("no event is missing", _gaps(recordings))
    yield _check("no event comes twice or out of order", _repeats(recordings))
    yield _check("a connection goes on where the last one ended", _wrong_starts(recordings))
    yield _check("all watchers are told the same", _differences(recordings))
    yield _check("all watchers are told everything", _behind(recordings))
    yield _check("only what is stored has an id", _wrong_ids(recordings))
    yield _check("each execution counts its events without a gap", _seq_gaps(recordings))


def of_changes(recording: Recording, team_id: str, expected: Sequence[tuple[str, int]]) -> Check:
    """That every change of a team was told, in order: pairs of action and version."""
    told = [
        (e["data"].get("action"), e["data"].get("version"))
        for e in recording.events
        if e["type"] == "team_updated" and e["data"].get("team_id") == team_id
    ]
    problems = []
    if told != list(expected):
        place = next(
            (n for n, (a, b) in enumerate(zip(told, expected, strict=False)) if a != b),
            min(len(told), len(expected)),
        )
        problems = [
            f"change {place + 1} of {len(expected)}: made {_at(expected, place)}, "
            f"told {_at(told, place)}"
        ]
    return _check("every change is told, in order", problems)


def _check(name: str, problems: Iterable[str]) -> Check:
    found = list(problems)
    shown = found[:_SHOWN]
    if len(found) > _SHOWN:
        shown.append(f"and {len(found) - _SHOWN} more")
    return Check(name, tuple(shown))


def _ungreeted(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        for number, life in enumerate(recording.lives, 1):
            if not life.messages:
                continue
            first = life.messages[0]
            data = first.get("data", {})
            complete = {"user_id", "last_event_id", "heartbeat_s"} <= data.keys()
            if first.get("type") != "connected" or not complete:
                yield f"{recording.name}, connection {number} began with {_short(first)}"


def _gaps(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        known = recording.start
        for event in recording.events:
            if event["id"] > known + 1:
                yield f"{recording.name}: {event['id']} came after {known}"
            known = max(known, event["id"])


def _repeats(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        known = recording.start
        for event in recording.events:
            if event["id"] <= known:
                yield f"{recording.name}: {event['id']} came when {known} was known"
            known = max(known, event["id"])


def _wrong_starts(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        for number, life in enumerate(recording.lives, 1):
            if life.events and life.events[0]["id"] != life.after + 1:
                yield (
                    f"{recording.name}, connection {number}: asked for what follows {life.after}, "
                    f"got {life.events[0]['id']}"
                )


def _differences(recordings: Sequence[Recording]) -> Iterator[str]:
    told: dict[int, tuple[str, Message]] = {}
    for recording in recordings:
        for event in recording.events:
            other, first = told.setdefault(event["id"], (recording.name, event))
            if event != first:
                yield f"event {event['id']} is not the same for {other} and {recording.name}"


def _behind(recordings: Sequence[Recording]) -> Iterator[str]:
    last = max(r.last_id for r in recordings)
    for recording in recordings:
        if recording.last_id < last:
            yield f"{recording.name} has {recording.last_id} of {last}"


def _wrong_ids(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        for life in recording.lives:
            for message in life.messages:
                if (message.get("id") is None) != (message.get("type") in _PASSING):
                    yield f"{recording.name}: {_short(message)}"


def _seq_gaps(recordings: Sequence[Recording]) -> Iterator[str]:
    for recording in recordings:
        seqs: dict[str, int] = {}
        for event in recording.events:
            if (seq := event["data"].get("seq")) is None:
                continue
            execution_id = event["data"].get("execution_id")
            known = seqs.get(execution_id)
            if known is not None and seq != known + 1:
                yield f"{recording.name}: {execution_id} told {seq} after {known}"
            seqs[execution_id] = seq


def _short(message: Message) -> str:
    number = "" if message.get("id") is None else f" with id {message['id']}"
    return f"{message.get('type')}{number}"


def _at(changes: Sequence[tuple[object, object]], place: int) -> str:
    if place >= len(changes):
        return "nothing"
    action, version = changes[place]
    return f"{action} in version {version}"
