"""A programme for people: in a sentence, and as a small picture of one pulse."""

from kinetens.stim import units
from kinetens.stim.written import WrittenPlan
from kinetens_protocol import limits
from kinetens_protocol.limits import Program

_MARKS = 48
_MODULATED = {
    limits.MODULATED_RATE: "rate",
    limits.MODULATED_WIDTH: "phase width",
    limits.MODULATED_AMPLITUDE: "current",
}


def programme_text(program: Program) -> str:
    """What is given, in one or two sentences."""
    phase, gap = units.text(units.WIDTH, program.phase_us), units.text(units.WIDTH, program.gap_us)
    each = f"two phases of {phase}, one of each polarity" + (
        f", {gap} apart" if program.gap_us else " without a gap"
    )
    rate = units.text(units.FREQUENCY, program.rate_mhz)
    if program.burst_pulses:
        bursts = units.text(units.FREQUENCY, program.burst_rate_mhz)
        on_ms = program.burst_pulses * limits.period_us(program.rate_mhz) / 1000
        how = f"Bursts of {program.burst_pulses} pulses at {rate} ({on_ms:g} ms), {bursts}"
    else:
        how = f"Even pulses at {rate}"
    said = f"{how}, up to {units.text(units.CURRENT, program.current_ua)}. Each pulse: {each}."
    if program.modulation:
        depth = units.text(units.SHARE, program.modulation_depth_permille)
        period = units.text(units.TIME, program.modulation_period_ms)
        said += f" The {_MODULATED[program.modulation]} swings down by {depth} and back every {period}."
    return said


def where_text(plan: WrittenPlan) -> str:
    """Where the pads lie and what they are."""
    place, pads = plan.placement, plan.pads
    side = "" if place.side == "middle" else f"{place.side} "
    area = units.text(units.AREA, pads.conducting_mm2)
    contact = units.text(units.SHARE, pads.contact_permille)
    shape = "" if pads.shape == "other" else f"{pads.shape} "
    return f"{side}{place.place}, {shape}pads of {area}, {contact} of them in contact"


def pulse_picture(program: Program) -> list[str]:
    """One pulse, and how pulses follow each other, in lines of text."""
    current = units.text(units.CURRENT, program.current_ua)
    phase = units.text(units.WIDTH, program.phase_us)
    gap = units.text(units.WIDTH, program.gap_us) if program.gap_us else ""
    left = len(current) + 3
    wide, between = len(phase) + 2, len(gap) + 2 if gap else 0
    second = " " * (wide + 1 + (between + 1 if gap else 0))
    flat, inside = "─" * wide, " " * wide
    turn = f"└{'─' * between}┐" if gap else "│"
    rows = (
        (f"+{current}", f" ┌{flat}┐"),
        ("", f" │{inside}│"),
        ("0", f"─┘{inside}{turn}{inside}┌──"),
        ("", f" {second}│{inside}│"),
        (f"−{current}", f" {second}└{flat}┘"),
        ("", f"  {phase:^{wide}} {gap:^{between}}{' ' if gap else ''}{phase:^{wide}}"),
        ("", ""),
        ("", f"  {_rhythm(program)}"),
    )
    return [f"{label:>{left}} {drawn}".rstrip() for label, drawn in rows]


def _rhythm(program: Program) -> str:
    """Pulses or bursts over time, a mark a slice."""
    if not program.burst_pulses:
        period_ms = limits.period_us(program.rate_mhz) / 1000
        return f"{'╷' + '─' * 11}{'╷' + '─' * 11}{'╷' + '─' * 11}╷  one pulse every {period_ms:g} ms"
    period_us = limits.period_us(program.burst_rate_mhz)
    burst_us = program.burst_pulses * limits.period_us(program.rate_mhz)
    apart = _MARKS // 3
    on = min(max(1, round(apart * burst_us / period_us)), apart)
    pause_ms = (period_us - burst_us) / 1000
    return f"{('█' * on + '─' * (apart - on)) * 3}  {burst_us / 1000:g} ms on, {pause_ms:g} ms off"
