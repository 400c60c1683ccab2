"""
Build the image's file tree without Docker, by the steps of the Dockerfile itself.

    python -m scripts.image_steps DIR [--target api|sandbox] [--check]

Every instruction is read from the Dockerfile, so the two cannot drift. RUN runs its command with
/bin/sh and the environment of its stage; where it names a path of the image (`/opt`, `/build`,
`/tmp`), that path in DIR stands for it. COPY takes what .dockerignore lets through. This machine's
Python plays the base image. At the end only `DIR/image` is left, and is what the image would hold.

With --check the tree has to prove itself (scripts/image_check.py): DATABASE_URL names an empty
PostgreSQL database for that, otherwise one is started.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATHS = ("build", "opt", "tmp")
#: How the ordinary package clients of this machine find their index; Docker has build arguments.
CLIENTS = re.compile(r"PIP_|UV_INDEX|UV_DEFAULT_INDEX|SSL_CERT|[A-Za-z]+_(PROXY|proxy)$")


class StepError(Exception):
    """An instruction that is not known here, or that failed."""


@dataclass
class Stage:
    """A stage of the build: its file tree, and the settings that the next stage inherits."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    user: str = "root"

    def path(self, inside: str) -> Path:
        """Where a path of the image, or one relative to WORKDIR, lies on this machine."""
        return self.root / os.path.normpath(Path(self.workdir, inside)).lstrip("/")

    def mapped(self, text: str) -> str:
        """*text* with every path of the image replaced by where it lies on this machine."""
        return re.sub(rf"(?<![\w./-])/(?=(?:{'|'.join(PATHS)})\b)", f"{self.root}/", text)

    def environment(self, base: Path) -> dict[str, str]:
        """Of a command in this stage. Nothing of ours comes in but the way to a package index."""
        clients = {k: v for k, v in os.environ.items() if CLIENTS.match(k)}
        own = {name: self.mapped(value) for name, value in self.env.items()}
        return {"PATH": f"{base}:/usr/bin:/bin", "HOME": os.environ["HOME"], **clients, **own}


