"""Calibrate a device's motion sensor."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from math import degrees
from typing import Any

import numpy as np
import rich_click as click
from rich.console import Console
from rich.status import Status

from kinetens.cli.common import json_option, print_facts, print_json
from kinetens.cli.connection import Reach, run_with
from kinetens.device.calibrating import CalibrationReport, Progress
from kinetens.device.calibrating import calibrate as calibrate_device
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.device.stillness import STANDARD_GRAVITY_M_S2, Vector
from kinetens.device.url import DeviceUrl

_MG_M_S2 = STANDARD_GRAVITY_M_S2 / 1000


@click.command()
@click.argument("device", metavar="DEVICE")
@click.option("--gyro-only", is_flag=True, help="Only the gyroscope's offset: two seconds at rest.")
@json_option
def calibrate(device: str, gyro_only: bool, as_json: bool) -> None:
    """Calibrate a device's motion sensor: lay it flat on a table, on each of its six sides in any order.

    DEVICE is a name or address (kinetens scan lists them), or sim: for the virtual one. The device keeps the result and
    corrects its samples by it; raw samples stay as the sensor gives them.

    Example:  kinetens calibrate kinetens-4F2A
    """
    url = DeviceUrl.parse(device)
    if url.simulated:
        url = replace(url, options={**url.options, "calibrate": ""})
    console = Console(stderr=True)

    async def work(reach: Reach) -> tuple[str, CalibrationReport, dict[str, Any] | None]:
        found = await find(reach.adapter, reach.wanted)
        async with connect(reach.adapter, found) as link:
            status.update(_first_words(gyro_only))
            report = await calibrate_device(
                link, today=date.today(), gyro_only=gyro_only, watcher=_watcher(console, status)
            )
        return found.name, report, _errors_left(reach, report)

    with console.status("Looking for the device.") as status:
        name, report, left = run_with(url, work)
    if as_json:
        print_json(_as_json(name, report) | ({"virtual_sensor": left} if left else {}))
    else:
        _print(name, report)


def _first_words(gyro_only: bool) -> str:
    if gyro_only:
        return "Lay the device on a firm table and let go of it."
    return "Lay the device on a firm, level table, on each of its six sides, for three seconds each."


def _watcher(console: Console, status: Status) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        text = _in_words(progress)
        status.update(text)
        if progress.event in ("measured", "moved", "measured before", "no face"):
            console.print(text, soft_wrap=True)

    return tell


def _in_words(progress: Progress) -> str:
    missing = f" Still missing: {', '.join(map(_pose, progress.missing))}." if progress.missing else ""
    here = _pose(progress.face) if progress.face else "this position"
    match progress.event:
        case "holding":
            return f"Hold still with {here}: {100 * progress.held:.0f} %.{missing}"
        case "moved":
            return f"It moved too early: leave it alone for three seconds.{missing}"
        case "measured":
            return f"Measured {here}. {'Turn to the next side.' if progress.missing else 'Done.'}{missing}"
        case "measured before":
            return f"There is enough of {here}: turn to another side.{missing}"
        case "no face":
            return f"The device stands askew: lay it flat on one side.{missing}"
        case "moving":
            return f"Lay it down and let go.{missing}"


def _pose(face: str) -> str:
    return f"{face[-1]} {'down' if face[0] == '-' else 'up'}"


def _errors_left(reach: Reach, report: CalibrationReport) -> dict[str, Any] | None:
    """What a virtual sensor, whose errors are known, is off by with the calibration and without."""
    if reach.simulation is None:
        return None
    from kinetens.virtual.six_positions import errors_left

    errors = reach.simulation.device.hardware.sensor.errors
    return {"before": asdict(errors_left(errors)), "after": asdict(errors_left(errors, report.calibration))}


def _as_json(name: str, report: CalibrationReport) -> dict[str, Any]:
    found = report.calibration
    return {
        "device": name,
        "calibrated_on": found.made_on.isoformat(),
        "parts": list(_parts(report)),
        "temperature_degc": found.temperature_degc,
        "gyroscope": {
            "offset_dps": _rounded(np.degrees(found.gyr_offset_rad_s), 4),
            "error_before_dps": round(degrees(report.gyr_error_before_rad_s), 4),
            "error_after_dps": round(degrees(report.gyr_error_after_rad_s), 4),
        },
        "accelerometer": None
        if not found.whole
        else {
            "offset_mg": _rounded(found.acc_offset_m_s2 / _MG_M_S2, 2),
            "matrix": [_rounded(row, 6) for row in found.acc_matrix],
            "residual_mg": round(found.residual_m_s2 / _MG_M_S2, 1),
            "gravity_error_before_mg": round(report.gravity_error_before_m_s2 / _MG_M_S2, 2),
            "gravity_error_after_mg": round(report.gravity_error_after_m_s2 / _MG_M_S2, 2),
        },
    }


def _print(name: str, report: CalibrationReport) -> None:
    document = _as_json(name, report)
    gyroscope, accelerometer = document["gyroscope"], document["accelerometer"]
    facts = [
        ("gyroscope offset", _triple(gyroscope["offset_dps"], "°/s")),
        ("reads at rest", _change(gyroscope, "error_before_dps", "error_after_dps", "°/s")),
    ]
    if accelerometer:
        scale = [100 * (accelerometer["matrix"][axis][axis] - 1) for axis in range(3)]
        gravity = _change(accelerometer, "gravity_error_before_mg", "gravity_error_after_mg", "mg")
        facts += [
            ("accelerometer offset", _triple(accelerometer["offset_mg"], "mg")),
            ("accelerometer scale", _triple(scale, "%")),
            ("gravity is off by", gravity),
        ]
    print_facts(facts)
    done = " and ".join(document["parts"])
    click.echo(f"{name} keeps this calibration of its {done}, made on {document['calibrated_on']}.")
    if not accelerometer:
        click.echo(f"Its accelerometer is not calibrated yet: kinetens calibrate {name}")


def _parts(report: CalibrationReport) -> tuple[str, ...]:
    return ("gyroscope", "accelerometer") if report.calibration.whole else ("gyroscope",)


def _rounded(values: Vector, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _triple(values: list[float], unit: str) -> str:
    return ", ".join(f"{value:.2f}" for value in values) + f" {unit}"


def _change(figures: dict[str, float], before: str, after: str, unit: str) -> str:
    return f"{figures[before]:.3f} {unit} before, {figures[after]:.3f} {unit} after"
