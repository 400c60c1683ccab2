"""The environments that peers run in, apart from ours and from each other: made when first used."""

import hashlib
import subprocess
import sys
from pathlib import Path

_UV = Path(sys.executable).with_name("uv")
_REQUIREMENTS = Path(__file__).with_name("requirements")
_HOME = Path(".venv-peers")


def python_of(environment: str) -> str:
    """The interpreter of an environment that has exactly what its requirement file says."""
    requirements = _REQUIREMENTS / f"{environment}.txt"
    place = (_HOME / environment).absolute()
    python, made_of = place / "bin" / "python", place / ".made-of"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not made_of.exists() or made_of.read_text() != wanted:
        print(f"making the environment of {environment}", file=sys.stderr, flush=True)
        _uv("venv", "--clear", "--python", sys.executable, str(place))
        _uv("pip", "install", "--python", str(python), "--require-hashes", "-r", str(requirements))
        made_of.write_text(wanted)
    return str(python)


def _uv(*arguments: str) -> None:
    subprocess.run([str(_UV), "--quiet", *arguments], check=True)
