"""The envelope of stimulation: one table of limits and the arithmetic behind it, the same on device and host.

A programme may run when none of its quantities passes the effective limits: of each limit the strictest of
this table, the board, the plan and the pads. Integers only, rounded towards the careful side, so that both
sides find the same number. Nothing here lies on the sample path: products may exceed 31 bits.

Sources: IEC 60601-2-10 (energy and current into 500 ohm), FDA guidance on powered muscle stimulators (power
density), and 2 mA rms/cm² as the density that needs an operator's special attention. Not a claim of
conformity with any of them.
"""

from kinetens_protocol.messages import Refusal
from kinetens_protocol.records import NamedTuple

# Limits (since 1.0). A number is never used for another limit.
PEAK_CURRENT = 1
PHASE_WIDTH_LEAST = 2
PHASE_WIDTH = 3
PHASE_CHARGE = 4
NET_CHARGE = 5
RMS_DENSITY = 6
RMS_CURRENT = 7
AVERAGE_CURRENT = 8
POWER_DENSITY = 9
FREQUENCY_LEAST = 10
FREQUENCY = 11
STEP = 12
SLEW = 13
SESSION = 14
REST = 15
DAY_SESSIONS = 16
DAY_TIME = 17
LEASE = 18
TRAIN = 19
STOP_TIME = 20
BUTTON_STOP_TIME = 21
IMPEDANCE_LEAST = 22
IMPEDANCE = 23
PAD_AREA_LEAST = 24
CONTACT_LEAST = 25
MODULATION_DEPTH = 26  # since 1.2
MODULATION_PERIOD_LEAST = 27  # since 1.2

# Where a limit came from (since 1.0).
TABLE = 0
BOARD = 1
PLAN = 2
PADS = 3

# What a programme modulates against habituation (since 1.2).
STEADY = 0
MODULATED_RATE = 1
MODULATED_WIDTH = 2
MODULATED_AMPLITUDE = 3

SOURCES = {TABLE: "the envelope", BOARD: "the board", PLAN: "the plan", PADS: "the pads"}

Limit = NamedTuple(
    "Limit",
    [
        ("code", int),
        ("name", str),
        ("unit", str),
        ("hard", int),
        ("default", int),
        ("is_floor", bool),
    ],
)
"""hard: what nothing may pass. default: what a plan sets that does not say otherwise. is_floor: not less
instead of not more."""

LIMITS = (
    Limit(PEAK_CURRENT, "peak current", "µA", 60_000, 30_000, False),
    Limit(PHASE_WIDTH_LEAST, "shortest phase", "µs", 50, 50, True),
    Limit(PHASE_WIDTH, "phase width", "µs", 500, 100, False),
    Limit(PHASE_CHARGE, "phase charge", "nC", 20_000, 10_000, False),
    Limit(NET_CHARGE, "net charge of a pulse", "nC", 0, 0, False),
    Limit(RMS_DENSITY, "rms current density", "µA/cm²", 2_000, 1_000, False),
    Limit(RMS_CURRENT, "rms current", "µA", 50_000, 50_000, False),
    Limit(AVERAGE_CURRENT, "average current", "µA", 10_000, 5_000, False),
    Limit(POWER_DENSITY, "power density", "µW/cm²", 250_000, 250_000, False),
    Limit(FREQUENCY_LEAST, "lowest frequency", "mHz", 1_000, 1_000, True),
    Limit(FREQUENCY, "frequency", "mHz", 10_000_000, 10_000_000, False),
    Limit(STEP, "increase in one step", "µA", 1_000, 500, False),
    Limit(SLEW, "increase in one second", "µA/s", 2_000, 2_000, False),
    Limit(SESSION, "session", "ms", 3_600_000, 1_800_000, False),
    Limit(REST, "rest between sessions", "ms", 1_800_000, 1_800_000, True),
    Limit(DAY_SESSIONS, "sessions a day", "", 3, 3, False),
    Limit(DAY_TIME, "stimulation a day", "ms", 7_200_000, 7_200_000, False),
    Limit(LEASE, "lease", "ms", 1_000, 1_000, False),
    Limit(TRAIN, "train of pulses", "ms", 200, 100, False),
    Limit(STOP_TIME, "time to the last pulse", "ms", 300, 300, False),
    Limit(BUTTON_STOP_TIME, "time to the last pulse after the button", "ms", 50, 50, False),
    Limit(IMPEDANCE_LEAST, "lowest impedance", "ohm", 250, 250, True),
    Limit(IMPEDANCE, "impedance", "ohm", 12_000, 12_000, False),
    Limit(PAD_AREA_LEAST, "smallest pad", "mm²", 100, 100, True),
    Limit(CONTACT_LEAST, "contact of a pad", "‰", 500, 600, True),
    Limit(MODULATION_DEPTH, "modulation depth", "‰", 500, 500, False),
    Limit(MODULATION_PERIOD_LEAST, "modulation period", "ms", 1_000, 1_000, True),
)
BY_CODE = {limit.code: limit for limit in LIMITS}

