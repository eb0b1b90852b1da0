"""Joint angles and their intervals on recordings with a truth, beside others in the same run.

Errors are root mean squares in degrees. A hinge's angle is compared after its mean offset is taken off (the zero
is a matter of
posture); a relative orientation is compared as it is, whole angle, nothing aligned. "settled": from the moment at which
the heading, unknown at first, was found; "known start": from the first sample on, when it is told the heading
there. The rig's 1D_01 is told apart: every method is near 4 degrees on it.
"""

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module
from io import StringIO
from typing import Any, cast

import numpy as np
import rich_click as click
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from bench.joint_recordings import (
    ARM,
    RIG,
    Floats,
    PairRecording,
    SingleRecording,
    arm_trial,
    rig_trial,
    single_recordings,
)
from kinetens.motion.joint import JointMeter, JointSamples, Kind
from kinetens.motion.joint_angles import hinge_angle, three_angles, two_axis_angles
from kinetens.motion.quaternion import angles_between, from_rotation, to_rotation
from kinetens.motion.uncertainty import (
    AS_BOUGHT,
    CALIBRATED,
    NORMAL_95,
    InclinationError,
    SensorErrors,
    range_half_interval_rad,
)

PUBLISHED = {
    "hinge angle, VQF with estimated axis and heading correction": "0.9-1.3",
    "relative orientation, MAP-acc, 15 trials": "3.0",
    "relative orientation, VQF 6D with an ideal start, 15 trials": "4.0",
    "relative orientation, MEKF-acc, 15 trials": "5.0",
    "relative angle on the arm, VQF 6D": "0.7-2.3",
}
RIG_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
"""Of the rig's two-axis joint, in the first and in the second segment."""
_KINDS: dict[str, tuple[Kind, ...]] = {
    "1D": ("hinge", "three-axis"),
    "2D": ("two-axis", "three-axis"),
    "3D": ("three-axis",),
}


@dataclass(frozen=True, slots=True)
class JointAccuracy:
    """Of one trial. Angles in degrees; `covered` is the share of samples whose truth is inside the 95 % interval."""

    trial: str
    kind: Kind
    settled_s: float
    angle_rmse_deg: float | None
    relative_rmse_deg: float | None
    first_half_deg: float
    second_half_deg: float
    known_start_deg: float | None
    half_interval_deg: float
    covered: float
    peers_deg: dict[str, float]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of the truths inside the 95 % interval, over all trials and in the least and the most covered of them."""

    what: str
    sensors: str
    trials: int
    covered: float
    least: float
    most: float
    half_interval_deg: float


def rms_deg(errors_rad: Floats) -> float:
    """Root mean square, in degrees."""
    return float(np.degrees(np.sqrt(np.mean(np.square(errors_rad)))))


def relative_rms_deg(truth: Rotation, found: Any) -> float:
    """Root mean square of the angle between relative orientations, in degrees."""
    return rms_deg((truth.inv() * cast(Rotation, found)).magnitude())


def measured(
    trial: PairRecording, kind: Kind, known_heading: tuple[float, float] | None = None
) -> tuple[JointMeter, JointSamples]:
    """A trial through the meter, as a stream, raw samples and all."""
    meter = JointMeter(kind, raw=True)
    if known_heading is not None:
        meter.correction.expect(*known_heading)
    return meter, meter.update(trial.times_s, trial.first, trial.second)


def true_heading(trial: PairRecording) -> float:
    """The heading between the sensors' worlds at the beginning, in rad."""
    first, second = to_rotation(trial.first.quaternions[0]), to_rotation(trial.second.quaternions[0])
    turned = cast(Rotation, first * trial.relative_truth[0] * second.inv())
    turn = from_rotation(turned)
    return float(2.0 * np.arctan2(turn[3], turn[0]))


def relative_errors(trial: PairRecording, samples: JointSamples) -> Floats:
    """The angle in rad (N,) between the relative orientation and the truth."""
    return (trial.relative_truth.inv() * to_rotation(samples.relative)).magnitude()


