"""Reading a session: finished, cut off, or still being recorded; read-only always."""

import hashlib
import heapq
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from kinetens.device.clock import TimeExchange
from kinetens.errors import InvalidInput, SessionDamaged, SessionNotFound
from kinetens.session.header import SessionHeader
from kinetens.session.layout import (
    APPLICATION_ID,
    CHANNELS,
    COLUMNS,
    CONTROL,
    FINISHED,
    MOTION,
    RAW,
    SCHEMA_VERSION,
    STIMULATION,
    SUFFIX,
    Chain,
)
from kinetens.session.records import Frame, HostEvent, Verification
from kinetens.session.samples import Samples, assemble
from kinetens.session.statuses import (
    TimedState,
    TimedStatus,
    read_states,
    read_statuses,
    stream_totals,
)

_TIMES = (("received_us", "frames"), ("time_us", "events"))
_SQLITE_MAGIC = b"SQLite format 3\0"


class Session:
    """One recorded session, as it was on disk when it was opened. Use it in a `with` block.

    Methods raise SessionDamaged when the file turns out to be unreadable.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, header: SessionHeader, header_json: str):
        self.path = path
        self.header = header
        self._database = database
        self._header_json = header_json

    @classmethod
    def open(cls, path: Path) -> "Session":
        """Open a session file; a folder that cannot be written, or a recording in progress, is no obstacle.

        Raises:
            SessionNotFound: no such file.
            SessionDamaged: it is not a session, is of a newer schema, or cannot be read.
        """
        path = Path(path)
        _check_magic(path)
        database = _connect(path)
        try:
            with _damage(path):
                database.execute("BEGIN")
                if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                    raise SessionDamaged(f"{path} is a database but not a session of kinetens")
                schema: int = database.execute("PRAGMA user_version").fetchone()[0]
                if schema > SCHEMA_VERSION:
                    raise SessionDamaged(
                        f"{path} was written by a newer kinetens (schema {schema}, this program reads up to "
                        f"{SCHEMA_VERSION}); install the newer one to read it"
                    )
                rows: list[tuple[Any]] = database.execute("SELECT json FROM header").fetchall()
                if len(rows) != 1:
                    raise SessionDamaged(f"{path} has {len(rows)} headers where a session has one")
                text = str(rows[0][0])
                return cls(path, database, _parse_header(path, text), text)
        except BaseException:
            database.close()
            raise

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(SUFFIX)

    @cached_property
    def ended(self) -> str | None:
        """Why the session ended, or None: it was cut off, or is still being recorded."""
        reasons = [event.text for event in self.events() if event.kind == FINISHED]
        return reasons[-1] if reasons else None

    def frames(self, *channels: str) -> Iterator[Frame]:
        """Everything that arrived on these channels (all if none is named), in order of arrival."""
        codes = [CHANNELS.index(channel) + 1 for channel in channels or CHANNELS]
        query = f"SELECT * FROM frames WHERE channel IN ({', '.join('?' * len(codes))}) ORDER BY number"
        for number, code, received_us, data in self._rows(query, *codes):
            yield Frame(number, CHANNELS[int(code) - 1], received_us, data)

    def exchanges(self) -> list[TimeExchange]:
        """Clock comparisons, in order."""
        columns = ", ".join(COLUMNS["exchanges"])
        return [TimeExchange(*row) for row in self._rows(f"SELECT {columns} FROM exchanges ORDER BY number")]

    def events(self) -> list[HostEvent]:
        return [HostEvent(*row) for row in self._rows("SELECT * FROM events ORDER BY number")]

    def samples(self) -> Samples:
        """All orientation samples, placed in time, each once, and what is missing."""
        return assemble(
            list(self.frames(MOTION)),
            self.exchanges(),
            stream_totals(self.frames(MOTION, CONTROL)),
            self.header.host_time_zero_us,
        )

    def statuses(self) -> list[TimedStatus]:
        """What the device said of itself every second."""
        return read_statuses(self.frames(CONTROL), self.header.host_time_zero_us)

    def stimulation(self) -> list[TimedState]:
        """What the device said of its stimulation: every change, and five a second while not idle."""
        return read_states(self.frames(STIMULATION), self.header.host_time_zero_us)

    def frames_sha256(self) -> str:
        """SHA-256 (hex) over the bytes of all motion and raw frames in order of arrival."""
        total = hashlib.sha256()
        for frame in self.frames(MOTION, RAW):
            total.update(frame.data)
        return total.hexdigest()

    def duration_s(self) -> float:
        """From the session's creation to the last thing recorded, in s."""
        newest = ("SELECT {} FROM {} ORDER BY number DESC LIMIT 1".format(*of) for of in _TIMES)
        return max((self.host_s(row[0]) for query in newest for row in self._rows(query)), default=0.0)

    def host_s(self, host_us: int) -> float:
        """Seconds since the session was created, from a time of the host's clock."""
        return (host_us - self.header.host_time_zero_us) / 1e6

    def verify(self) -> Verification:
        """Check the database and every seal.

        A session that was cut off is as valid as one that was finished.

        Raises:
            SessionDamaged: it is not what was recorded. The message says where.
        """
        with _damage(self.path):
            problem: str = self._database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise SessionDamaged(f"{self.path} is damaged: {problem}")
        chain = Chain(self._header_json)
        seals = [
            (int(n), bytes(d)) for n, d in self._rows("SELECT number, digest FROM seals ORDER BY number")
        ]
        pending = iter(seals)
        self._check_seal(next(pending, None), 0, chain)
        seal = next(pending, None)
        last = frames = 0
        for number, table, values in self._records():
            if number != last + 1:
                raise SessionDamaged(f"{self.path} was changed: record {last + 1} is not there")
            try:
                chain.add(table, number, values)
            except ValueError as error:
                raise SessionDamaged(f"{self.path} was changed: {error}") from error
            if seal is None:
                raise SessionDamaged(
                    f"{self.path} was changed: record {number} was added after the last seal"
                )
            if number == seal[0]:
                self._check_seal(seal, number, chain)
                seal = next(pending, None)
            last = number
            frames += table == "frames"
        if seal is not None:
            raise SessionDamaged(f"{self.path} was changed: record {last + 1} is not there")
        return Verification(last, frames, len(seals), self.ended)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _records(self) -> Iterator[tuple[int, str, tuple[Any, ...]]]:
        """All rows of all tables in the order of their numbers."""
        return heapq.merge(*(self._table(table) for table in COLUMNS), key=lambda record: record[0])

    def _table(self, table: str) -> Iterator[tuple[int, str, tuple[Any, ...]]]:
        for row in self._rows(f"SELECT number, {', '.join(COLUMNS[table])} FROM {table} ORDER BY number"):
            yield row[0], table, row[1:]

    def _rows(self, query: str, *parameters: int) -> Iterator[tuple[Any, ...]]:
        with _damage(self.path):
            yield from self._database.execute(query, parameters)

    def _check_seal(self, seal: tuple[int, bytes] | None, number: int, chain: Chain) -> None:
        if seal is None or seal[0] != number or seal[1] != chain.digest():
            where = "its header" if number == 0 else f"a record up to number {number}"
            raise SessionDamaged(f"{self.path} was changed: {where} is not as it was recorded")


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError as error:
        raise SessionNotFound(
            f"there is no session file {path}; kinetens sessions list shows what there is"
        ) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SessionDamaged(f"cannot read {path}: {reason}") from error
    if start != _SQLITE_MAGIC:
        raise SessionDamaged(f"{path} is not a session file, or its beginning is damaged")


