"""Text from elsewhere, made fit for a terminal."""

import re

from rich.cells import cell_len

# Control characters, among them the escape that begins a terminal's commands, and the marks
# that turn the direction of writing: neither is text, both can make a screen lie.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without what could command the terminal; line ends and tabs stay."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def head(text: str, width: int) -> str:
    """As much of the beginning as fits in `width` cells."""
    text = one_line(text[: 4 * width])
    if cell_len(text) <= width:
        return text
    return _fitting(text, width - 1).rstrip() + "…" if width > 0 else ""


def tail(text: str, width: int) -> str:
    """As much of the end as fits in `width` cells."""
    shown = one_line(text[-4 * width :] if width > 0 else "")
    if cell_len(shown) <= width and len(text) <= 4 * width:
        return shown
    return "…" + _fitting(shown[::-1], width - 1)[::-1].lstrip() if width > 0 else ""


def pad(text: str, width: int) -> str:
    text = head(text, width)
    return text + " " * (width - cell_len(text))


def _fitting(text: str, width: int) -> str:
    """The longest beginning of at most `width` cells; wide characters take two."""
    used = 0
    for place, character in enumerate(text):
        used += cell_len(character)
        if used > width:
            return text[:place]
    return text


def duration(seconds: float) -> str:
    """`4.2s`, `1:05`, `2:00:00`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
