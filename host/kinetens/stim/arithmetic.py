"""The envelope's arithmetic in words: every derived quantity of a programme with the numbers it comes from.

The numbers are those of kinetens_protocol.limits; nothing is computed here.
"""

from dataclasses import dataclass

from kinetens.stim import words
from kinetens_protocol import limits
from kinetens_protocol.limits import Program


@dataclass(frozen=True, slots=True)
class Step:
    """One quantity: its limit's code (None if nothing limits it), its name, the working, and the value in words."""

    code: int | None
    name: str
    working: str
    value: str


def arithmetic(program: Program) -> list[Step]:
    """How a programme's quantities follow from each other at its full current."""
    current = program.current_ua
    duty = limits.duty_ppm(program)
    rms = limits.rms_ua(current, duty)
    average = limits.average_ua(current, duty)
    charge = limits.phase_charge_nc(current, program.phase_us)
    density = limits.density_ua_per_cm2(rms, program.pad_area_mm2, program.contact_permille)
    power = limits.power_density_uw_per_cm2(rms, program.pad_area_mm2, program.contact_permille)
    energy = limits.pulse_energy_uj(current, program.phase_us)
    current_ma, rms_ma, share = f"{current / 1000:g} mA", f"{rms / 1000:.4g} mA", f"{duty / 1e6:g}"
    pad = f"({program.contact_permille / 1000:g} × {program.pad_area_mm2 / 100:g} cm²)"
    steps = [
        Step(
            limits.PHASE_CHARGE,
            "phase charge",
            f"{current_ma} × {program.phase_us} µs",
            words.quantity(limits.PHASE_CHARGE, charge),
        ),
        Step(None, "duty", f"{limits.PHASES} × {program.phase_us} µs × {_rate(program)}", share),
        Step(limits.RMS_CURRENT, "rms current", f"{current_ma} × √{share}", rms_ma),
        Step(
            limits.AVERAGE_CURRENT,
            "average current",
            f"{current_ma} × {share}",
            f"{average / 1000:.4g} mA",
        ),
        Step(limits.RMS_DENSITY, "rms density", f"{rms_ma} / {pad}", f"{density / 1000:.4g} mA/cm²"),
        Step(
            limits.POWER_DENSITY,
            "power density",
            f"({rms_ma})² × {limits.LOAD_OHM} ohm / {pad}",
            f"{power / 1000:.3g} mW/cm²",
        ),
        Step(
            None,
            "pulse energy",
            f"{limits.PHASES} × ({current_ma})² × {limits.LOAD_OHM} ohm × {program.phase_us} µs",
            f"{energy / 1000:.3g} mJ",
        ),
    ]
    if rise := limits.modulation_rise_ua_per_s(program):
        half_s = program.modulation_period_ms / 2000
        working = f"{current_ma} × {program.modulation_depth_permille / 1000:g} / {half_s:g} s"
        steps.append(Step(limits.SLEW, "modulation rise", working, words.quantity(limits.SLEW, rise)))
    return steps


def _rate(program: Program) -> str:
    per_second = limits.pulses_per_second(program)
    if not program.burst_pulses:
        return f"{per_second} pulses/s"
    return f"{program.burst_pulses} pulses × {per_second // program.burst_pulses} bursts/s"
