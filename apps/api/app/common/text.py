"""Text as people compare it, and as PostgreSQL can store it."""

import unicodedata


def fold(text: str) -> str:
    """*text* without case and accents: "Ação" and "ACAO" fold to the same."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def storable(text: str) -> str:
    """*text* without what PostgreSQL cannot store: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
