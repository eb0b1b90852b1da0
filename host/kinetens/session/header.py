"""What is known of a session before its first frame."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from kinetens.errors import InvalidInput
from kinetens.session.layout import SCHEMA_VERSION, SUFFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHeader:
    """Written once, when a session is created, and sealed with everything that follows.

    `created_utc` is ISO 8601 in UTC, such as `2026-11-23T10:15:12Z`; `host_time_zero_us` is what the host's
    clock showed then, the same clock that gives `received_us` and all other host times of the session.
    `device` is the device's Info, `calibration` what it corrected its sensor by (the protocol's Calibration, zeros where
    there was none; empty when that is not known), `stream` the request that started it (empty for a session without
    movement), `limits` the effective stimulation limits, `stimulation` the plan that was given with its arithmetic and the
    member's answers (kinetens.stim.document), each as plain JSON values.
    """

    session_uuid: str
    created_utc: str
    host_time_zero_us: int
    exercise: str
    side: str
    placement: str
    software_version: str
    protocol_version: str
    device: Mapping[str, Any] = field(default_factory=dict[str, Any])
    calibration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stream: Mapping[str, Any] = field(default_factory=dict[str, Any])
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stimulation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int | None = None
    notes: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        try:
            offset = self.created.utcoffset()
        except ValueError as error:
            raise InvalidInput(f"'{self.created_utc}' is not a time such as 2026-11-23T10:15:12Z") from error
        if offset is None or offset.total_seconds() != 0:
            raise InvalidInput(f"the session's time '{self.created_utc}' is not in UTC; end it with Z")

    @property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.created_utc)

    @property
    def name(self) -> str:
        """Sorts by time and differs between sessions: 20261123-101512-ab12cd34."""
        return f"{self.created:%Y%m%d-%H%M%S}-{self.session_uuid.replace('-', '')[:8]}"

    @property
    def file_name(self) -> str:
        return self.name + SUFFIX

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "SessionHeader":
        """Read what `to_json` wrote.

        Raises:
            ValueError, TypeError, InvalidInput: it is something else.
        """
        return cls(**json.loads(text))
