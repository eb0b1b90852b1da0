"""The firmware's orientation filter beside VQF, Madgwick and Mahony on recordings with ground truth."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import rich_click as click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from bench import recorded
from bench.attitude_error import (
    drift_deg_a_minute,
    inclination_deg,
    relative_angle_deg,
    relative_orientation_deg,
    rms,
    turned_in_a_minute_deg,
)
from bench.complementary import Quaternions32, Steps, madgwick, mahony
from bench.recorded import Floats, Pair, Sensed, Trial
from kinetens.virtual.filter import counts, run_filter

OURS, VQF_6D, MADGWICK, MAHONY = "firmware", "VQF", "Madgwick, tuned", "Mahony, tuned"
RATES = (1, 3)
"""Every which sample is fused: the full rate and a third of it."""
SETTLED_S = 3.0
"""Of rest, after which an offset must be known."""
GAINS = {
    MADGWICK: np.geomspace(0.01, 0.3, 12)[:, None],
    MAHONY: np.array(list(product(np.geomspace(0.02, 2, 9), (0, 0.001, 0.003, 0.01)))),
}
"""What is tried of each, (G, how many gains it has)."""

Figures = dict[str, float]
"""Of each filter by name."""
Filter = Callable[[list[Sensed]], list[Floats]]
"""Quaternions (N, 4) of each recording."""
_COMPLEMENTARY: dict[str, Callable[[Floats, Floats, Floats, Floats, Steps], Quaternions32]] = {
    MADGWICK: madgwick,
    MAHONY: mahony,
}


@dataclass(frozen=True, slots=True)
class TrialErrors:
    """Root mean square of the inclination's error while moving, and the heading's drift."""

    name: str
    inclination_deg: Figures
    drift_deg_a_minute: Figures


@dataclass(frozen=True, slots=True)
class RateErrors:
    """BROAD fused at a rate. mean: over the trials; ratio: of the means to VQF's. gains: that Madgwick and Mahony got."""

    rate_hz: float
    trials: list[TrialErrors]
    mean: TrialErrors
    ratio: TrialErrors
    gains: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """rest: degrees that a resting sensor with a large offset turns in a minute. The other figures: RMS in degrees."""

    broad: list[RateErrors]
    rest_worst_minute_deg: Figures
    rest_mean_minute_deg: Figures
    robot_arm_relative_angle_deg: dict[str, Figures]
    joint_rig_relative_orientation_deg: dict[str, Figures]


def measure(
    trials: list[Trial], still: Sensed, arm: list[Pair], rig: list[Pair], progress: Progress
) -> Measured:
    """Run all filters on all recordings; Madgwick and Mahony with the gains that suit these trials best on average.

    still: a sensor that lies still all the while. Raises VirtualDeviceError when MicroPython is missing or fails.
    """
    by_rate = [_broad([trial.at_a_part_of_the_rate(every) for trial in trials], progress) for every in RATES]
    filters = _filters(by_rate[0].gains, progress)
    minutes = {
        name: turned_in_a_minute_deg(run([still])[0], still.rate_hz, SETTLED_S)
        for name, run in filters.items()
    }
    return Measured(
        broad=by_rate,
        rest_worst_minute_deg={name: float(turned.max()) for name, turned in minutes.items()},
        rest_mean_minute_deg={name: float(turned.mean()) for name, turned in minutes.items()},
        robot_arm_relative_angle_deg=_pairs(arm, filters, _angle_error_deg),
        joint_rig_relative_orientation_deg=_pairs(rig, filters, _orientation_error_deg),
    )


