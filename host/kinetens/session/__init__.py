"""Recorded sessions: everything that arrived, byte for byte, and what can be computed from it again."""

from kinetens.session.header import SessionHeader
from kinetens.session.layout import CHANNELS, CONTROL, MOTION, RAW, STIMULATION
from kinetens.session.reader import Frame, HostEvent, Session, Verification
from kinetens.session.store import delete_session, find_session, list_sessions, sessions_dir
from kinetens.session.writer import SessionWriter

__all__ = [
    "CHANNELS",
    "CONTROL",
    "MOTION",
    "RAW",
    "STIMULATION",
    "Frame",
    "HostEvent",
    "Session",
    "SessionHeader",
    "SessionWriter",
    "Verification",
    "delete_session",
    "find_session",
    "list_sessions",
    "sessions_dir",
]
