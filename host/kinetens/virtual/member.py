"""A member who wears the virtual sensor: plays a recording, or makes repetitions of known number and range.

Both are pure functions of time, so one seed gives one history whatever the order and the rate of the questions.
"""

import csv
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from math import radians

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation
from vqf import offlineVQF  # pyright: ignore[reportUnknownVariableType]

from kinetens.errors import InvalidInput
from kinetens.motion.quaternion import to_rotation
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2

GRAVITY_M_S2 = STANDARD_GRAVITY_M_S2 * np.array([0.0, 0.0, 1.0])
"""Specific force at rest, world frame, z up."""
SHIPPED_RECORDING = "shoulder_abduction.csv"
SHIPPED_RATE_HZ = 50.0
SHIPPED_REPETITIONS = 20
Samples = NDArray[np.float64]


class RecordedMember:
    """Plays a recording of one sensor: still before it, still after it, with a smooth start and stop.

    Args:
        gyr_rad_s: (N, 3) angular rate, sensor frame.
        acc_m_s2: (N, 3) specific force, sensor frame.
        rate_hz: of the recording.
        start_delay_s: how long the member stands still first.

    The member moves from `start_s` to `end_s`; the recording's first sample is played at `recording_start_s`.
    Before and after, only gravity acts, in the direction it had at the recording's two ends.
    """

    def __init__(
        self, gyr_rad_s: Samples, acc_m_s2: Samples, rate_hz: float, start_delay_s: float = 3.0
    ) -> None:
        if gyr_rad_s.shape != acc_m_s2.shape or gyr_rad_s.ndim != 2 or len(gyr_rad_s) < 4:
            raise InvalidInput(
                "a recording needs at least 4 samples of (N, 3) rates and forces, "
                f"not {gyr_rad_s.shape} and {acc_m_s2.shape}."
            )
        down_to_up = _gravity_in_sensor_frame(gyr_rad_s, acc_m_s2, rate_hz)
        before = _lead(gyr_rad_s[0], acc_m_s2[0] - down_to_up[0], down_to_up[0], -1.0 / rate_hz)
        after = _lead(gyr_rad_s[-1], acc_m_s2[-1] - down_to_up[-1], down_to_up[-1], 1.0 / rate_hz)
        played = np.concatenate([before[::-1], np.concatenate([gyr_rad_s, acc_m_s2], axis=1), after])
        self.start_s = start_delay_s
        self.recording_start_s = start_delay_s + len(before) / rate_hz
        self.end_s = start_delay_s + (len(played) - 1) / rate_hz
        self._curve = CubicSpline(start_delay_s + np.arange(len(played)) / rate_hz, played, bc_type="clamped")

    def sample(self, times_s: Samples) -> tuple[Samples, Samples]:
        """Angular rate in rad/s (N, 3) and specific force in m/s² (N, 3) at `times_s` (N,)."""
        at = self._curve(np.clip(times_s, self._curve.x[0], self._curve.x[-1]))
        return at[:, :3], at[:, 3:]


def _gravity_in_sensor_frame(gyr_rad_s: Samples, acc_m_s2: Samples, rate_hz: float) -> Samples:
    quaternions: Samples = offlineVQF(
        np.ascontiguousarray(gyr_rad_s), np.ascontiguousarray(acc_m_s2), None, 1.0 / rate_hz
    )["quat6D"]
    return to_rotation(quaternions).inv().apply(GRAVITY_M_S2)


def _lead(gyr_rad_s: Samples, moving_m_s2: Samples, gravity_m_s2: Samples, step_s: float) -> Samples:
    """Samples (M, 6) that lead from a moving sample to rest within 0.5 s; a negative step leads back in time.

    The rate fades out and gravity turns as the fading rate has it, so that the two never contradict each other.
    """
    rows: list[Samples] = []
    gravity = gravity_m_s2 * STANDARD_GRAVITY_M_S2 / np.linalg.norm(gravity_m_s2)
    fades = 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, round(0.5 / abs(step_s)) + 1))
    for before, fade in pairwise(fades):
        turn = Rotation.from_rotvec(gyr_rad_s * (before + fade) / 2.0 * step_s)
        gravity = turn.inv().apply(gravity)
        rows.append(np.concatenate([gyr_rad_s * fade, gravity + moving_m_s2 * fade]))
    return np.array(rows)


def shipped_member(start_delay_s: float = 3.0) -> RecordedMember:
    """The member of the shipped recording: 20 shoulder abductions, worn on the wrist (recordings/)."""
    gyr_rad_s, acc_m_s2 = read_recording(SHIPPED_RECORDING)
    return RecordedMember(gyr_rad_s, acc_m_s2, SHIPPED_RATE_HZ, start_delay_s)


def read_recording(name: str) -> tuple[Samples, Samples]:
    """A shipped recording by its file's name: angular rate in rad/s (N, 3), specific force in m/s² (N, 3)."""
    with (files("kinetens.virtual") / "recordings" / name).open() as file:
        rows = list(csv.reader(file))[1:]
    table = np.array(rows, dtype=np.float64)
    return table[:, :3], table[:, 3:]


@dataclass(frozen=True, slots=True)
class PerformedRepetition:
    """One repetition as it was really made: out from start, held from turn, back until end; times in s, range in rad."""

    start_s: float
    turn_s: float
    hold_end_s: float
    end_s: float
    range_rad: float