def _broad(trials: list[Trial], progress: Progress) -> RateErrors:
    """Tune to the trials' average, as BROAD's authors do, and compare."""
    gains = {name: _best(name, trials, progress) for name in GAINS}
    sensed = [trial.sensed for trial in trials]
    answers = {name: run(sensed) for name, run in _filters(gains, progress).items()}
    each = [
        TrialErrors(
            trial.name,
            {name: inclination_rms_deg(trial, answer[at]) for name, answer in answers.items()},
            {name: _drift(trial, answer[at]) for name, answer in answers.items()},
        )
        for at, trial in enumerate(trials)
    ]
    mean = TrialErrors(
        "mean",
        _mean([errors.inclination_deg for errors in each]),
        _mean([errors.drift_deg_a_minute for errors in each]),
    )
    ratio = TrialErrors("ratio to VQF", _to_vqf(mean.inclination_deg), _to_vqf(mean.drift_deg_a_minute))
    return RateErrors(trials[0].sensed.rate_hz, each, mean, ratio, gains)


def inclination_rms_deg(trial: Trial, quaternions: Floats) -> float:
    """Over the samples that count; a filter may be a sample short at the end."""
    moving = trial.moving[: len(quaternions)]
    size = len(moving)
    return rms(inclination_deg(quaternions[:size][moving], trial.reference[:size][moving]))


def _drift(trial: Trial, quaternions: Floats) -> float:
    moving = trial.moving[: len(quaternions)]
    size = len(moving)
    return drift_deg_a_minute(
        quaternions[:size][moving], trial.reference[:size][moving], trial.sensed.rate_hz
    )


def _best(name: str, trials: list[Trial], progress: Progress) -> list[float]:
    """The gains with the least mean error over the trials."""
    answers = _together(name, GAINS[name], [trial.sensed for trial in trials], progress)
    errors = [
        np.mean(
            [inclination_rms_deg(trial, answer[:, at]) for trial, answer in zip(trials, answers, strict=True)]
        )
        for at in range(len(GAINS[name]))
    ]
    return [float(gain) for gain in GAINS[name][int(np.argmin(errors))]]


def _filters(gains: dict[str, list[float]], progress: Progress) -> dict[str, Filter]:
    def firmware(sensors: list[Sensed]) -> list[Floats]:
        return [
            run_filter(counts(it.gyr, it.acc, it.gyro_udps), it.rate_hz, gyro_udps=it.gyro_udps).quaternion
            for it in progress.track(sensors, description=OURS)
        ]

    def vqf(sensors: list[Sensed]) -> list[Floats]:
        from vqf import VQF  # pyright: ignore[reportUnknownVariableType]

        return [
            np.asarray(
                VQF(1 / it.rate_hz).updateBatch(np.ascontiguousarray(it.gyr), np.ascontiguousarray(it.acc))[
                    "quat6D"
                ],
                dtype=np.float64,
            )
            for it in progress.track(sensors, description=VQF_6D)
        ]

    def tuned(name: str) -> Filter:
        best = np.array([gains[name]])
        return lambda sensors: [it[:, 0] for it in _together(name, best, sensors, progress)]

    return {OURS: firmware, VQF_6D: vqf, **{name: tuned(name) for name in gains}}


def _together(name: str, gains: Floats, sensors: list[Sensed], progress: Progress) -> list[Floats]:
    """Quaternions (N, G, 4) of each recording; shorter ones rest where they ended until the longest has."""
    longest = max(len(it.gyr) for it in sensors)

    def stacked(values: list[Floats]) -> Floats:
        return np.stack([np.pad(it, ((0, longest - len(it)), (0, 0)), mode="edge") for it in values], axis=1)

    def steps(count: int) -> Iterable[int]:
        return progress.track(range(count), description=f"{name}, {len(gains)} gains")

    gyr, acc = stacked([it.gyr for it in sensors]), stacked([it.acc for it in sensors])
    answer = _COMPLEMENTARY[name](gyr, acc, np.array([it.rate_hz for it in sensors]), gains, steps)
    return [answer[: len(it.gyr), :, at].astype(np.float64) for at, it in enumerate(sensors)]


