"""Recording: whatever arrives goes to disk as it is, at most half a second later."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from kinetens.errors import OutputNotWritable
from kinetens.session.header import SessionHeader
from kinetens.session.layout import CHANNELS, COLUMNS, FINISHED, SIDE_FILES, Chain, Field, create_tables

COMMIT_AFTER_S = 0.5

_CHANNEL_CODES = {channel: code for code, channel in enumerate(CHANNELS, start=1)}
_INSERT = {
    table: f"INSERT INTO {table} VALUES ({', '.join('?' * (1 + len(columns)))})"
    for table, columns in COLUMNS.items()
}


class SessionWriter:
    """Appends to one session file. Made by `create`, ended by `finish`; use it in a `with` block.

    What was handed over is on disk (synced) half a second of session time or wall time later, whichever is
    first. Only calls commit: call `commit_when_due` at least twice a second while nothing arrives. Not for
    use by several threads.

    Every method raises OutputNotWritable when the disk is full or fails; what was committed before stays
    valid.
    """

    def __init__(
        self, path: Path, database: sqlite3.Connection, chain: Chain, monotonic_s: Callable[[], float]
    ):
        self.path = path
        self._database = database
        self._chain = chain
        self._monotonic_s = monotonic_s
        self._number = 0
        self._sealed = 0
        self._last_time_us: int | None = None
        self._committed_wall_s = monotonic_s()
        self._committed_us: int | None = None
        self._open = True

    @classmethod
    def create(
        cls, folder: Path, header: SessionHeader, monotonic_s: Callable[[], float] = time.monotonic
    ) -> "SessionWriter":
        """Start the file `<header.name>.kinetens` in `folder`, made if need be; both for their owner only.

        Raises:
            OutputNotWritable: the folder cannot be written or the file exists.
        """
        path = folder / header.file_name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError as error:
            what = "there is already a session" if path.exists() else "it is not a folder"
            raise OutputNotWritable(f"cannot record to {path}: {what}; choose another folder") from error
        except OSError as error:
            raise OutputNotWritable(
                f"cannot record to {folder}: {_reason(error)}; choose a folder that you may write"
            ) from error
        header_json = header.to_json()
        try:
            database = sqlite3.connect(path, isolation_level=None)
            create_tables(database)
            database.execute("BEGIN")
            database.execute("INSERT INTO header VALUES (?)", (header_json,))
            writer = cls(path, database, Chain(header_json), monotonic_s)
            writer.commit()
        except (sqlite3.Error, OutputNotWritable) as error:
            for leftover in (path, *(path.with_name(path.name + side) for side in SIDE_FILES)):
                leftover.unlink(missing_ok=True)
            raise OutputNotWritable(f"cannot record to {folder}: {error}; choose another folder") from error
        return writer

    def frame(self, channel: str, received_us: int, data: bytes) -> None:
        """Keep what arrived: on one of CHANNELS, when by the host's clock, and the bytes."""
        self._append("frames", (_CHANNEL_CODES[channel], received_us, data))
        self.commit_when_due(received_us)

    def exchange(
        self, host_sent_us: int, device_received_us: int, device_sent_us: int, host_received_us: int
    ) -> None:
        """Keep the four times of one exchange between host clock and device clock."""
        self._append("exchanges", (host_sent_us, device_received_us, device_sent_us, host_received_us))
        self.commit_when_due(host_received_us)

    def event(self, time_us: int, kind: str, text: str) -> None:
        """Keep a fact that the host knows (connected, lost, …), at once: such facts are rare and matter."""
        self._append("events", (time_us, kind, text))
        self._last_time_us = time_us
        self.commit()

    def commit_when_due(self, now_us: int) -> None:
        """Commit if half a second of session time (`now_us`) or of wall time has passed since the last."""
        self._last_time_us = now_us
        if self._committed_us is None:
            self._committed_us = now_us
        if (
            now_us - self._committed_us >= COMMIT_AFTER_S * 1e6
            or self._monotonic_s() - self._committed_wall_s >= COMMIT_AFTER_S
        ):
            self.commit()

    def commit(self) -> None:
        """Seal and sync what was handed over so far."""
        try:
            if self._number > self._sealed or self._number == 0:
                self._database.execute(
                    "INSERT INTO seals VALUES (?, ?)", (self._number, self._chain.digest())
                )
                self._database.execute("COMMIT")
                self._database.execute("BEGIN")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._sealed = self._number
        self._committed_us = self._last_time_us
        self._committed_wall_s = self._monotonic_s()

    def finish(self, reason: str, time_us: int | None = None) -> None:
        """End the session with its reason and close the file; `time_us` defaults to the last one known."""
        self.event(self._last_time_us or 0 if time_us is None else time_us, FINISHED, reason)
        self._open = False
        with suppress(
            sqlite3.Error
        ):  # a reader may hold the file; it then stays in WAL mode, which is as valid
            self._database.execute("ROLLBACK")
            # One file without side files opens anywhere, also from a read-only folder.
            self._database.execute("PRAGMA journal_mode = DELETE")
        self._database.close()

    def close(self) -> None:
        """Commit and close without ending the session; does nothing after `finish`."""
        if self._open:
            self._open = False
            try:
                self.commit()
            finally:
                self._database.close()

    def __enter__(self) -> "SessionWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, table: str, values: tuple[Field, ...]) -> None:
        number = self._number + 1
        self._chain.add(table, number, values)
        try:
            self._database.execute(_INSERT[table], (number, *values))
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self._number = number

    def _failed(self, error: sqlite3.Error) -> OutputNotWritable:
        # SQLite may have rolled back rows that the chain has in it: nothing can be appended any more.
        self._open = False
        self._database.close()
        return OutputNotWritable(
            f"cannot go on recording to {self.path}: {error}; "
            "what was recorded until half a second ago is kept, free some space and start again"
        )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
