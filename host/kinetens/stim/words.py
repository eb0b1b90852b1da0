"""Limits, refusals and states in words, in the units people use."""

from kinetens.stim import units
from kinetens_protocol import limits, messages, stimulation
from kinetens_protocol.messages import Refusal


def quantity(code: int, value: int) -> str:
    """A limit's value with its unit."""
    return units.text(units.of_limit(code), value)


def limit_refusal(refusal: Refusal) -> str:
    """What was asked for, what bound it and where that came from."""
    limit = limits.BY_CODE.get(refusal.subject)
    if limit is None:
        return f"limit {refusal.subject}, which this program does not know"
    source = limits.SOURCES.get(refusal.source, f"source {refusal.source}")
    least_or_most = "at least" if limit.is_floor else "at most"
    return (
        f"{limit.name} would be {quantity(limit.code, refusal.value)}; "
        f"{source} allows {least_or_most} {quantity(limit.code, refusal.bound)}"
    )


def refusal(reason: int, detail: Refusal) -> str:
    """Why the device refused, with its detail."""
    text = messages.REASONS.get(reason, f"reason {reason}, which this program does not know")
    if reason in (messages.LIMIT_EXCEEDED, messages.REST_NEEDED, messages.DOSE_SPENT):
        return f"{text} ({limit_refusal(detail)})"
    if reason == messages.PROTECTION_MISSING and detail.subject < len(stimulation.PROTECTIONS):
        return f"{text}: {stimulation.PROTECTIONS[detail.subject]}"
    if reason == messages.FAULT_LATCHED:
        return f"{text}: {fault(detail.subject)}"
    if reason == messages.WRONG_STATE and detail.subject in stimulation.WRONG_STATES:
        return stimulation.WRONG_STATES[detail.subject]
    return text


def fault(code: int) -> str:
    """A fault in words."""
    return stimulation.FAULTS.get(code, ("", f"fault {code}, which this program does not know"))[1]


def cause(code: int) -> str:
    """Why the output stopped."""
    return stimulation.CAUSES.get(code, f"cause {code}, which this program does not know")


def state(code: int) -> str:
    """A state's name."""
    return stimulation.STATES.get(code, f"state {code}, which this program does not know")