def _connect(path: Path) -> sqlite3.Connection:
    """Open read-only; where SQLite cannot make its side files, do without them or work on a copy."""
    wal = path.with_name(path.name + "-wal")
    try:
        return _probed(path, "mode=ro")
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):
            raise SessionDamaged(f"{path} is damaged: {error}") from error
    with _damage(path):
        if not wal.exists() or wal.stat().st_size == 0:
            return _probed(path, "immutable=1")
        with tempfile.TemporaryDirectory(prefix="kinetens-") as folder:
            for source in (path, wal):
                shutil.copyfile(source, Path(folder) / source.name)
            copied = sqlite3.connect(Path(folder) / path.name)
            whole = sqlite3.connect(":memory:", isolation_level=None)
            copied.backup(whole)
            copied.close()
            return whole


def _probed(path: Path, options: str) -> sqlite3.Connection:
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    try:
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _parse_header(path: Path, text: str) -> SessionHeader:
    try:
        return SessionHeader.from_json(text)
    except (ValueError, TypeError, InvalidInput) as error:
        raise SessionDamaged(f"{path} has a header that cannot be read: {error}") from error


@contextmanager
def _damage(path: Path) -> Generator[None]:
    """Say in one sentence what SQLite cannot read."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise SessionDamaged(f"{path} is damaged or cannot be read: {error}") from error
