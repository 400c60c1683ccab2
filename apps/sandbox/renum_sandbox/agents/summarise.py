"""Summariser: the most telling sentences of a text, in their own order."""

from collections import Counter

from renum_sandbox.agents.prompt import Prompt, Result
from renum_sandbox.agents.text import clip, content_words, joined, keywords, sentences, words

_MAX_SENTENCES = 5
_SHARE = 0.3
_FEWEST_WORDS = 4  # with meaning; labels and scraps say little on their own


def work(prompt: Prompt) -> str:
    """One summary; with several results, one short summary each, under their authors' names."""
    parts = prompt.results or (Result("the text", prompt.material),)
    everything = "\n".join(part.text for part in parts)
    per_part = _MAX_SENTENCES if len(parts) == 1 else 2
    lines = ["# Summary", ""]
    kept_words = 0
    for part in parts:
        kept = top_sentences(part.text, per_part)
        kept_words += sum(len(words(s)) for s in kept)
        if len(parts) > 1:
            lines += [f"### {part.author}", ""]
        lines += [*(f"- {clip(s, 240)}" for s in kept), ""]
    all_words = max(1, len(words(everything)))
    lines += [
        f"**Key terms:** {joined(keywords(everything, 6)) or 'none'}",
        f"**Kept:** {kept_words} of {all_words} words ({100 * kept_words // all_words} %)",
    ]
    return "\n".join(lines)


def top_sentences(text: str, limit: int) -> list[str]:
    """
    At most `limit` and about a third of the sentences, in the order of the text.

    A sentence's score is the mean frequency of its content words, so that length alone wins
    nothing; the first sentence gets a bonus, because writers put the point there.

    Source: H. P. Luhn, "The Automatic Creation of Literature Abstracts", 1958.
    """
    found = list(dict.fromkeys(sentences(text, headings=False)))
    frequency = Counter(content_words(text))

    def score(index: int) -> float:
        meaningful = content_words(found[index])
        if len(meaningful) < _FEWEST_WORDS or not found[index].endswith((".", "!", "?")):
            return 0.0
        mean = sum(frequency[w] for w in meaningful) / len(meaningful)
        return mean * (1.5 if index == 0 else 1.0)

    wanted = min(limit, max(1, round(len(found) * _SHARE)))
    best = sorted(range(len(found)), key=lambda i: (-score(i), i))[:wanted]
    return [found[i] for i in sorted(best)]