def true_hinge_angle(relative: Rotation) -> Floats:
    """The angle in rad (N,) about the axis that moves least."""
    axis = np.linalg.svd(relative.as_matrix().mean(axis=0))[0][:, 0]
    return np.unwrap(hinge_angle(from_rotation(relative), np.tile(axis, (len(relative), 1))))


def hinge_errors(angles: Floats, truth: Floats) -> Floats:
    """Of angles in rad (N,), signed as the truth, without their mean."""
    sense = np.sign((angles - angles.mean()) @ (truth - truth.mean()))
    errors = sense * angles - truth
    return errors - errors.mean()


def _angle_errors(trial: PairRecording, kind: Kind, samples: JointSamples) -> Floats:
    """Of all angles in rad (N, k); a hinge's and two axes' without their mean once the heading was found."""
    relative = from_rotation(trial.relative_truth)
    if kind == "three-axis":
        return np.mod(samples.angles_rad - three_angles(relative, "zxy") + np.pi, 2.0 * np.pi) - np.pi
    if kind == "hinge":
        truth = true_hinge_angle(trial.relative_truth)[:, None]
    else:
        axes = (np.tile(axis, (len(relative), 1)) for axis in RIG_AXES)
        truth = np.unwrap(two_axis_angles(relative, *axes), axis=0)
    errors = np.full_like(truth, np.nan)
    for number in range(truth.shape[1]):
        settled = samples.settled
        errors[settled, number] = hinge_errors(samples.angles_rad[settled, number], truth[settled, number])
    return errors


def joint_accuracy(trial: PairRecording, kind: Kind, peers: bool) -> JointAccuracy:
    """Measure a trial, and let the peers that are installed do it."""
    _, samples = measured(trial, kind)
    settled = samples.settled
    errors = relative_errors(trial, samples)[settled] if trial.levers else np.zeros(0)
    half = samples.half_interval_rad[settled]
    angles = _angle_errors(trial, kind, samples)[settled]
    halves = np.array_split(errors if trial.levers and kind != "hinge" else angles[:, 0], 2)
    known = measured(trial, kind, (true_heading(trial), np.radians(3.0)))[1] if trial.levers else None
    return JointAccuracy(
        trial=trial.name,
        kind=kind,
        settled_s=float(samples.times_s[settled][0]),
        angle_rmse_deg=rms_deg(angles) if kind == "hinge" else None,
        relative_rmse_deg=rms_deg(errors) if trial.levers else None,
        first_half_deg=rms_deg(halves[0]),
        second_half_deg=rms_deg(halves[1]),
        known_start_deg=rms_deg(relative_errors(trial, known)) if known else None,
        half_interval_deg=float(np.degrees(np.mean(half))),
        covered=float(np.mean(np.abs(angles) < half)),
        peers_deg=_peers(trial, kind) if peers else {},
    )


def _peers(trial: PairRecording, kind: Kind) -> dict[str, float]:
    """What others make of the same samples; those not installed (`pip install kinetens[bench]`) are left out."""
    found: dict[str, float] = {}
    truth = trial.relative_truth
    first, second = to_rotation(trial.first.quaternions), to_rotation(trial.second.quaternions)
    if trial.levers:
        turn = Rotation.from_rotvec([0.0, 0.0, true_heading(trial)])
        found["VQF 6D, told the start"] = relative_rms_deg(truth, first.inv() * turn * second)
    for module, peer in (("qmt", _qmt), ("dfjimu", _dfjimu)):
        try:
            library = import_module(module)
        except ModuleNotFoundError:
            continue
        with redirect_stdout(StringIO()):  # they tell how they are getting on
            found |= peer(library, trial, kind)
    return found


