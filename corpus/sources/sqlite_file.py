"""Opens somebody else's SQLite database to read it, without changing a byte of it or of its companions.

A program that has the database open in WAL mode keeps what is new in `FILE-wal` and coordinates readers through
`FILE-shm`; SQLite then reads both, consistently. Where no program has it open, `FILE-wal` is missing or was left behind
by a crash: the database is then opened as immutable, or as a copy together with its WAL.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from corpus.sources.problems import DamagedFile


def companions(file: Path) -> list[Path]:
    """The files beside a database that hold a part of its content."""
    return [path for suffix in ("-wal", "-journal") if (path := file.with_name(file.name + suffix)).is_file()]


@contextmanager
def read_only(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one consistent state. Text comes as bytes, as it stands in the file.

    Raises:
        DamagedFile: it is no database, is damaged, or another program keeps it locked.
    """
    try:
        with _connected(file) as connection:
            yield connection
    except sqlite3.Error as error:
        raise DamagedFile(f"the database cannot be read: {error}") from error
    except OSError as error:
        raise DamagedFile(f"the database cannot be copied to read it: {error.strerror or error}") from error


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    if not companions(file):
        with _connection(file, "immutable=1") as connection:
            yield connection
    elif file.with_name(file.name + "-shm").is_file():
        with _connection(file, "mode=ro") as connection:
            yield connection
    else:
        with TemporaryDirectory(prefix="gristmill-") as folder:
            for path in (file, *companions(file)):
                shutil.copyfile(path, Path(folder) / path.name)
            with _connection(Path(folder) / file.name, "mode=rw") as connection:
                yield connection


@contextmanager
def _connection(file: Path, options: str) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(bytes(file.absolute()))}?{options}"
    with closing(sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)) as connection:
        connection.text_factory = bytes
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")  # one state for all that is read
        yield connection