def instructions(text: str) -> list[tuple[str, str]]:
    """The (instruction, rest) pairs of a Dockerfile, comments gone and lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, rest in pairs]


def build(folder: Path, target: str = "api") -> Stage:
    """Perform the steps of the stages that *target* needs in *folder*, which is empty or absent."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise StepError(f"{folder} is not empty")
    base = folder / "base"
    base.mkdir()
    # Not a link: the tree then leads to the Python itself, and may be moved.
    real = Path(sys.base_prefix, "bin", Path(sys.executable).name).resolve()
    (base / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(str(real))} "$@"\n')
    (base / "python").chmod(0o755)
    parts = _stages(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")))
    stages: dict[str, Stage] = {}
    for name in _needed(parts, target):
        parent, steps = parts[name]
        stages[name] = _began(folder / name, stages.get(parent))
        for instruction, rest in steps:
            _perform(stages[name], stages, base, instruction, rest)
    image = stages[target]
    final = folder / "image"
    image.root.rename(final)
    image.root = final
    for name in [*stages, "base"]:
        shutil.rmtree(folder / name, ignore_errors=True)
    return image


def _stages(
    steps: list[tuple[str, str]],
) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Of every stage: the stage or image it starts from, and its steps."""
    stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    name = ""
    for instruction, rest in steps:
        if instruction == "FROM":
            parent, _, name = rest.split()
            stages[name] = (parent, [])
        elif name:
            stages[name][1].append((instruction, rest))
        elif instruction != "ARG":
            raise StepError(f"{instruction} before FROM")
    return stages


def _needed(parts: dict[str, tuple[str, list[tuple[str, str]]]], target: str) -> list[str]:
    """The stages that *target* needs, in the order of the file, which is the order to build in."""
    wanted = {target}
    for name, (parent, steps) in reversed(parts.items()):
        if name in wanted:
            sources = re.findall(r"--from=(\S+)", " ".join(rest for _, rest in steps))
            wanted |= {parent, *sources} & parts.keys()
    return [name for name in parts if name in wanted]


def _began(root: Path, parent: Stage | None) -> Stage:
    if parent is None:
        root.mkdir()
        stage = Stage(root)
    else:
        shutil.copytree(parent.root, root, symlinks=True)
        stage = Stage(root, dict(parent.env), parent.workdir, user=parent.user)
        stage.entrypoint, stage.command = parent.entrypoint, parent.command
        stage.healthcheck = parent.healthcheck
    (root / "tmp").mkdir(exist_ok=True)
    return stage


def _perform(
    stage: Stage, stages: dict[str, Stage], base: Path, instruction: str, rest: str
) -> None:
    if instruction == "ENV":
        known = {"PATH": f"{base}:/usr/bin:/bin", **stage.env}
        for name, value in (word.split("=", 1) for word in shlex.split(rest)):
            stage.env[name] = re.sub(r"\$(\w+)", lambda found: known[found[1]], value)
    elif instruction == "WORKDIR":
        stage.workdir = rest
        stage.path(".").mkdir(parents=True, exist_ok=True)
    elif instruction == "COPY":
        _copy(stage, stages, rest.split())
    elif instruction == "RUN":
        _run(stage, base, rest)
    elif instruction == "USER":
        stage.user = rest
    elif instruction == "HEALTHCHECK":
        stage.healthcheck = json.loads(rest[rest.index("CMD") + 3 :])
    elif instruction == "ENTRYPOINT":
        stage.entrypoint = json.loads(rest)
    elif instruction == "CMD":
        stage.command = json.loads(rest)
    elif instruction not in ("EXPOSE", "STOPSIGNAL"):
        raise StepError(f"{instruction} is not known to this script")


def _run(stage: Stage, base: Path, command: str) -> None:
    print(f"RUN {command}", flush=True)
    done = subprocess.run(
        ["/bin/sh", "-c", stage.mapped(command)],
        cwd=stage.path("."),
        env=stage.environment(base),
        check=False,
    )
    if done.returncode != 0:
        raise StepError(f"RUN failed with {done.returncode}: {command}")


def _copy(stage: Stage, stages: dict[str, Stage], words: list[str]) -> None:
    print(f"COPY {' '.join(words)}", flush=True)
    source = None
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")]
    *origins, target = words
    for origin in origins:
        into = stage.path(target)
        if source is not None:
            shutil.copytree(source.path(origin), into, symlinks=True)
        elif (ROOT / origin).is_dir():
            for file in sorted(f for f in (ROOT / origin).rglob("*") if f.is_file()):
                if in_context(str(file.relative_to(ROOT))):
                    place = into / file.relative_to(ROOT / origin)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(file, place)
        elif in_context(origin):
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / origin, into)
        else:
            raise StepError(f"COPY {origin}: .dockerignore keeps it out")


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a path of this repository through: the last line that fits wins"""
    allowed = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        body = re.escape(pattern.removeprefix("!"))
        body = body.replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(rf"{body}(?:/.*)?", path):
            allowed = pattern.startswith("!")
    return allowed


def main() -> None:
    parser = argparse.ArgumentParser(description="The image's file tree, without Docker.")
    parser.add_argument("folder", type=Path, help="an empty or absent directory")
    parser.add_argument("--target", choices=["api", "sandbox"], default="api")
    parser.add_argument("--check", action="store_true", help="start it and ask its healthcheck")
    asked = parser.parse_args()
    try:
        image = build(asked.folder.resolve(), asked.target)
    except StepError as error:
        sys.exit(f"image_steps: {error}")
    print(f"built {image.root}")
    if asked.check:
        from scripts.image_check import check

        check(image)


if __name__ == "__main__":
    main()
