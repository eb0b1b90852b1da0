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
        self.phase_us = program.phase_us
        self.answers_ok = configure.flags & stimulation.ANSWERS_OK
        self.during_movement = configure.flags & stimulation.DURING_MOVEMENT
        self.least_permille = _least_contact(program, bounds)
        self._program = program
        self._swing_permille = 1000
        self._waveform = compile_program(program)

    def waveform_at(self, running_ms):
        """What the trains are made of so long after START; compiled anew when the swing of rate or width has moved."""
        permille = limits.swing_permille(self._program, running_ms)
        if self._program.modulation != limits.MODULATED_AMPLITUDE and permille != self._swing_permille:
            self._waveform = compile_program(limits.swung(self._program, permille))
            self._swing_permille = permille
        return self._waveform

    def current_at(self, running_ms, level_ua):
        """What is left of a level so long after START."""
        if self._program.modulation != limits.MODULATED_AMPLITUDE:
            return level_ua
        return level_ua * limits.swing_permille(self._program, running_ms) // 1000


def _least_contact(program, bounds):
    """The share of the pad below which the full current would pass the density limit, or the plan's own."""
    rms = limits.rms_ua(program.current_ua, limits.duty_ppm(program))
    density = limits.density_ua_per_cm2(rms, program.pad_area_mm2, 1000)
    by_density = density * 1000 // max(bounds[limits.RMS_DENSITY].value, 1)
    return max(bounds[limits.CONTACT_LEAST].value, by_density)
