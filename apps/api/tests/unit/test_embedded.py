"""The development database: started for its first user, stopped by its last, whatever happens."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.infra.db import embedded_programs
from app.infra.db.embedded import embedded_postgres, stop_embedded_postgres
from app.infra.db.embedded_programs import EmbeddedPostgresError

LEAVE_IT_RUNNING = """
import os, sys
from pathlib import Path
from app.infra.db.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])):
    os._exit(9)
"""

pytestmark = pytest.mark.slow


def runs(directory: Path) -> bool:
    return (directory / "data" / "postmaster.pid").exists()


def ask(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as db:
        cursor = db.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def test_it_lives_as_long_as_its_users_and_keeps_their_data(folder: Path) -> None:
    with embedded_postgres(folder) as url:
        ask(url, "CREATE TABLE kept AS SELECT 'Ação' AS word")
        with embedded_postgres(folder) as again:
            assert again == url
        assert runs(folder)
        with pytest.raises(EmbeddedPostgresError, match="is in use"):
            stop_embedded_postgres(folder)
    assert not runs(folder)
    with embedded_postgres(folder) as url:
        assert ask(url, "SELECT lower(word) FROM kept") == "ação"


@pytest.mark.parametrize("name", ["two words", "o'clock", "x" * 120], ids=len)
def test_any_directory_will_do(folder: Path, name: str) -> None:
    with embedded_postgres(folder / name) as url:
        assert ask(url, "SELECT current_database()") == "renum"


def test_a_directory_that_a_shell_would_change_is_refused(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="DATA_DIR"), embedded_postgres(folder / "$x"):
        pass


def test_a_killed_user_leaves_a_server_that_the_next_one_takes_over(folder: Path) -> None:
    killed = [sys.executable, "-c", LEAVE_IT_RUNNING, str(folder)]
    assert subprocess.run(killed, check=False).returncode == 9
    assert runs(folder)
    with embedded_postgres(folder) as url:
        ask(url, "SELECT 1")
    assert not runs(folder)

    subprocess.run(killed, check=False)
    assert stop_embedded_postgres(folder)
    assert not runs(folder)
    assert not stop_embedded_postgres(folder)


def test_what_was_left_half_done_is_begun_again(folder: Path) -> None:
    (folder / "data.new").mkdir()
    (folder / "data.new" / "PG_VERSION").write_text("18")
    with embedded_postgres(folder) as url:
        ask(url, "SELECT 1")


def test_a_pid_that_belongs_to_somebody_else_by_now_is_no_server(folder: Path) -> None:
    pid_file = folder / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{folder}\n")
    embedded_programs.forget_dead_server(folder)
    assert not pid_file.exists()

    for gone in ("4194305\n", "nonsense", ""):  # above the largest pid: PostgreSQL clears it
        pid_file.write_text(gone)
        embedded_programs.forget_dead_server(folder)
        assert pid_file.exists()


def test_a_program_that_fails_says_why(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"pg_ctl failed: .*directory"):
        embedded_programs.run("pg_ctl", "-D", str(folder / "nothing"), "start")


def test_a_dead_server_is_not_stopped(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "postmaster.pid").write_text("4194305\n")
    assert not stop_embedded_postgres(folder)
