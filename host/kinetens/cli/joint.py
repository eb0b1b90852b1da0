"""kinetens joint."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rich_click as click

from kinetens.cli.common import force_option, json_option, print_facts, print_json
from kinetens.motion.recordings import read_recording

if TYPE_CHECKING:
    from kinetens.motion.joint import Kind


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--type",
    "kind",
    type=click.Choice(["hinge", "two-axis", "three-axis"]),
    required=True,
    help="A knee or finger is a hinge, an elbow has two axes, a hip or shoulder three.",
)
@click.option(
    "--zero-at",
    "zero_at_s",
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="When the member held the posture in which all angles are 0, from where both recordings have begun.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The CSV file to write.")
@force_option
@json_option
def joint(
    first: Path, second: Path, kind: "Kind", zero_at_s: float, out: Path, force: bool, as_json: bool
) -> None:
    """Compute a joint's angles from the recordings of a sensor on either side of it, each with its 95 % interval.

    FIRST is nearer to the trunk. Both are files as kinetens orient reads them, on one clock. The sensors may be
    mounted in any
    way; axes and lever arms are found from the movement. Written are time_s and, for each angle, its value and half its
    95 % interval in degrees, from the zero posture on. The intervals cover the sensors, not the strap's slipping
    on the skin.

    Example:  kinetens joint thigh.csv shank.csv --type hinge --out knee.csv
    """
    from kinetens.motion.joint_recording import ANGLE_NAMES, measure_joint
    from kinetens.session.output import check_output, whole_file

    check_output(out, force)
    measured = measure_joint(read_recording(first), read_recording(second), kind, zero_at_s)
    samples = measured.samples
    angles, halves = np.degrees(samples.angles_rad), np.degrees(samples.half_interval_rad)
    names = ANGLE_NAMES[kind]
    columns = [column for pair in zip(angles.T, halves.T, strict=True) for column in pair]
    with whole_file(out, force) as part:
        np.savetxt(
            part,
            np.column_stack([samples.times_s, *columns]),
            fmt=["%.6f", *["%.3f"] * len(columns)],
            delimiter=",",
            header=",".join(["time_s", *(f"{name}_deg,{name}_half_interval_deg" for name in names)]),
            comments="",
        )
    ranges = [
        {
            "name": name,
            "least_deg": round(float(angle.min()), 2),
            "most_deg": round(float(angle.max()), 2),
            "half_interval_deg": round(float(half.mean()), 2),
        }
        for name, angle, half in zip(names, angles.T, halves.T, strict=True)
    ]
    if as_json:
        answer = {
            "type": kind,
            "samples": len(samples.times_s),
            "rate_hz": round(measured.rate_hz, 3),
            "angles": ranges,
            "heading_found_after_s": measured.found_after_s,
            "drift_corrected_deg_per_min": round(float(np.degrees(measured.drift_rad_s)) * 60.0, 2),
            "warnings": list(measured.warnings),
            "out": out,
        }
        print_json(answer)
        return
    facts = [
        (each["name"], f"{each['least_deg']}° to {each['most_deg']}°, ± {each['half_interval_deg']}°")
        for each in ranges
    ]
    facts.append(("drift corrected", f"{np.degrees(measured.drift_rad_s) * 60.0:.1f}° a minute"))
    print_facts([(str(name), value) for name, value in facts])
    for warning in measured.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"wrote {len(samples.times_s)} samples to {out}")
