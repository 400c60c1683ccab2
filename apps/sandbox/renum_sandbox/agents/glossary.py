"""English to Brazilian Portuguese, by part of speech; small, and honest about its size."""

from importlib.resources import files


def _sections() -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    name = ""
    for line in (files(__package__) / "data" / "pt-br.txt").read_text("utf-8").splitlines():
        english, equals, portuguese = line.partition(" = ")
        if line.startswith("["):
            name = line.strip("[]")
        elif equals:
            sections.setdefault(name, {})[english] = portuguese
    return sections


_SECTIONS = _sections()
PHRASES = _SECTIONS["phrases"]
NOUNS = _SECTIONS["nouns"]
ADJECTIVES = _SECTIONS["adjectives"]
OTHERS = _SECTIONS["others"]

# Masculine singular, feminine singular, masculine plural, feminine plural.
DETERMINERS = {
    "the": ("o", "a", "os", "as"),
    "a": ("um", "uma", "uns", "umas"),
    "an": ("um", "uma", "uns", "umas"),
    "your": ("seu", "sua", "seus", "suas"),
    "our": ("nosso", "nossa", "nossos", "nossas"),
    "my": ("meu", "minha", "meus", "minhas"),
    "this": ("este", "esta", "estes", "estas"),
    "these": ("este", "esta", "estes", "estas"),
    "that": ("esse", "essa", "esses", "essas"),
    "those": ("esse", "essa", "esses", "essas"),
    "all": ("todo", "toda", "todos", "todas"),
    "some": ("algum", "alguma", "alguns", "algumas"),
    "every": ("cada", "cada", "cada", "cada"),
    "each": ("cada", "cada", "cada", "cada"),
}

FEMININE_IN_SPITE_OF_THEIR_ENDING = frozenset({"rede", "voz", "equipe", "parte", "manhã", "frase"})
MASCULINE_IN_SPITE_OF_THEIR_ENDING = frozenset({"dia", "problema", "sistema", "guia", "idioma"})
BEFORE_THE_NOUN = frozenset(
    {"primeiro", "segundo", "terceiro", "último", "próximo", "melhor", "bom"}
)
