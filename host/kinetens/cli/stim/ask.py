"""Asking the questions that come before stimulation, and keeping the answers."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import rich_click as click

from kinetens.errors import StimulationRefused
from kinetens.session.output import whole_file
from kinetens.stim.plan_file import text_with_answers
from kinetens.stim.questions import QUESTIONS


def ask_questions() -> dict[str, str]:
    """The member's answers by the question's key.

    Raises StimulationRefused: nobody is there to answer.
    """
    click.echo("Before stimulation, please answer for yourself and for today:", err=True)
    answers: dict[str, str] = {}
    for number, question in enumerate(QUESTIONS, start=1):
        try:
            said = click.confirm(f"{number:2}. {question.text}", default=None, err=True)
        except click.Abort as error:
            click.echo(err=True)
            raise StimulationRefused(
                "the questions are not answered, so no stimulation is given; "
                "answer them on a terminal: kinetens stim plan answer FILE"
            ) from error
        answers[question.key] = "yes" if said else "no"
    return answers


def keep_answers(path: Path, answers: Mapping[str, str], today: date) -> None:
    """Put a member's answers into a plan's file. Raises PlanInvalid, OutputNotWritable."""
    text = text_with_answers(path, answers, today)
    with whole_file(path, force=True) as part:
        part.write_text(text, encoding="utf-8")