PHASES = 2
"""Phases a pulse: one of each polarity, equal by construction, so that the net charge is zero."""

TEST_CURRENT_UA = 1_000
"""Peak of the pulses that measure contact before arming: below what is felt, and one step of the envelope."""

LOOK_AHEAD_MS = 52
"""A device hands over what is due until it looks again, 50 ms later: a train is that, and the burst that ends it."""

LOAD_OHM = 500
"""The load to which the envelope refers power and energy."""

Program = NamedTuple(
    "Program",
    [
        ("current_ua", int),
        ("phase_us", int),
        ("gap_us", int),
        ("rate_mhz", int),
        ("burst_pulses", int),
        ("burst_rate_mhz", int),
        ("session_ms", int),
        ("pad_area_mm2", int),
        ("contact_permille", int),
        ("modulation", int),
        ("modulation_depth_permille", int),
        ("modulation_period_ms", int),
    ],
)
"""What is asked for: symmetric biphasic pulses of up to current_ua, gap_us between the phases, rate_mhz
pulses a second; with burst_pulses above 0 in bursts of that many, burst_rate_mhz bursts a second (else both
are 0). pad_area_mm2 is the smallest pad's, contact_permille the share of it that touches the skin.

Since 1.2: modulation says what swings evenly between its nominal value and that less the depth, once in a
period: the rate (of bursts, if there are any), the phase width or the current; STEADY has no depth and no
period. It only ever takes away, so that the nominal programme is the one to check."""

Bound = NamedTuple(
    "Bound",
    [
        ("code", int),
        ("value", int),
        ("source", int),
    ],
)
"""An effective limit and who set it."""

_MOST = 0xFFFF_FFFF


