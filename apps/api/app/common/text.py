"""Text as people compare it."""

import unicodedata


def fold(text: str) -> str:
    """*text* without case and accents: "Ação" and "ACAO" fold to the same."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()
