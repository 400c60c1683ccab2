"""The person's own editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from renum.cli.exits import BadInput


def edited(text: str, *, suffix: str) -> str:
    """
    What is left of the text when VISUAL or EDITOR has ended.

    Raises:
        BadInput: the editor cannot be started, or says that it failed.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="renum-") as folder:
        file = Path(folder) / f"team{suffix}"
        file.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*shlex.split(command), str(file)], check=True)  # noqa: S603  their own
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot start the editor {command!r}: set EDITOR") from error
        except subprocess.CalledProcessError as error:
            raise BadInput(f"the editor ended with {error.returncode}: nothing changed") from error
        return file.read_text(encoding="utf-8")
