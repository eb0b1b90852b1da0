"""Orientation over time out of a recording of any device, with what is missing in it left missing.

CSV, Parquet   a column time_s in s, and quat_w, quat_x, quat_y, quat_z (unit quaternion, sensor to world, z up), or
               acc_x, acc_y, acc_z (m/s²) and gyr_x, gyr_y, gyr_z (rad/s), or all of them; a column
               sensor tells several sensors apart
NPZ            arrays quat (N, 4), or acc and gyr (N, 3), or all, with fs in Hz or time_s (N,)

20 to 2000 samples a second. An empty cell or NaN is a sample that is missing.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from vqf import VQF  # pyright: ignore[reportUnknownVariableType]

from kinetens.errors import InvalidInput
from kinetens.motion.quaternion import Quaternions
from kinetens.motion.recordings import FASTEST_HZ, SLOWEST_HZ, check_units

Floats = NDArray[np.float64]

SUFFIXES = (".csv", ".npz", ".parquet")
BRIDGED_S = 0.5
"""Over a shorter gap the filter goes on with the last rate; after a longer one it starts anew."""
_QUAT = ("quat_w", "quat_x", "quat_y", "quat_z")
_ACC, _GYR = ("acc_x", "acc_y", "acc_z"), ("gyr_x", "gyr_y", "gyr_z")
_UNIT_WITHIN = 0.05


@dataclass(frozen=True, slots=True)
class Track:
    """Times in s (N,), orientations (N, 4), NaN where unknown, and specific force in m/s² (N, 3) if there is one."""

    time_s: Floats
    quaternion: Quaternions
    force_m_s2: Floats | None


def read_track(path: Path, sensor: str | None = None) -> Track:
    """Read a recording and compute its orientation by VQF where it has none.

    Raises InvalidInput: no such file or sensor, columns or arrays missing, no numbers in them, time that does not
    increase, units that cannot be right, a rate outside 20 to 2000 Hz.
    """
    if not path.is_file():
        raise InvalidInput(f"there is no recording {path}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        columns = _npz_columns(path)
    elif suffix in SUFFIXES:
        columns = _of_sensor(path, _table_columns(path), sensor)
    else:
        raise InvalidInput(
            f"{path} is none of {', '.join(SUFFIXES)}; see kinetens analyze --help for what they hold"
        )
    time_s = columns["time_s"]
    if len(time_s) < 2:
        raise InvalidInput(f"{path} has {len(time_s)} samples; two at least make a recording")
    step_s = _checked_step_s(path, time_s)
    acc = _together(columns, _ACC)
    if set(_QUAT) <= columns.keys():
        return Track(time_s, _unit(path, _together(columns, _QUAT)), None if acc is None else acc)
    gyr = _together(columns, _GYR)
    if acc is None or gyr is None:
        missing = [name for name in (*_ACC, *_GYR) if name not in columns]
        raise InvalidInput(
            f"{path} has no '{missing[0]}'; it needs {', '.join(_QUAT)}, or {', '.join((*_ACC, *_GYR))}"
        )
    known = np.isfinite(acc).all(axis=1) & np.isfinite(gyr).all(axis=1)
    if not known.any():
        raise InvalidInput(f"{path} has no sample whose acc and gyr are all numbers")
    check_units(path, acc[known], gyr[known], step_s)
    return Track(time_s, _fused(time_s, acc, gyr, known, step_s), acc)


def _npz_columns(path: Path) -> dict[str, Floats]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                name: np.asarray(file[name], dtype=np.float64) for name in file.files if name in _ARRAYS
            }
    except Exception as error:  # numpy raises what zip, pickle and its own format raise
        raise InvalidInput(f"{path} cannot be read as NPZ: {error}") from error
    wide = {name: names for name, names in (("quat", _QUAT), ("acc", _ACC), ("gyr", _GYR)) if name in arrays}
    if not wide:
        raise InvalidInput(f"{path} has neither an array 'quat' nor 'acc' and 'gyr'")
    counts = {len(arrays[name]) if arrays[name].ndim else 0 for name in wide}
    for name, names in wide.items():
        if arrays[name].ndim != 2 or arrays[name].shape[1] != len(names) or len(counts) > 1:
            raise InvalidInput(f"{path}: '{name}' must be (N, {len(names)}), of one length with the others")
    (count,) = counts
    if "time_s" in arrays and arrays["time_s"].shape == (count,):
        time_s = arrays["time_s"]
    elif "fs" in arrays and arrays["fs"].size == 1 and arrays["fs"].item() > 0:
        time_s = np.arange(count) / arrays["fs"].item()
    else:
        raise InvalidInput(f"{path} needs fs, the rate in Hz, or time_s, a time in s for each of its samples")
    columns = {"time_s": time_s}
    for name, names in wide.items():
        columns |= {one: arrays[name][:, place] for place, one in enumerate(names)}
    return columns


_ARRAYS = ("quat", "acc", "gyr", "fs", "time_s")


def _table_columns(path: Path) -> dict[str, Any]:
    # Imported here: pyarrow takes a while. It has no types.
    arrow, csv, parquet = (
        cast(Any, import_module(name)) for name in ("pyarrow", "pyarrow.csv", "pyarrow.parquet")
    )
    try:
        if path.stat().st_size == 0:
            raise InvalidInput(f"{path} is empty")
        table = parquet.read_table(path) if path.suffix.lower() == ".parquet" else csv.read_csv(path)
    except (arrow.ArrowException, OSError) as error:
        kind = path.suffix[1:].upper()
        raise InvalidInput(f"{path} cannot be read as {kind}: {str(error).splitlines()[0]}") from error
    columns: dict[str, Any] = {}
    for name in table.column_names:
        key = str(name).strip().lstrip("\ufeff")
        if key == "sensor":
            columns[key] = np.array([str(one) for one in table[name].to_pylist()])
        elif key in ("time_s", *_QUAT, *_ACC, *_GYR):
            try:
                columns[key] = table[name].cast("float64").to_numpy(zero_copy_only=False)
            except arrow.ArrowException as error:
                raise InvalidInput(f"{path}: column '{key}' holds something that is no number") from error
    if "time_s" not in columns:
        raise InvalidInput(f"{path} has no column 'time_s', the time of each sample in s")
    return columns


def _of_sensor(path: Path, columns: dict[str, Any], sensor: str | None) -> dict[str, Floats]:
    there = sorted(set(columns["sensor"].tolist())) if "sensor" in columns else []
    if sensor is None and len(there) > 1:
        raise InvalidInput(f"{path} holds the sensors {', '.join(there)}; name one with --sensor")
    if sensor is not None and sensor not in there:
        raise InvalidInput(
            f"{path} holds no sensor '{sensor}'; it holds {', '.join(there) or 'one without a name'}"
        )
    wanted = slice(None) if sensor is None else columns["sensor"] == sensor
    return {name: values[wanted] for name, values in columns.items() if name != "sensor"}


def _together(columns: dict[str, Floats], names: tuple[str, ...]) -> Any:
    """Columns side by side (N, M), or None where one is missing."""
    return np.column_stack([columns[name] for name in names]) if set(names) <= columns.keys() else None


def _checked_step_s(path: Path, time_s: Floats) -> float:
    """The usual time between two samples."""
    if not np.isfinite(time_s).all():
        where = int(np.flatnonzero(~np.isfinite(time_s))[0]) + 1
        raise InvalidInput(f"{path}: time_s of sample {where} is not a number")
    steps_s = np.diff(time_s)
    if np.any(steps_s <= 0.0):
        where = int(np.flatnonzero(steps_s <= 0.0)[0]) + 2
        raise InvalidInput(f"{path}: time_s does not increase at sample {where}; sort the recording by time")
    step_s = float(np.median(steps_s))
    if not 0.99 * SLOWEST_HZ <= 1.0 / step_s <= 1.01 * FASTEST_HZ:
        raise InvalidInput(
            f"{path} has {1.0 / step_s:.4g} samples a second; {SLOWEST_HZ:g} to {FASTEST_HZ:g} will do "
            "(is time_s in seconds?)"
        )
    return step_s


def _unit(path: Path, quaternions: Any) -> Quaternions:
    lengths = np.linalg.norm(quaternions, axis=1)
    known = np.isfinite(lengths)
    if not known.any() or np.max(np.abs(lengths[known] - 1.0)) > _UNIT_WITHIN:
        raise InvalidInput(f"{path}: quat must be unit quaternions, scalar first (w, x, y, z)")
    return quaternions / lengths[:, None]


def _fused(time_s: Floats, acc: Floats, gyr: Floats, known: NDArray[np.bool_], step_s: float) -> Quaternions:
    """Orientations (N, 4) by VQF, NaN where a sample is unknown."""
    quaternions = np.full((len(time_s), 4), np.nan)
    seen = np.flatnonzero(known)
    missing_s = np.diff(time_s[seen])
    for part in np.split(seen, np.flatnonzero(missing_s > BRIDGED_S) + 1):
        # Where samples are missing, the filter goes on with the ones before, as often as fits.
        times = np.maximum(
            1, np.round(np.diff(time_s[part], append=time_s[part[-1]] + step_s) / step_s)
        ).astype(int)
        fed = np.repeat(part, times)
        fused = VQF(step_s).updateBatch(np.ascontiguousarray(gyr[fed]), np.ascontiguousarray(acc[fed]))[
            "quat6D"
        ]
        quaternions[part] = fused[np.cumsum(times) - times]
    return quaternions
