"""Data Extractor: what can be found by form (names, numbers, dates, addresses), as JSON."""

import json
import re

from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import STOP_WORDS, keywords, plain, words

_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}\b")
_URL = re.compile(r"\bhttps?://[^\s<>()\"'\]]*[\w/]")
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}"
    rf"|(?:{_MONTH})\s+\d{{1,2}}(?:,\s*\d{{4}})?|\d{{1,2}}\s+(?:{_MONTH})(?:\s+\d{{4}})?)\b"
)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<currency>R\$|US\$|[$€£])?\s?"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]+)?|[0-9]{1,15}(?:\.[0-9]+)?)"
    r"(?:\s?(?P<unit>%|percent|million|thousand|billion|minutes?|hours?|days?|weeks?|months?|years?"
    r"|km|kg|GB|MB|people|users|customers)\b|(?P<sign>%))?(?!\w)"
)
_NAME = re.compile(
    r"\b[A-ZÀ-Ý][\w'\u2019-]+"
    r"(?:[ \t]+(?:(?:de|da|do|dos|of|the)[ \t]+)?(?:[A-ZÀ-Ý][\w'\u2019-]*|\d+))*"
)
_LIMIT = 25  # entries a list


def work(prompt: Prompt) -> str:
    """A JSON object, indented; every list is distinct and in the order of the text."""
    parts = [prompt.task, *prompt.context.values(), *(r.text for r in prompt.results)]
    text = plain("\n".join(part for part in parts if part))
    # What has been found is blanked, so that no address or date is a name or number as well.
    found = {"emails": _EMAIL.findall(text)}
    rest = _EMAIL.sub(" · ", text)
    found["urls"] = _URL.findall(rest)
    rest = _URL.sub(" · ", rest)
    found["dates"] = _DATE.findall(rest)
    rest = _DATE.sub(" · ", rest)
    record = {
        "names": _distinct(_names(rest)),
        **{kind: _distinct(values) for kind, values in found.items()},
        "numbers": _numbers(rest),
        "keywords": keywords(text, 8),
        "word_count": len(words(text)),
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def _names(text: str) -> list[str]:
    """Capitalised phrases; a single word only where no sentence starts, which proves nothing."""
    names = []
    for line in text.splitlines():
        for match in _NAME.finditer(line):
            name = _without_opening(match[0])
            before = line[: match.start()].rstrip(" \"'(“·")
            opens = not before or before[-1] in ".!?…:"
            if name and not (opens and " " not in name):
                names.append(name)
    return names


def _without_opening(name: str) -> str:
    """`The Renum Board` and `In March` start with a word that is capitalised by its place."""
    first, _, rest = name.partition(" ")
    return rest if first.lower() in STOP_WORDS else name


def _numbers(text: str) -> list[dict[str, object]]:
    numbers: list[dict[str, object]] = []
    for match in _NUMBER.finditer(text):
        value = float(match["digits"].replace(",", ""))
        unit = match["sign"] or match["unit"] or match["currency"]
        entry = {"value": int(value) if value.is_integer() else value, "unit": unit}
        if entry not in numbers:
            numbers.append(entry)
    return numbers[:_LIMIT]


def _distinct(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))[:_LIMIT]
