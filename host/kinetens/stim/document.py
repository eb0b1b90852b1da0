"""A plan as plain data: for programs, for the session's record and for the report."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from kinetens.stim import explained
from kinetens.stim.arithmetic import arithmetic
from kinetens.stim.described import programme_text, where_text
from kinetens.stim.plan import StimulationPlan
from kinetens.stim.plan_file import plain
from kinetens.stim.questions import QUESTIONS
from kinetens.stim.written import WrittenPlan


def plan_document(
    written: WrittenPlan,
    meant: StimulationPlan,
    today: date,
    board: Mapping[int, int] | None = None,
    board_name: str | None = None,
) -> dict[str, Any]:
    """All there is to say of a plan, and what it means, on a board (its limits by code, and its name)."""
    bounds = meant.effective(board)
    refusals = [explained.explain(meant, refusal) for refusal in meant.refusals(bounds)]
    verdict = written.verdict(today)
    return {
        "plan": _as_json(plain(written)),
        "accepted": not refusals and not verdict.forbids,
        "problems": [],
        "refusals": [{**asdict(refusal), "sentence": refusal.sentence} for refusal in refusals],
        "forbidden": list(verdict.forbids),
        "unanswered": list(verdict.unanswered),
        "program": meant.program._asdict(),
        "programme": programme_text(meant.program),
        "where": where_text(written),
        "arithmetic": [asdict(step) for step in arithmetic(meant.program)],
        "limits": [asdict(row) for row in explained.rows(bounds, board_name)],
        "questions": _questions(written),
    }


def _questions(written: WrittenPlan) -> list[dict[str, str]]:
    """Each question with the member's answer ("" for none) and what a yes means."""
    given = written.answers.by_key if written.answers else {}
    allowed = dict.fromkeys(written.plan.therapist_allows, f"allowed by {written.plan.therapist}")
    return [
        {
            "key": one.key,
            "question": one.text,
            "answer": given.get(one.key, ""),
            "a_yes_means": allowed.get(one.key, one.consequence),
        }
        for one in QUESTIONS
    ]


def _as_json(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {key: value.isoformat() if isinstance(value, date) else value for key, value in table.items()}
        for name, table in tables.items()
    }
