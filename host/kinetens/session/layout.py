"""What a session file is: an SQLite database with rows numbered across tables and sealed by a hash chain.

Rows of all tables share one count from 1, in the order in which things happened. A seal is written with every
commit and holds SHA-256 over the header and all rows up to its number, so that an altered, removed or added
row is noticed. It guards against damage and mistakes, not against somebody who computes all seals anew.
"""

import hashlib
import sqlite3
import struct

SCHEMA_VERSION = 2
APPLICATION_ID = 0x4B4E5453
"""SQLite's application identifier of a session file: "KNTS"."""
SUFFIX = ".kinetens"
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite may leave beside a session that was not closed."""

Field = int | str | bytes

MOTION = "motion"
RAW = "raw"
CONTROL = "control"
STIMULATION = "stimulation"
CHANNELS: tuple[str, ...] = (MOTION, RAW, CONTROL, STIMULATION)
"""Where a frame arrived; a file stores the position in this table, counted from 1."""

COLUMNS = {
    "frames": ("channel", "received_us", "data"),
    "exchanges": ("host_sent_us", "device_received_us", "device_sent_us", "host_received_us"),
    "events": ("time_us", "kind", "text"),
}
"""Tables and their columns behind `number`; the order is that of the seals."""

FINISHED = "finished"
"""Kind of the event that ends a session; its text is the reason. A session without it was cut off."""

_TABLE_CODES = {table: code for code, table in enumerate(COLUMNS, start=1)}

SCHEMA = """
CREATE TABLE header (json TEXT NOT NULL);
CREATE TABLE frames (number INTEGER PRIMARY KEY, channel INTEGER NOT NULL, received_us INTEGER NOT NULL,
                     data BLOB NOT NULL);
CREATE TABLE exchanges (number INTEGER PRIMARY KEY, host_sent_us INTEGER NOT NULL, device_received_us INTEGER
NOT NULL,
                        device_sent_us INTEGER NOT NULL, host_received_us INTEGER NOT NULL);
CREATE TABLE events (number INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, kind TEXT NOT NULL,
                     text TEXT NOT NULL);
CREATE TABLE seals (number INTEGER PRIMARY KEY, digest BLOB NOT NULL);
"""


class Chain:
    """The running hash that seals rows in order."""

    def __init__(self, header_json: str) -> None:
        self._hash = hashlib.sha256(header_json.encode())

    def add(self, table: str, number: int, values: tuple[Field, ...]) -> None:
        """Take in one row.

        Raises:
            ValueError: a value does not fit its column.
        """
        try:
            parts = [struct.pack("<Bq", _TABLE_CODES[table], number)]
            for value in values:
                if isinstance(value, int):
                    parts.append(struct.pack("<q", value))
                else:
                    content = value.encode() if isinstance(value, str) else value
                    parts += (struct.pack("<I", len(content)), content)
        except (AttributeError, TypeError, UnicodeError, struct.error) as error:
            raise ValueError(f"row {number} of {table} has a value that does not fit: {error}") from error
        self._hash.update(b"".join(parts))

    def digest(self) -> bytes:
        return self._hash.digest()


def create_tables(database: sqlite3.Connection) -> None:
    """Make an empty database a session file without header."""
    database.executescript(
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
        f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {SCHEMA} COMMIT;"
    )