_UNSTEADINESS = (  # amplitude in rad, lowest and highest frequency in Hz
    (radians(0.05), 0.2, 0.5),  # sway
    (radians(0.003), 8.0, 12.0),  # physiological tremor, some 0.05 m/s² at the wrist
)


class GeneratedMember:
    """Makes repetitions of a limb segment about a hinge, with a sensor strapped on some way off and somehow turned.

    Minimum-jerk ways out and back (Flash and Hogan 1985, J. Neurosci. 5(7)) with natural variation of tempo and pauses,
    a little sway and tremor; rate and specific force come from one trajectory. `truth` holds what was performed.

    Args:
        repetitions: how many.
        range_rad: range of motion, up to 175 degrees.
        seed: of tempo, pauses, mounting, direction of the hinge, and unsteadiness.
        start_delay_s: standing still first.
        way_s: usual duration of a way out and of a way back.
        tempo_variation: relative standard deviation of durations.
        range_variation: relative standard deviation of the range; 0 makes each exactly `range_rad`.
        lever_m: from the hinge to the sensor.
    """

    def __init__(
        self,
        repetitions: int,
        range_rad: float,
        seed: int,
        *,
        start_delay_s: float = 3.0,
        way_s: float = 1.2,
        tempo_variation: float = 0.12,
        range_variation: float = 0.01,
        lever_m: float = 0.3,
    ) -> None:
        if repetitions < 1:
            raise InvalidInput(f"a member makes at least 1 repetition, not {repetitions}.")
        if not radians(1.0) <= range_rad <= radians(175.0):
            raise InvalidInput(f"a range of motion is 1 to 175 degrees, not {np.degrees(range_rad):.0f}.")
        random = np.random.default_rng(seed)

        def lasting(usual_s: float) -> float:
            return float(usual_s * np.exp(tempo_variation * random.standard_normal()))

        performed: list[PerformedRepetition] = []
        now_s = start_delay_s
        for _ in range(repetitions):
            turn_s = now_s + lasting(way_s)
            hold_end_s = turn_s + lasting(0.2)
            end_s = hold_end_s + lasting(way_s)
            this_range = range_rad * float(
                1.0 + range_variation * np.clip(random.standard_normal(), -2.0, 2.0)
            )
            performed.append(PerformedRepetition(now_s, turn_s, hold_end_s, end_s, this_range))
            now_s = end_s + lasting(0.4)
        self.truth = tuple(performed)
        self.start_s, self.end_s = self.truth[0].start_s, self.truth[-1].end_s

        ways = [(r.start_s, r.turn_s, 0.0, r.range_rad) for r in performed]
        ways += [(r.hold_end_s, r.end_s, r.range_rad, 0.0) for r in performed]
        self._begin_s, self._finish_s, self._from_rad, self._to_rad = np.array(sorted(ways)).T
        self._waves = [
            (amplitude, 2.0 * np.pi * random.uniform(lowest, highest), random.uniform(0.0, 2.0 * np.pi))
            for amplitude, lowest, highest in _UNSTEADINESS
        ]
        tilt, heading = random.uniform(-0.2, 0.2), random.uniform(0.0, 2.0 * np.pi)
        self._hinge = np.array([np.cos(tilt) * np.cos(heading), np.cos(tilt) * np.sin(heading), np.sin(tilt)])
        self._lever = lever_m * np.array([0.0, 0.0, -1.0])
        self._mounting = Rotation.random(rng=random)

    def angle_rad(self, times_s: Samples) -> tuple[Samples, Samples, Samples]:
        """The hinge's angle in rad, its rate in rad/s and its acceleration in rad/s², each (N,)."""
        way = np.clip(np.searchsorted(self._begin_s, times_s, side="right") - 1, 0, None)
        lasts = self._finish_s[way] - self._begin_s[way]
        along = np.clip((times_s - self._begin_s[way]) / lasts, 0.0, 1.0)
        covers = self._to_rad[way] - self._from_rad[way]
        angle = self._from_rad[way] + covers * along**3 * (10.0 - 15.0 * along + 6.0 * along**2)
        rate = covers / lasts * 30.0 * along**2 * (1.0 - along) ** 2
        acceleration = covers / lasts**2 * 60.0 * along * (1.0 - along) * (1.0 - 2.0 * along)
        for amplitude, pulsation, phase in self._waves:
            angle += amplitude * np.sin(pulsation * times_s + phase)
            rate += amplitude * pulsation * np.cos(pulsation * times_s + phase)
            acceleration -= amplitude * pulsation**2 * np.sin(pulsation * times_s + phase)
        return angle, rate, acceleration

    def orientation(self, times_s: Samples) -> Rotation:
        """The sensor's true orientation, sensor to world (z up), at `times_s` (N,)."""
        return Rotation.from_rotvec(self.angle_rad(times_s)[0][:, None] * self._hinge) * self._mounting

    def sample(self, times_s: Samples) -> tuple[Samples, Samples]:
        """Angular rate in rad/s (N, 3) and specific force in m/s² (N, 3), sensor frame, at `times_s` (N,)."""
        angle, rate, acceleration = self.angle_rad(np.asarray(times_s, dtype=np.float64))
        turn = Rotation.from_rotvec(angle[:, None] * self._hinge)
        spin = rate[:, None] * self._hinge
        position = turn.apply(self._lever)
        linear = np.cross(acceleration[:, None] * self._hinge, position) + np.cross(
            spin, np.cross(spin, position)
        )
        to_sensor = (turn * self._mounting).inv()
        return to_sensor.apply(spin), to_sensor.apply(linear + GRAVITY_M_S2)