def _qmt(qmt: Any, trial: PairRecording, kind: Kind) -> dict[str, float]:
    one, two, times_s = trial.first, trial.second, trial.times_s
    if kind == "three-axis":
        return {}
    if kind == "hinge":
        axes = qmt.jointAxisEstHingeOlsson(one.acc_m_s2, two.acc_m_s2, one.gyr_rad_s, two.gyr_rad_s)
        first_axis, second_axis = (np.asarray(axis, dtype=np.float64).ravel() for axis in axes)
        align = Rotation.align_vectors(first_axis[None], second_axis[None])[0]
        turned = from_rotation(to_rotation(two.quaternions) * align.inv())
        joint, rotate = first_axis, align
    else:
        turned, joint, rotate = two.quaternions, RIG_AXES, Rotation.identity()
    corrected = qmt.headingCorrection(
        one.gyr_rad_s, rotate.apply(two.gyr_rad_s), one.quaternions, turned, times_s, joint, {}
    )[0]
    relative = to_rotation(one.quaternions).inv() * to_rotation(corrected)
    after = times_s >= 5.0
    if kind == "hinge":
        angles = np.unwrap(hinge_angle(from_rotation(relative), np.tile(joint, (len(times_s), 1))))
        return {
            "qmt, angle": rms_deg(hinge_errors(angles[after], true_hinge_angle(trial.relative_truth)[after]))
        }
    errors = (trial.relative_truth.inv() * relative).magnitude()
    return {"qmt, told the axes": rms_deg(errors[after])}


def _dfjimu(dfjimu: Any, trial: PairRecording, kind: Kind) -> dict[str, float]:
    if trial.levers is None or kind != "three-axis":
        return {}
    raw = (trial.first.gyr_rad_s, trial.second.gyr_rad_s, trial.first.acc_m_s2, trial.second.acc_m_s2)
    told = (-trial.levers[0], -trial.levers[1], trial.rate_hz, np.array([1.0, 0.0, 0.0, 0.0]))
    covariances = {"cov_w": 0.01 * np.eye(6), "cov_i": 0.1 * np.eye(3), "cov_lnk": np.eye(3)}
    runs: dict[str, Callable[[], Any]] = {
        "MAP-acc, offline, told the lever arms": lambda: dfjimu.map_acc(*raw, *told, **covariances),
        "MEKF-acc, told the lever arms": lambda: dfjimu.mekf_acc(*raw, *told),
    }
    found: dict[str, float] = {}
    for name, run in runs.items():
        first, second = (to_rotation(np.asarray(each)) for each in run())
        relative = first.inv() * second  # its sample n + 1 holds the rate of sample n
        found[name] = relative_rms_deg(trial.relative_truth[:-1], relative[1:])
    return found


def inclination_coverage(recordings: list[SingleRecording], sensor: SensorErrors, name: str) -> Coverage:
    """Of the inclination about either level axis."""
    shares: list[float] = []
    halves: list[float] = []
    for recording in recordings:
        times_s = np.arange(len(recording.quaternions)) / recording.rate_hz
        half = NORMAL_95 * np.sqrt(InclinationError(sensor).variance(times_s, recording.quaternions))
        off = to_rotation(recording.quaternions) * recording.truth.inv()
        about_vertical = 2.0 * np.arctan2(off.as_quat()[:, 2], off.as_quat()[:, 3])
        level = cast(Rotation, Rotation.from_rotvec(np.outer(-about_vertical, [0.0, 0.0, 1.0])) * off)
        tilt: Floats = level.as_rotvec()[:, :2]
        shares.append(float(np.mean(np.abs(tilt) < half[:, None])))
        halves.append(float(np.degrees(half.mean())))
    return _coverage("inclination", name, shares, halves)


def range_coverage(recordings: list[SingleRecording], sensor: SensorErrors, name: str) -> Coverage:
    """Of how far a segment turned between two moments at which it was slow, up to 15 s apart."""
    shares: list[float] = []
    halves: list[float] = []
    for recording in recordings:
        inside: list[bool] = []
        for begin, end, peak in _ways(recording):
            true = float((recording.truth[begin].inv() * recording.truth[end]).magnitude())
            if not np.radians(8.0) < true < np.radians(172.0):
                continue
            found = float(angles_between(recording.quaternions[[begin, end]])[0])
            lasts_s = (end - begin) / recording.rate_hz
            half = range_half_interval_rad(found, lasts_s, peak, 1.0 / recording.rate_hz, sensor=sensor)
            inside.append(abs(found - true) < half)
            halves.append(float(np.degrees(half)))
        if len(inside) > 15:
            shares.append(float(np.mean(inside)))
    return _coverage("range between two slow moments", name, shares, halves)


