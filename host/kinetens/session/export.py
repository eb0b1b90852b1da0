"""A session for other programs: samples and repetitions as CSV or Parquet.

An export is two files: the samples under the name asked for, and the repetitions beside it with
`-repetitions` before the suffix. Columns carry their units in their names; Parquet files also hold the
session's header and each column's unit as metadata. A sample that never arrived has a row of its own, with
`missing` true and nothing measured.
"""

from math import degrees
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.csv  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from kinetens.errors import InvalidInput
from kinetens.session.analysis import Analysis, analyze
from kinetens.session.header import SessionHeader
from kinetens.session.output import check_output, whole_file
from kinetens.session.reader import Session
from kinetens.session.samples import Gap

arrow, arrow_csv, arrow_parquet = (cast(Any, m) for m in (pyarrow, pyarrow.csv, pyarrow.parquet))  # untyped

FORMATS = ("csv", "parquet")
_UNITS = {"_deg_s": "deg/s", "_deg": "deg", "_us": "us", "_s": "s"}
"""By the end of a column's name; the first that fits."""


class Column(NamedTuple):
    """Values (N,) and where there is none (N,)."""

    values: NDArray[Any]
    nothing: NDArray[np.bool_]


Table = dict[str, Column]


class _Absent(NamedTuple):
    stream: NDArray[np.int64]
    numbers: NDArray[np.int64]
    time_s: NDArray[np.float64]


def export(session: Session, file_format: str, out: Path, force: bool = False) -> tuple[Path, Path]:
    """Write samples to `out` and repetitions beside it; returns both paths.

    Raises:
        InvalidInput: the format is not one of FORMATS.
        OutputNotWritable: a file exists and `force` is not set, or it cannot be written.
        SessionDamaged: the session cannot be read.
    """
    if file_format not in FORMATS:
        raise InvalidInput(f"'{file_format}' is not an export format; choose one of {', '.join(FORMATS)}")
    beside = out.with_name(f"{out.stem}-repetitions{out.suffix}")
    for path in (out, beside):
        check_output(path, force)
    analysis = analyze(session)
    for path, table in ((out, samples_table(analysis)), (beside, repetitions_table(analysis))):
        with whole_file(path, force) as part:
            _write(table, session.header, file_format, part)
    return out, beside


def samples_table(analysis: Analysis) -> Table:
    """One row a sample, missing ones included, in order.

    `angle_deg` is the movement angle, which is measured 25 times a second and drawn straight in between, but
    never across missing samples. The time of a missing sample follows from its number.
    """
    samples = analysis.samples
    absent = [_rows_of(gap) for gap in samples.missing]
    stream = np.concatenate([samples.stream, *(rows.stream for rows in absent)])
    index = np.concatenate([samples.index, *(rows.numbers for rows in absent)])
    order = np.lexsort((index, stream))
    missing = np.arange(len(index))[order] >= len(samples)

    def placed(*parts: NDArray[Any]) -> Column:
        return Column(np.concatenate(parts)[order], np.zeros(len(order), dtype=np.bool_))

    def measured(values: NDArray[Any]) -> Column:
        padded = np.concatenate([values, np.zeros(len(index) - len(samples), dtype=values.dtype)])[order]
        return Column(padded, missing | np.isnan(padded))

    return {
        "stream": placed(stream),
        "index": placed(index),
        "host_time_s": placed(samples.host_time_s, *(rows.time_s for rows in absent)),
        "host_time_uncertainty_s": measured(samples.host_time_uncertainty_s),
        "device_time_us": measured(samples.device_time_us),
        **{f"quaternion_{axis}": measured(samples.quaternion[:, i]) for i, axis in enumerate("wxyz")},
        "angle_deg": measured(_angle_at_samples_deg(analysis)),
        "rest": measured(samples.rest),
        "clipped": measured(samples.clipped),
        "missing": Column(missing, np.zeros_like(missing)),
    }


def repetitions_table(analysis: Analysis) -> Table:
    """One row a repetition; times in s since the session was created."""
    columns = {
        "repetition": np.arange(1, len(analysis.repetitions) + 1),
        "start_s": [repetition.start_s for repetition in analysis.repetitions],
        "turn_s": [repetition.turn_s for repetition in analysis.repetitions],
        "end_s": [repetition.end_s for repetition in analysis.repetitions],
        "range_of_motion_deg": [degrees(r.range_of_motion_rad) for r in analysis.repetitions],
        "range_of_motion_uncertainty_deg": [degrees(r.uncertainty_rad) for r in analysis.repetitions],
        "peak_speed_deg_s": [degrees(r.peak_speed_rad_s) for r in analysis.repetitions],
        "unknown_s": [repetition.unknown_s for repetition in analysis.repetitions],
    }
    everywhere = np.zeros(len(analysis.repetitions), dtype=np.bool_)
    return {name: Column(np.asarray(values), everywhere) for name, values in columns.items()}


def _angle_at_samples_deg(analysis: Analysis) -> NDArray[np.float64]:
    if len(analysis.trace_s) == 0:
        return np.full(len(analysis.samples), np.nan)
    return np.degrees(np.interp(analysis.samples.host_time_s, analysis.trace_s, analysis.angle_rad))


def _rows_of(gap: Gap) -> _Absent:
    between_s = np.linspace(gap.start_s, gap.end_s, gap.count + 2)[1:-1]
    return _Absent(np.full(gap.count, gap.stream), gap.first_index + np.arange(gap.count), between_s)


def _write(table: Table, header: SessionHeader, file_format: str, path: Path) -> None:
    arrays = [arrow.array(column.values, mask=column.nothing) for column in table.values()]
    fields = [
        arrow.field(name, array.type, metadata=_unit(name)) for name, array in zip(table, arrays, strict=True)
    ]
    about = {"kinetens.session": header.name, "kinetens.header": header.to_json()}
    content = arrow.table(arrays, schema=arrow.schema(fields, metadata=about))
    if file_format == "csv":
        arrow_csv.write_csv(content, path)
    else:
        arrow_parquet.write_table(content, path, compression="zstd")


def _unit(name: str) -> dict[str, str]:
    units = [unit for ending, unit in _UNITS.items() if name.endswith(ending)]
    return {"unit": units[0]} if units else {}
