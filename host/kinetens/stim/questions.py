"""What a member is asked before stimulation, and what each answer implies.

Source: Houghton, Nussbaum, Hoens, "Electrophysical agents: contraindications and precautions", Physiotherapy Canada
62(5), 2010. "Refuse" holds whoever asks; "therapist" can be allowed by the therapist who writes the plan.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

ANSWERS_LAST_DAYS = 7
"""Older answers are asked for again: skin heals and breaks, and people fall ill or pregnant."""

Answer = Literal["yes", "no"]
REFUSE = "refuse"
THERAPIST = "therapist"


@dataclass(frozen=True, slots=True)
class Question:
    """A question to which "no" is the safe answer; `yes_means` REFUSE or THERAPIST, and `why` for people."""

    key: str
    text: str
    yes_means: str
    why: str

    @property
    def consequence(self) -> str:
        """What a yes means, in words."""
        return "no stimulation" if self.yes_means == REFUSE else "ask the therapist"


QUESTIONS = (
    Question(
        "implant",
        "Do you have a pacemaker, a defibrillator or another electronic implant?",
        REFUSE,
        "stimulation can disturb an electronic implant",
    ),
    Question(
        "pregnant",
        "Are you pregnant, or could you be?",
        REFUSE,
        "it is not known to be safe for the child",
    ),
    Question(
        "clot",
        "Do you have a blood clot (thrombosis), or is a leg or arm newly swollen, hot and painful?",
        REFUSE,
        "stimulation can set a clot free",
    ),
    Question(
        "cancer",
        "Do you have cancer at or near where the pads go, or had it there in the last five years?",
        REFUSE,
        "stimulation may make a tumour grow",
    ),
    Question(
        "wound",
        "Is the skin where the pads go broken, sore, infected or newly irradiated?",
        REFUSE,
        "current gathers in broken skin and burns it",
    ),
    Question(
        "heart",
        "Do you have an irregular heartbeat, heart failure or chest pain?",
        THERAPIST,
        "an unsteady heart needs a clinician's word first",
    ),
    Question(
        "epilepsy",
        "Do you have epilepsy, or have you had a seizure?",
        THERAPIST,
        "stimulation may bring on a seizure",
    ),
    Question(
        "numb",
        "Is the skin where the pads go numb, or do you feel touch there less than elsewhere?",
        THERAPIST,
        "who does not feel the current does not notice a burn",
    ),
    Question(
        "metal",
        "Is there metal under the pads, such as a plate, screws or a joint?",
        THERAPIST,
        "current gathers at metal",
    ),
    Question(
        "allergy",
        "Have pads or plasters ever left your skin red for hours?",
        THERAPIST,
        "other pads may be needed",
    ),
)
BY_KEY = {question.key: question for question in QUESTIONS}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers imply. `unanswered` are questions still to be asked; `forbids` are sentences."""

    unanswered: tuple[str, ...]
    forbids: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.unanswered and not self.forbids


def judge(
    answers: Mapping[str, str], answered_on: date | None, allowed: Collection[str], today: date
) -> Verdict:
    """Judge a member's answers by key. `allowed` are keys to which the therapist has allowed a yes.

    Answers of more than ANSWERS_LAST_DAYS, or of a day yet to come, count as not given; a yes still forbids.
    """
    fresh = answered_on is not None and 0 <= (today - answered_on).days <= ANSWERS_LAST_DAYS
    unanswered = tuple(one.key for one in QUESTIONS if not fresh or one.key not in answers)
    forbids = tuple(
        sentence(one)
        for one in QUESTIONS
        if answers.get(one.key) == "yes" and not (one.yes_means == THERAPIST and one.key in allowed)
    )
    return Verdict(unanswered, forbids)


def sentence(question: Question) -> str:
    """Why a yes forbids the plan and what to do."""
    if question.yes_means == REFUSE:
        return f"{question.key} is answered yes: {question.why}; do not use stimulation"
    return f"{question.key} is answered yes: {question.why}; ask the therapist, who can allow it in the plan"
