"""Words, sentences and key phrases: what every demo agent reads a text with."""

import re
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files


def _word_list(name: str) -> frozenset[str]:
    lines = (files(__package__) / "data" / name).read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


STOP_WORDS = _word_list("stop-words.txt")
ORDER_VERBS = _word_list("order-verbs.txt")

ADDRESS = re.compile(r"https?://\S+|[\w.+-]{1,64}@[\w.-]{1,255}")
"""Links and e-mail addresses: no words of the language."""
WORD = r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*"
"""Letters, with apostrophes and hyphens inside; a pattern."""
_WORD = re.compile(WORD)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”\u2019)]*\s+(?=[\"'“\u2018(]*[A-ZÀ-Ý0-9])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|approx|No)\.$")
_MARKUP_LINE = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+|\d+[.)]\s+)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def plain(text: str, *, headings: bool = True) -> str:
    """Markdown as a reader hears it: no marks, one thought a line."""
    lines = []
    for line in text.splitlines():
        if not headings and line.lstrip().startswith("#"):
            continue
        bare = _EMPHASIS.sub(r"\2", _MARKUP_LINE.sub("", line)).strip()
        if bare and not set(bare) <= set("-|=*_ "):
            lines.append(bare)
    return "\n".join(lines)


def sentences(text: str, *, headings: bool = True) -> list[str]:
    """The sentences of a text, Markdown removed; a line break ends one as well."""
    found: list[str] = []
    for line in plain(text, headings=headings).splitlines():
        pending = ""
        for part in _SENTENCE_END.split(line):
            pending = f"{pending} {part}".strip()
            if not _ABBREVIATION.search(pending):
                found.append(pending)
                pending = ""
        if pending:
            found.append(pending)
    return found


def content_words(text: str) -> list[str]:
    """Lower-case words that carry meaning, in order."""
    return [w for w in map(str.lower, words(text)) if len(w) > 2 and w not in STOP_WORDS]


def keywords(text: str, limit: int) -> list[str]:
    """The most frequent content words of four letters or more; ties by first appearance."""
    meaningful = [word for word in content_words(plain(text)) if len(word) > 3]
    return [word for word, _ in Counter(meaningful).most_common(limit)]


def key_phrases(text: str, limit: int) -> list[str]:
    """
    Runs of content words between stop words and punctuation, best first, at most three words.

    A word's score is the mean length of the runs it stands in, so that members of long phrases
    count more; a phrase's is the sum over its words. Equal scores by first appearance.

    Source: S. Rose et al., "Automatic Keyword Extraction from Individual Documents", 2010.
    """
    runs = [run for sentence in sentences(text) for run in _content_runs(sentence)]
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for run in runs:
        for word in run:
            frequency[word.lower()] += 1
            degree[word.lower()] += len(run)
    scores: dict[str, float] = {}
    shown: dict[str, str] = {}
    for run in runs:
        lower = [w.lower() for w in run]
        name = " ".join(lower)
        shown.setdefault(name, " ".join(run))
        scores[name] = sum(degree[w] / frequency[w] for w in lower)
    ranked = sorted(scores, key=lambda name: -scores[name])
    return [shown[name] for name in _distinct(ranked, limit)]


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, cut at a word, with an ellipsis where something is missing."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    return flat[:limit].rsplit(" ", 1)[0].rstrip(",;:. ") + "…"


def counted(number: int, noun: str) -> str:
    """`1 word`, `2 words`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """`Young professionals` inside a sentence; abbreviations such as `CTOs` stay."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def joined(items: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, tail = list(items) or [""]
    return f"{', '.join(head)} {last} {tail}" if head else tail


def _content_runs(sentence: str) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    sentence = ADDRESS.sub(" · ", sentence)
    for token in re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[^\w\s]", sentence):
        lower = token.lower()
        # A lone capital only ends a name, as in `product X`; the R of `R$ 10` is none.
        carries = len(token) > 1 or (token.isupper() and bool(runs[-1]))
        if not carries or not token[0].isalnum() or lower in STOP_WORDS | ORDER_VERBS:
            runs.append([])
        elif len(runs[-1]) == 3:
            runs.append([token])
        else:
            runs[-1].append(token)
    return [run for run in runs if run and not run[0][0].isdigit()]


def _distinct(ranked: Iterable[str], limit: int) -> list[str]:
    """Leave out a phrase whose words all stand in one already chosen."""
    chosen: list[str] = []
    for name in ranked:
        if len(chosen) == limit:
            break
        if not any(set(name.split()) <= set(other.split()) for other in chosen):
            chosen.append(name)
    return chosen
