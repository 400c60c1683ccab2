"""Editor: concrete findings on a text, a score, and a verdict that a condition can test."""

import re
from collections import Counter
from dataclasses import dataclass

from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import clip, content_words, counted, plain, sentences, words

APPROVED, REVISE = "Approved", "Revise"
PASS_MARK = 75
LONG_SENTENCE = 25
"""Words; beyond it, readers lose the thread (a rule of thumb of plain-language guides)."""

_PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?"
    r"(?:\w{3,}ed|made|done|given|known|shown|written|taken|built|seen|sent|sold|kept|found)\b",
    re.IGNORECASE,
)
_DOUBLED = re.compile(r"\b(\w+)\s+\1\b", re.IGNORECASE)
_FILLER = re.compile(
    r"\b(?:very|really|quite|basically|actually|simply|just|obviously|literally)\b", re.IGNORECASE
)
_WORDS_A_MINUTE = 200
_SHORT_TEXT, _LONG_TEXT = 40, 600
_SHOWN = 8  # findings; the worst come first


@dataclass(frozen=True, slots=True)
class Finding:
    title: str
    advice: str
    penalty: int


def work(prompt: Prompt) -> str:
    """Score and verdict, the numbers behind them, findings worst first, one next step."""
    text = prompt.material
    found = sorted(findings(text), key=lambda f: -f.penalty)
    score = max(0, 100 - sum(f.penalty for f in found))
    verdict = APPROVED if score >= PASS_MARK else REVISE
    count, sentence_count = len(words(plain(text))), len(sentences(text, headings=False))
    average = count / max(1, sentence_count)
    lines = [
        f"# Review: {score}/100",
        "",
        f"**Verdict:** {verdict}",
        f"**Reviewed:** {prompt.results[-1].author if prompt.results else 'the text of the task'}",
        f"**Text:** {counted(count, 'word')} in {counted(sentence_count, 'sentence')}, "
        f"{average:.1f} words a sentence, {max(1, round(count / _WORDS_A_MINUTE))} min to read",
        "",
        "### Findings",
        "",
    ]
    lines += [f"{n}. **{f.title}.** {f.advice}" for n, f in enumerate(found[:_SHOWN], start=1)]
    if not found:
        lines.append("None: the text is short, active and free of repetition.")
    lines += ["", "### What works", "", *_praise(text, average), "", "### Next step", ""]
    lines.append(
        f"Start with finding 1; it alone is worth {found[0].penalty} points."
        if found
        else "Publish it."
    )
    return "\n".join(lines)


def findings(text: str) -> list[Finding]:
    """Everything that costs points, in the order of the checks."""
    bare = plain(text)
    passives = list(dict.fromkeys(m[0] for m in _PASSIVE.finditer(bare)))[:3]
    doubled = list(dict.fromkeys(m[0] for m in _DOUBLED.finditer(bare)))[:3]
    return [
        *_length(bare),
        *_long_sentences(text),
        *(Finding(f"Passive: “{said}”", "Say who does it.", 3) for said in passives),
        *(Finding(f"Doubled word: “{said}”", "Remove one.", 5) for said in doubled),
        *_filler(bare),
        *_repeated(bare),
    ]


def _length(bare: str) -> list[Finding]:
    count = len(words(bare))
    if count < _SHORT_TEXT:
        advice = f"Add one example and one fact: {_SHORT_TEXT} words is the least for a point."
        return [Finding(f"Only {counted(count, 'word')}", advice, 20)]
    if count > _LONG_TEXT:
        advice = "Cut what the reader does not need in order to act."
        return [Finding(f"{count} words is long", advice, 8)]
    return []


def _long_sentences(text: str) -> list[Finding]:
    counted = [(len(words(s)), s) for s in sentences(text, headings=False)]
    worst = sorted((c for c in counted if c[0] > LONG_SENTENCE), key=lambda c: -c[0])[:3]
    return [
        Finding(f"Long sentence ({n} words)", f"Split it: “{clip(s, 70)}”", 4 + (n > 35) * 3)
        for n, s in worst
    ]


def _filler(bare: str) -> list[Finding]:
    found = Counter(m.lower() for m in _FILLER.findall(bare))
    if not found:
        return []
    shown = ", ".join(f"“{word}” ({n})" for word, n in found.most_common(3))
    penalty = min(8, 2 * found.total())
    return [Finding(f"Filler words: {shown}", "Sentences are stronger without.", penalty)]


def _repeated(bare: str) -> list[Finding]:
    meaningful = content_words(bare)
    limit = max(4, len(meaningful) // 20)
    return [
        Finding(f"“{word}” stands {n} times", "Replace some, or leave them out.", 3)
        for word, n in Counter(meaningful).most_common(3)
        if n > limit
    ]


def _praise(text: str, average: float) -> list[str]:
    praise = []
    if average <= LONG_SENTENCE * 0.7:
        praise.append("- Sentences are short enough to read aloud.")
    if re.search(r"^#{1,4} ", text, re.MULTILINE):
        praise.append("- Headings let a reader skip to what matters.")
    if re.search(r"\d", text):
        praise.append("- It has numbers that can be checked.")
    if not _PASSIVE.search(text):
        praise.append("- The voice is active throughout.")
    return praise or ["- The subject is clear from the first sentence."]