def _ways(recording: SingleRecording) -> list[tuple[int, int, float]]:
    """Pairs of slow moments, with the peak speed between them in rad/s."""
    speed = angles_between(from_rotation(recording.truth)) * recording.rate_hz
    window = max(1, round(0.15 * recording.rate_hz))
    smooth = np.convolve(speed, np.ones(window) / window, mode="same")
    slow: list[int] = []
    for index in range(window, len(smooth) - window):
        near = smooth[index - window : index + window + 1]
        apart = not slow or index - slow[-1] > 0.4 * recording.rate_hz
        if apart and smooth[index] < np.radians(25.0) and smooth[index] == near.min():
            slow.append(index)
    return [
        (begin, end, float(smooth[begin:end].max()))
        for place, begin in enumerate(slow)
        for end in slow[place + 1 : place + 12]
        if end - begin < 15.0 * recording.rate_hz
    ]


def _coverage(what: str, sensors: str, shares: list[float], halves: list[float]) -> Coverage:
    return Coverage(
        what, sensors, len(shares), float(np.mean(shares)), min(shares), max(shares), float(np.mean(halves))
    )


def measure(peers: bool = True) -> tuple[list[JointAccuracy], list[Coverage]]:
    """Everything. Raises InvalidInput where there are no recordings."""
    joints = [joint_accuracy(rig_trial(name), kind, peers) for name in RIG for kind in _KINDS[name[:2]]]
    joints += [joint_accuracy(arm_trial(name), "hinge", peers) for name in ARM]
    singles = single_recordings()
    coverage = [
        judge(singles[name], sensor, name)
        for name, sensor in (("as bought", AS_BOUGHT), ("calibrated", CALIBRATED))
        for judge in (inclination_coverage, range_coverage)
    ]
    return joints, coverage


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--no-peers", is_flag=True, help="Leave the others out: it is quicker.")
def bench(as_json: bool, no_peers: bool) -> None:
    """Joint angles and 95 % intervals on recordings with a truth, beside others.

    Example:  python -m bench joints --json
    """
    joints, coverage = measure(not no_peers)
    if as_json:
        answer = {
            "joints": [asdict(joint) for joint in joints],
            "coverage": [asdict(each) for each in coverage],
            "published_deg": PUBLISHED,
        }
        click.echo(json.dumps(answer, indent=2))
        return
    table = Table(
        *("trial", "joint", "after", "angle", "relative", "halves", "known start", "±", "inside"),
        title="Root mean square errors in degrees",
    )
    others = Table("trial", "joint", "others in this run", "error", title="Others, in degrees")
    for joint in joints:
        table.add_row(
            joint.trial,
            joint.kind,
            f"{joint.settled_s:.1f} s",
            "" if joint.angle_rmse_deg is None else f"{joint.angle_rmse_deg:.2f}",
            _figure(joint.relative_rmse_deg),
            f"{joint.first_half_deg:.2f}, {joint.second_half_deg:.2f}",
            _figure(joint.known_start_deg),
            f"{joint.half_interval_deg:.1f}",
            f"{joint.covered:.1%}",
        )
        for name, error in joint.peers_deg.items():
            others.add_row(joint.trial, joint.kind, name, f"{error:.2f}")
    Console().print(table)
    if others.row_count:
        Console().print(others)
    intervals = Table(
        "what", "sensors", "trials", "inside", "least", "most", "±", title="What 95 % intervals hold"
    )
    for each in coverage:
        shares = (f"{share:.1%}" for share in (each.covered, each.least, each.most))
        intervals.add_row(
            each.what, each.sensors, str(each.trials), *shares, f"{each.half_interval_deg:.2f}°"
        )
    Console().print(intervals)
    for name, published in PUBLISHED.items():
        click.echo(f"published: {name}: {published}°")


def _figure(value_deg: float | None) -> str:
    return "" if value_deg is None else f"{value_deg:.2f}"