def period_us(rate_mhz: int) -> int:
    """Time between pulses or bursts, rounded up: never faster than asked for."""
    return -(-1_000_000_000 // rate_mhz)


def pulse_us(program: Program) -> int:
    """From the start of a pulse to the end of its last phase."""
    return PHASES * program.phase_us + program.gap_us


def pulses_per_second(program: Program) -> int:
    """The most pulses that start within any one second."""
    if program.burst_pulses:
        return program.burst_pulses * -(-program.burst_rate_mhz // 1000)
    return -(-program.rate_mhz // 1000)


def duty_ppm(program: Program) -> int:
    """Share of a second in which current flows: phases x width x pulses a second, in millionths."""
    return PHASES * program.phase_us * pulses_per_second(program)


def swing_permille(program: Program, elapsed_ms: int) -> int:
    """What is left of the modulated quantity so long after the start: a triangle that begins at 1000."""
    period_ms = program.modulation_period_ms
    if program.modulation == STEADY or not period_ms:
        return 1000
    at_ms = elapsed_ms % period_ms
    away_ms = min(at_ms, period_ms - at_ms)
    return 1000 - -(-program.modulation_depth_permille * 2 * away_ms // period_ms)


def swung(program: Program, permille: int) -> Program:
    """The programme with so much left of what it modulates; without bursts its rate, with them the bursts' rate."""
    current_ua, phase_us, gap_us, rate_mhz, burst_pulses, burst_rate_mhz, *rest = program
    if program.modulation == MODULATED_AMPLITUDE:
        current_ua = current_ua * permille // 1000
    elif program.modulation == MODULATED_WIDTH:
        phase_us = phase_us * permille // 1000
    elif program.modulation == MODULATED_RATE and burst_pulses:
        burst_rate_mhz = burst_rate_mhz * permille // 1000
    elif program.modulation == MODULATED_RATE:
        rate_mhz = rate_mhz * permille // 1000
    return Program(current_ua, phase_us, gap_us, rate_mhz, burst_pulses, burst_rate_mhz, *rest)


def modulation_rise_ua_per_s(program: Program) -> int:
    """How fast a modulated current comes back to its nominal value: the depth in half a period."""
    if program.modulation != MODULATED_AMPLITUDE or not program.modulation_period_ms:
        return 0
    return -(-2 * program.current_ua * program.modulation_depth_permille // program.modulation_period_ms)


def phase_charge_nc(current_ua: int, phase_us: int) -> int:
    """Current x width."""
    return -(-current_ua * phase_us // 1000)


def rms_ua(current_ua: int, duty: int) -> int:
    """Current x root of the duty (in millionths)."""
    return _root_up(-(-current_ua * current_ua * duty // 1_000_000))


def average_ua(current_ua: int, duty: int) -> int:
    """Rectified average: current x duty (in millionths)."""
    return -(-current_ua * duty // 1_000_000)


def density_ua_per_cm2(rms: int, pad_area_mm2: int, contact_permille: int) -> int:
    """Rms current over the smallest pad's area in contact."""
    return -(-rms * 100_000 // (pad_area_mm2 * contact_permille))


def power_density_uw_per_cm2(rms: int, pad_area_mm2: int, contact_permille: int) -> int:
    """Power that the rms current leaves in 500 ohm, over the smallest pad's area in contact."""
    return -(-rms * rms * LOAD_OHM // (10 * pad_area_mm2 * contact_permille))


def pulse_energy_uj(current_ua: int, phase_us: int) -> int:
    """Energy of one pulse in 500 ohm."""
    return -(-PHASES * current_ua * current_ua * LOAD_OHM * phase_us // 1_000_000_000_000)


def effective(
    board: dict[int, int], plan: dict[int, int], pad_area_mm2: int = 0, contact_permille: int = 1000
) -> dict[int, Bound]:
    """The strictest of the table, the board, the plan and the pads for every limit, each with who set it.

    board and plan give values by limit code for the limits they narrow; without a pad area the pads bind
    nothing.
    """
    bounds: dict[int, Bound] = {}
    for limit in LIMITS:
        bound = Bound(limit.code, limit.hard, TABLE)
        for source, values in ((BOARD, board), (PLAN, plan)):
            value = values.get(limit.code)
            if value is not None and stricter(limit, value, bound.value):
                bound = Bound(limit.code, value, source)
        bounds[limit.code] = bound
    if pad_area_mm2:
        by_pads = bounds[RMS_DENSITY].value * pad_area_mm2 * contact_permille // 100_000
        if by_pads < bounds[RMS_CURRENT].value:
            bounds[RMS_CURRENT] = Bound(RMS_CURRENT, by_pads, PADS)
    return bounds


def stricter(limit: Limit, value: int, than: int) -> bool:
    """Whether a value allows less than another one does."""
    return value > than if limit.is_floor else value < than


def check(program: Program, limits: dict[int, Bound]) -> Refusal | None:
    """The first limit that a programme would pass at its full current, or None.

    Density comes before peak and charge: a high-frequency programme passes it long before the others.
    """
    for code in (PHASE_WIDTH_LEAST, PHASE_WIDTH, FREQUENCY_LEAST, FREQUENCY, PAD_AREA_LEAST, CONTACT_LEAST):
        for value in _plain_quantities(program, code):
            refusal = passes(limits[code], value)
            if refusal:
                return refusal
    rms = rms_ua(program.current_ua, duty_ppm(program))
    pad = (program.pad_area_mm2, program.contact_permille)
    burst_us = program.burst_pulses * period_us(program.rate_mhz)
    whole_us = max(burst_us, pulse_us(program))
    for code, value in (
        (RMS_DENSITY, density_ua_per_cm2(rms, *pad)),
        (RMS_CURRENT, rms),
        (PEAK_CURRENT, program.current_ua),
        (PHASE_CHARGE, phase_charge_nc(program.current_ua, program.phase_us)),
        (AVERAGE_CURRENT, average_ua(program.current_ua, duty_ppm(program))),
        (POWER_DENSITY, power_density_uw_per_cm2(rms, *pad)),
        (SESSION, program.session_ms),
        (TRAIN, LOOK_AHEAD_MS - (-whole_us // 1000)),
    ):
        refusal = passes(limits[code], value)
        if refusal:
            return refusal
    return _check_fit(program, burst_us) or _check_modulation(program, limits)


def passes(bound: Bound, value: int) -> Refusal | None:
    """The refusal of a value on the wrong side of a bound, or None."""
    if stricter(BY_CODE[bound.code], bound.value, value):
        return Refusal(bound.code, bound.source, min(value, _MOST), bound.value)
    return None


def board_limits(ceiling_ma: float, full_scale_ma: float) -> dict[int, int]:
    """What a board narrows: its ceiling, and what its converter can give at all."""
    return {PEAK_CURRENT: int(min(ceiling_ma, full_scale_ma) * 1000)}


def default_plan() -> dict[int, int]:
    """The limits of a plan that narrows nothing by itself."""
    return {limit.code: limit.default for limit in LIMITS if limit.default != limit.hard}


def _plain_quantities(program: Program, code: int) -> tuple[int, ...]:
    if code in (PHASE_WIDTH_LEAST, PHASE_WIDTH):
        return (program.phase_us,)
    if code in (FREQUENCY_LEAST, FREQUENCY):
        if program.burst_pulses:
            return (program.rate_mhz, program.burst_rate_mhz)
        return (program.rate_mhz,)
    return (program.pad_area_mm2 if code == PAD_AREA_LEAST else program.contact_permille,)


def _check_fit(program: Program, burst_us: int) -> Refusal | None:
    """A pulse must end before the next one starts, a burst before the next burst."""
    if pulse_us(program) > period_us(program.rate_mhz):
        return Refusal(FREQUENCY, PLAN, program.rate_mhz, 1_000_000_000 // pulse_us(program))
    if program.burst_pulses and burst_us > period_us(program.burst_rate_mhz):
        return Refusal(FREQUENCY, PLAN, program.burst_rate_mhz, 1_000_000_000 // burst_us)
    return None


def _check_modulation(program: Program, limits: dict[int, Bound]) -> Refusal | None:
    """Neither deeper nor faster than allowed, the lowest value above its own floor, the rise within the slew."""
    kind, depth_permille = program.modulation, program.modulation_depth_permille
    if kind == STEADY and not depth_permille and not program.modulation_period_ms:
        return None
    if kind not in (MODULATED_RATE, MODULATED_WIDTH, MODULATED_AMPLITUDE):
        return Refusal(MODULATION_DEPTH, PLAN, depth_permille, 0)
    lowest = swung(program, 1000 - depth_permille)
    rise_ua_per_s = modulation_rise_ua_per_s(program)
    for code, value in (
        (MODULATION_DEPTH, depth_permille),
        (MODULATION_PERIOD_LEAST, program.modulation_period_ms),
        (FREQUENCY_LEAST, lowest.burst_rate_mhz if program.burst_pulses else lowest.rate_mhz),
        (PHASE_WIDTH_LEAST, lowest.phase_us),
        (SLEW, rise_ua_per_s),
        (STEP, -(-rise_ua_per_s * LOOK_AHEAD_MS // 1000)),
    ):
        refusal = passes(limits[code], value)
        if refusal:
            return refusal
    return None


def _root_up(square: int) -> int:
    """The least integer whose square is not below `square` (Newton's iteration on integers)."""
    if square < 2:
        return square
    root = square
    while True:
        better = (root + square // root) // 2
        if better >= root:
            break
        root = better
    return root if root * root == square else root + 1
