"""Compute orientation from a recording."""

from pathlib import Path

import numpy as np
import rich_click as click
from numpy.typing import NDArray

from kinetens.cli.common import force_option, json_option, print_json
from kinetens.motion.recordings import Recording, read_recording


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--engine",
    type=click.Choice(["device", "vqf"]),
    default="device",
    show_default=True,
    help="The firmware's own filter under MicroPython, or VQF in double precision.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The CSV file to write.")
@force_option
@json_option
def orient(file: Path, engine: str, out: Path, force: bool, as_json: bool) -> None:
    """Compute orientation from a recording of a gyroscope and an accelerometer, a row for each of its samples.

    FILE is a CSV with time_s, acc_x, acc_y, acc_z (m/s²), gyr_x, gyr_y, gyr_z (rad/s), or an NPZ with acc, gyr, fs. The
    firmware's filter gets it as a sensor with 2000 °/s and 16 g would have counted it. Written are time_s and the unit
    quaternion quat_w, quat_x, quat_y, quat_z, sensor to world with z up.

    Example:  kinetens orient walk.csv --engine device --out walk-orientation.csv
    """
    from kinetens.session.output import check_output, whole_file

    check_output(out, force)
    recording = read_recording(file)
    quaternions = _by_device(recording) if engine == "device" else _by_vqf(recording)
    with whole_file(out, force) as part:
        np.savetxt(
            part,
            np.column_stack([recording.time_s, quaternions]),
            fmt=["%.6f", *["%.9f"] * 4],
            delimiter=",",
            header="time_s,quat_w,quat_x,quat_y,quat_z",
            comments="",
        )
    answer = {
        "engine": engine,
        "samples": len(quaternions),
        "rate_hz": round(recording.rate_hz, 3),
        "out": out,
    }
    if as_json:
        print_json(answer)
    else:
        click.echo(f"wrote {len(quaternions)} orientations at {recording.rate_hz:.1f} Hz to {out}")


def _by_device(recording: Recording) -> NDArray[np.float64]:
    from kinetens.virtual.filter import counts, run_filter

    samples = counts(recording.gyr_rad_s, recording.acc_m_s2)
    return run_filter(samples, recording.rate_hz).quaternion


def _by_vqf(recording: Recording) -> NDArray[np.float64]:
    from vqf import VQF  # pyright: ignore[reportUnknownVariableType]

    filter = VQF(1 / recording.rate_hz)
    gyr, acc = np.ascontiguousarray(recording.gyr_rad_s), np.ascontiguousarray(recording.acc_m_s2)
    return np.asarray(filter.updateBatch(gyr, acc)["quat6D"], dtype=np.float64)
