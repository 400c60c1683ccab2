"""Translator (PT-BR): a glossary, noun phrases that agree, and a list of what it did not know."""

import re
from dataclasses import dataclass, field

from renum_sandbox.agents import glossary
from renum_sandbox.agents.prompt import Prompt
from renum_sandbox.agents.text import WORD, clip

# A word, or something that is no word: addresses and code stay whole and untouched.
_TOKEN = re.compile(
    rf"(?P<fixed>`[^`\n]*`|https?://\S+|[\w.+-]{1, 64}@[\w.-]{1, 255}\w)|(?P<word>{WORD})"
    r"|(?P<other>[\W\d_])",
    re.DOTALL,
)
_FEMININE = re.compile(r"(?:a|ção|são|dade|gem|eza)$")
_LONGEST_PHRASE = 5
_MAX_ADJECTIVES = 2
_SHOWN_UNKNOWN = 15


@dataclass(slots=True)
class _Draft:
    """The translation so far."""

    tokens: list[str]
    is_word: list[bool]
    out: list[str] = field(default_factory=list)
    known: int = 0
    unknown: dict[str, None] = field(default_factory=dict)

    def words_at(self, index: int, limit: int) -> list[str]:
        """Up to `limit` words from `index` on, joined by single spaces only."""
        found: list[str] = []
        while len(found) < limit and index < len(self.tokens) and self.is_word[index]:
            found.append(self.tokens[index])
            if index + 1 < len(self.tokens) and self.tokens[index + 1] != " ":
                break
            index += 2
        return found


def work(prompt: Prompt) -> str:
    """The translated text and, below a rule, how much of it the glossary knew."""
    draft = _translate(prompt.material)
    total = draft.known + len(draft.unknown)
    lines = [_contracted("".join(draft.out).strip()), "", "---", ""]
    lines.append(
        f"*Rascunho por glossário: {draft.known} palavras traduzidas"
        f" ({100 * draft.known // max(1, total)} %).*"
    )
    if draft.unknown:
        shown = list(draft.unknown)[:_SHOWN_UNKNOWN]
        more = len(draft.unknown) - len(shown)
        tail = f" e mais {more}" if more else ""
        lines.append(f"*Mantidas como estão, fora do glossário: {', '.join(shown)}{tail}.*")
    return "\n".join(lines)


def _translate(text: str) -> _Draft:
    matches = list(_TOKEN.finditer(text))
    draft = _Draft([m[0] for m in matches], [m["word"] is not None for m in matches])
    index = 0
    while index < len(draft.tokens):
        if not draft.is_word[index]:
            draft.out.append(draft.tokens[index])
            index += 1
            continue
        used, translated = _phrase(draft, index) or _noun_phrase(draft, index) or (0, "")
        if used:
            draft.known += used
        else:
            used, translated = 1, _single(draft, draft.tokens[index])
        draft.out.append(_cased(translated, draft.tokens[index]))
        index += 2 * used - 1
    return draft


def _phrase(draft: _Draft, index: int) -> tuple[int, str] | None:
    """The longest fixed phrase that starts here."""
    found = [w.lower() for w in draft.words_at(index, _LONGEST_PHRASE)]
    for length in range(len(found), 1, -1):
        translated = glossary.PHRASES.get(" ".join(found[:length]))
        if translated:
            return length, translated
    return None


def _noun_phrase(draft: _Draft, index: int) -> tuple[int, str] | None:
    """`the new campaign` as `a campanha nova`: determiner and adjectives follow the noun."""
    found = draft.words_at(index, _MAX_ADJECTIVES + 2)
    forms = glossary.DETERMINERS.get(found[0].lower())
    position = 1 if forms else 0
    adjectives: list[str] = []
    while position < len(found) and len(adjectives) < _MAX_ADJECTIVES:
        adjective = glossary.ADJECTIVES.get(found[position].lower())
        if adjective is None:
            break
        adjectives.append(adjective)
        position += 1
    noun = _noun(found[position]) if position < len(found) else None
    # A lone word may be a verb as well (`need`, `start`): prefer that reading without company.
    if noun is None or (position == 0 and found[0].lower() in glossary.OTHERS):
        return None
    portuguese, plural, feminine = noun
    agreed = [_agree(a, feminine=feminine, plural=plural) for a in adjectives]
    placed = list(zip(agreed, adjectives, strict=True))
    before = [a for a, base in placed if base in glossary.BEFORE_THE_NOUN]
    after = [a for a, base in placed if base not in glossary.BEFORE_THE_NOUN]
    determiner = [forms[feminine + 2 * plural]] if forms else []
    return position + 1, " ".join([*determiner, *before, portuguese, *after])


def _noun(word: str) -> tuple[str, bool, bool] | None:
    """A noun in Portuguese, whether it is plural, and whether it is feminine."""
    singulars = [word.lower(), word.lower().removesuffix("s"), word.lower().removesuffix("es")]
    if word.lower().endswith("ies"):
        singulars.append(word.lower()[:-3] + "y")
    for number, english in enumerate(singulars):
        portuguese = glossary.NOUNS.get(english) or glossary.NOUNS.get(english.title())
        if portuguese is None:
            continue
        feminine = portuguese in glossary.FEMININE_IN_SPITE_OF_THEIR_ENDING or (
            bool(_FEMININE.search(portuguese))
            and portuguese not in glossary.MASCULINE_IN_SPITE_OF_THEIR_ENDING
        )
        if english == "people":
            return portuguese, True, True
        plural = number > 0 and english != word.lower()
        return (_plural(portuguese) if plural else portuguese), plural, feminine
    return None


def _agree(adjective: str, *, feminine: bool, plural: bool) -> str:
    if feminine and adjective.endswith("o"):
        adjective = adjective[:-1] + "a"
    elif feminine and adjective == "bom":
        adjective = "boa"
    return _plural(adjective) if plural else adjective


def _plural(word: str) -> str:
    for ending, replacement in (
        ("pão", "pães"), ("ão", "ões"), ("ável", "áveis"), ("ível", "íveis"), ("el", "éis"),
        ("al", "ais"), ("il", "eis"), ("ol", "óis"), ("m", "ns"), ("ês", "eses"), ("s", "s"),
        ("r", "res"), ("z", "zes"),
    ):  # fmt: skip
        if word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return word + "s"


def _single(draft: _Draft, word: str) -> str:
    """One word by itself; an unknown one stays and is remembered."""
    lower = word.lower()
    forms = glossary.DETERMINERS.get(lower)
    translated = (
        glossary.OTHERS.get(lower) or glossary.ADJECTIVES.get(lower) or (forms and forms[0])
    )
    if translated is None:
        draft.unknown.setdefault(clip(word, 40))
        return word
    draft.known += 1
    return translated


def _contracted(text: str) -> str:
    """Prepositions melt with the article behind them: `de o` is `do`, `em a` is `na`."""
    stems = {"de": "d", "em": "n", "por": "pel"}
    return re.sub(
        r"\b(de|em|por) ([oa]s?)\b",
        lambda m: _cased(stems[m[1].lower()] + m[2], m[1]),
        text,
        flags=re.IGNORECASE,
    )


def _cased(translated: str, original: str) -> str:
    """Upper case where the original began so; `CTA` style words stay in capitals."""
    if len(original) > 1 and original.isupper():
        return translated.upper()
    return translated[:1].upper() + translated[1:] if original[:1].isupper() else translated
