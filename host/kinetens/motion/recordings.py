"""Recordings of any six-axis sensor, read from a file and checked before anything is concluded from them.

CSV      a heading with time_s, acc_x, acc_y, acc_z (m/s², specific force) and gyr_x, gyr_y, gyr_z (rad/s)
NPZ      arrays acc (N, 3) in m/s², gyr (N, 3) in rad/s, fs in Hz
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinetens.errors import InvalidInput

Floats = NDArray[np.float64]

COLUMNS = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")
SLOWEST_HZ, FASTEST_HZ = 20.0, 2000.0
_WIDEST_GAP = 5.0
"""Sample periods without a sample that still count as jitter."""
_LEAST_G_M_S2, _MOST_G_M_S2 = 7.0, 13.0
_FASTEST_RAD_S = 70.0
"""4000 °/s: no sensor of this kind goes further."""
_MOST_TURNED_RAD = 4.0
"""Nobody turns a limb by more within half a second, one time in ten."""
_HARDLY_TILTED = 0.1


@dataclass(frozen=True, slots=True)
class Recording:
    """Times in s (N,), angular rate in rad/s (N, 3), specific force in m/s² (N, 3), evenly spaced at `rate_hz`."""

    time_s: Floats
    gyr_rad_s: Floats
    acc_m_s2: Floats
    rate_hz: float


def read_recording(path: Path) -> Recording:
    """Read and check a recording.

    Raises InvalidInput: no such file, a column or array missing, not a number, time that does not increase, gaps, units
    that cannot be right, a rate outside 20 to 2000 Hz.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no recording {path}")
    if path.suffix.lower() == ".npz":
        time_s, acc, gyr = _read_npz(path)
    elif path.suffix.lower() == ".csv":
        time_s, acc, gyr = _read_csv(path)
    else:
        raise InvalidInput(f"{path} is neither .csv nor .npz; see kinetens orient --help for what they hold")
    if len(time_s) < 2:
        raise InvalidInput(f"{path} has {len(time_s)} samples; two at least make a recording")
    _check_numbers(path, acc, gyr)
    rate_hz = _rate_hz(path, time_s)
    check_units(path, acc, gyr, 1.0 / rate_hz)
    return Recording(time_s, gyr, acc, rate_hz)


def _read_npz(path: Path) -> tuple[Floats, Floats, Floats]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in ("acc", "gyr", "fs") if name not in arrays]
            if missing:
                raise InvalidInput(f"{path} has no array '{missing[0]}'; it needs acc, gyr (N, 3) and fs")
            acc, gyr = (np.asarray(arrays[name], dtype=np.float64) for name in ("acc", "gyr"))
            rate_hz = float(arrays["fs"])
    except InvalidInput:
        raise
    except Exception as error:  # numpy raises what zip, pickle and its own format raise
        raise InvalidInput(f"{path} cannot be read as NPZ: {error}") from error
    if acc.ndim != 2 or acc.shape[1] != 3 or gyr.shape != acc.shape:
        raise InvalidInput(f"{path}: acc and gyr must both be (N, 3), not {acc.shape} and {gyr.shape}")
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise InvalidInput(f"{path}: fs is {rate_hz:g} Hz; {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz will do")
    return np.arange(len(acc)) / rate_hz, acc, gyr


def _read_csv(path: Path) -> tuple[Floats, Floats, Floats]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise InvalidInput(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise InvalidInput(f"{path} is empty")
    heading = [name.strip() for name in rows[0]]
    missing = [name for name in COLUMNS if name not in heading]
    if missing:
        raise InvalidInput(f"{path} has no column '{missing[0]}'; it needs {', '.join(COLUMNS)}")
    places = [heading.index(name) for name in COLUMNS]
    table = np.empty((len(rows) - 1, len(COLUMNS)))
    for number, row in enumerate(rows[1:]):
        try:
            table[number] = [float(row[place]) for place in places]
        except (IndexError, ValueError) as error:
            raise InvalidInput(f"{path}, line {number + 2}: a value is missing or no number") from error
    return table[:, 0], table[:, 1:4], table[:, 4:7]


def _check_numbers(path: Path, acc: Floats, gyr: Floats) -> None:
    for name, values in (("acc", acc), ("gyr", gyr)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise InvalidInput(f"{path}: {name} of sample {bad[0] + 1} is not a number; cut or fill it first")


def _rate_hz(path: Path, time_s: Floats) -> float:
    if not np.isfinite(time_s).all():
        raise InvalidInput(
            f"{path}: time_s of sample {np.flatnonzero(~np.isfinite(time_s))[0] + 1} is not a number"
        )
    steps_s = np.diff(time_s)
    if np.any(steps_s <= 0):
        where = int(np.flatnonzero(steps_s <= 0)[0]) + 2
        raise InvalidInput(f"{path}: time_s does not increase at sample {where}; sort the recording by time")
    step_s = float(np.median(steps_s))
    if np.max(steps_s) > _WIDEST_GAP * step_s:
        where = int(np.argmax(steps_s))
        raise InvalidInput(
            f"{path} has a gap of {steps_s[where]:.3g} s at {time_s[where]:.3f} s; cut it into two recordings there"
        )
    rate_hz = (len(time_s) - 1) / float(time_s[-1] - time_s[0])
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise InvalidInput(
            f"{path} has {rate_hz:.4g} samples a second; {SLOWEST_HZ:g} to {FASTEST_HZ:g} will do (is time_s in seconds?)"
        )
    return rate_hz


def check_units(path: Path, acc: Floats, gyr: Floats, step_s: float) -> None:
    """Refuse forces (N, 3) that are not in m/s² and rates (N, 3) that are not in rad/s. Raises InvalidInput."""
    force = float(np.median(np.linalg.norm(acc, axis=1)))
    if not _LEAST_G_M_S2 <= force <= _MOST_G_M_S2:
        hint = "it looks like g: multiply by 9.80665" if 0.7 <= force <= 1.3 else "gravity is 9.8"
        raise InvalidInput(f"{path}: acc is {force:.3g} in the middle and should be in m/s²; {hint}")
    fastest = float(np.max(np.abs(gyr)))
    if fastest > _FASTEST_RAD_S or _turns_more_than_gravity_tells(acc, gyr, step_s):
        raise InvalidInput(
            f"{path}: gyr reaches {fastest:.3g} and should be in rad/s; it looks like degrees: divide by 57.2958"
        )


def _turns_more_than_gravity_tells(acc: Floats, gyr: Floats, step_s: float) -> bool:
    """Whether rates turn the sensor round and round while gravity hardly turns in it: rates in degrees do."""
    half_second = max(2, round(0.5 / step_s))
    whole = len(acc) // half_second * half_second
    if whole < 4 * half_second:
        return False
    mean_acc = acc[:whole].reshape(-1, half_second, 3).mean(axis=1)
    turned = np.abs(gyr[:whole].reshape(-1, half_second, 3).sum(axis=1)).max(axis=1) * step_s
    up = mean_acc / np.maximum(np.linalg.norm(mean_acc, axis=1, keepdims=True), 1e-9)
    tilted = np.arccos(np.clip(np.sum(up[1:] * up[:-1], axis=1), -1.0, 1.0))
    usual_turn, usual_tilt = float(np.quantile(turned, 0.9)), float(np.quantile(tilted, 0.9))
    return usual_turn > _MOST_TURNED_RAD and usual_tilt < _HARDLY_TILTED * usual_turn