def _pairs(
    pairs: list[Pair], filters: dict[str, Filter], error_deg: Callable[[Pair, Floats, Floats], Floats]
) -> dict[str, Figures]:
    sensors = [sensor for pair in pairs for sensor in pair.sensed]
    answers = {name: run(sensors) for name, run in filters.items()}
    each = {
        pair.name: {
            name: rms(error_deg(pair, answer[2 * at], answer[2 * at + 1])) for name, answer in answers.items()
        }
        for at, pair in enumerate(pairs)
    }
    return {**each, "mean": _mean(list(each.values()))}


def _angle_error_deg(pair: Pair, first: Floats, second: Floats) -> Floats:
    size = min(len(first), len(second))
    true = relative_angle_deg(pair.reference[0][:size], pair.reference[1][:size])
    return relative_angle_deg(first[:size], second[:size]) - true


def _orientation_error_deg(pair: Pair, first: Floats, second: Floats) -> Floats:
    size = min(len(first), len(second))
    true = pair.reference[0][:size], pair.reference[1][:size]
    return relative_orientation_deg(first[:size], second[:size], true, round(pair.sensed[0].rate_hz))


def _mean(figures: list[Figures]) -> Figures:
    return {name: float(np.mean([it[name] for it in figures])) for name in figures[0]}


def _to_vqf(figures: Figures) -> Figures:
    return {name: value / figures[VQF_6D] for name, value in figures.items()}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--trial", default="", metavar="TEXT", help="Only the BROAD trials whose names contain this.")
def bench(as_json: bool, trial: str) -> None:
    """Errors of the firmware's orientation filter, VQF, Madgwick and Mahony on recordings with ground truth.

    The recordings are those of KINETENS_DATA, or of ../shared/data beside the checkout.

    Example:  python -m bench orientation --json
    """
    folder = recorded.data_folder()
    trials = [it for it in recorded.broad(folder) if trial in it.name]
    if not trials:
        raise click.BadParameter(f"no trial of BROAD has {trial!r} in its name", param_hint="--trial")
    still = recorded.mpu6050(folder, "unmoved-with-x-pointing-forward-10min")
    console = Console(stderr=True)
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=console, transient=True
    ) as progress:
        measured = measure(trials, still, recorded.robot_arm(folder), recorded.joint_rig(folder), progress)
    if as_json:
        click.echo(json.dumps(asdict(measured), indent=2))
    else:
        _show(measured)


def _show(measured: Measured) -> None:
    console = Console()
    for rate in measured.broad:
        tuned = "; ".join(
            f"{name}: {', '.join(f'{it:.3g}' for it in gains)}" for name, gains in rate.gains.items()
        )
        rows: dict[str, Any] = {
            it.name: [*it.inclination_deg.values(), *it.drift_deg_a_minute.values()]
            for it in (*rate.trials, rate.mean, rate.ratio)
        }
        table = Table(
            "trial",
            title=f"BROAD fused at {rate.rate_hz:.0f} Hz: inclination RMSE in °, heading drift in °/min",
            caption=f"gains: {tuned}",
        )
        for what in ("", "drift "):
            for name in rate.mean.inclination_deg:
                table.add_column(what + name, justify="right")
        for name, figures in rows.items():
            table.add_row(name, *(f"{figure:.3f}" for figure in figures))
        console.print(table)
    others = Table("recording", *measured.rest_mean_minute_deg, title="Other recordings, °")
    lines = {
        "MPU6050 at rest: turn in a minute, worst": measured.rest_worst_minute_deg,
        "MPU6050 at rest: turn in a minute, mean": measured.rest_mean_minute_deg,
        **{
            f"robot arm {name}: relative angle": it
            for name, it in measured.robot_arm_relative_angle_deg.items()
        },
        **{
            f"joint rig {name}: orientation": it
            for name, it in measured.joint_rig_relative_orientation_deg.items()
        },
    }
    for name, figures in lines.items():
        others.add_row(name, *(f"{figure:.3f}" for figure in figures.values()))
    console.print(others)
