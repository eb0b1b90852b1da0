"""What the host configured, checked against the effective limits and made ready for the output."""

from kinetens_protocol import limits, messages, stimulation
from kinetens_protocol.messages import Refusal, Refused
from stim.waveform import compile_program


class Plan:
    """A programme that keeps the limits, with what follows from it. Raises Refused naming the limit that it passes."""

    def __init__(self, configure, board_limits):
        program = configure.program
        for code, _ in configure.limits:
            if code not in limits.BY_CODE:
                raise Refused(messages.OUT_OF_RANGE, Refusal(code, limits.PLAN, 0, 0))
        bounds = limits.effective(
            board_limits, dict(configure.limits), program.pad_area_mm2, program.contact_permille
        )
        refusal = limits.check(program, bounds) or limits.passes(bounds[limits.LEASE], configure.lease_ms)
        if refusal:
            raise Refused(messages.LIMIT_EXCEEDED, refusal)
        self.limits = bounds
        self.current_ua = program.current_ua
        self.session_ms = program.session_ms
        self.lease_ms = configure.lease_ms
        self.answers_ok = configure.flags & stimulation.ANSWERS_OK
        self.waveform = compile_program(program)
        self.least_permille = _least_contact(program, bounds)


def _least_contact(program, bounds):
    """The share of the pad below which the full current would pass the density limit, or the plan's own."""
    rms = limits.rms_ua(program.current_ua, limits.duty_ppm(program))
    density = limits.density_ua_per_cm2(rms, program.pad_area_mm2, 1000)
    by_density = density * 1000 // max(bounds[limits.RMS_DENSITY].value, 1)
    return max(bounds[limits.CONTACT_LEAST].value, by_density)
