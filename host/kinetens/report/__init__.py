"""The report of a session: one HTML page for member and therapist, readable offline and on paper."""

from kinetens.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
