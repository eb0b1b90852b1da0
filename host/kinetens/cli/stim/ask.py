"""Asking the questions that come before stimulation."""

import rich_click as click

from kinetens.errors import StimulationRefused
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
