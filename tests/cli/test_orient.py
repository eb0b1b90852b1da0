"""kinetens orient."""

from pathlib import Path

import numpy as np
import pytest

RATE_HZ = 100.0


def recording(seconds: float = 20.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A sensor that lies still, then turns by 90 degrees about its x axis in two seconds, then lies still again."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    turning = (time_s >= 8) & (time_s < 10)
    gyr = np.zeros((len(time_s), 3))
    gyr[turning, 0] = np.pi / 4
    angle = np.cumsum(gyr[:, 0]) / RATE_HZ
    acc = 9.80665 * np.column_stack([np.zeros_like(angle), np.sin(angle), np.cos(angle)])
    return time_s, acc, gyr


def write_csv(path: Path, time_s, acc, gyr) -> Path:
    table = np.column_stack([time_s, acc, gyr])
    np.savetxt(path, table, delimiter=",", header="time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z", comments="")
    return path


@pytest.mark.parametrize("engine", ["device", "vqf"])
@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_a_row_of_orientation_for_each_sample(engine: str, kind: str, run_json, tmp_path: Path):
    time_s, acc, gyr = recording()
    if kind == "csv":
        source = write_csv(tmp_path / "turn.csv", time_s, acc, gyr)
    else:
        source = tmp_path / "turn.npz"
        np.savez(source, acc=acc, gyr=gyr, fs=RATE_HZ)
    out = tmp_path / "out.csv"
    answer = run_json("orient", str(source), "--engine", engine, "--out", str(out))
    assert answer == {"engine": engine, "samples": len(time_s), "rate_hz": RATE_HZ, "out": str(out)}
    assert out.read_text().splitlines()[0] == "time_s,quat_w,quat_x,quat_y,quat_z"
    table = np.loadtxt(out, delimiter=",", skiprows=1)
    assert np.allclose(table[:, 0], time_s, atol=1e-6)
    assert np.allclose(np.linalg.norm(table[:, 1:], axis=1), 1, atol=1e-4)
    turned_deg = np.degrees(2 * np.arctan2(table[-1, 2], table[-1, 1]))
    assert abs(turned_deg - 90) < 0.5
    assert abs(np.degrees(2 * np.arctan2(table[100, 2], table[100, 1]))) < 0.5


def test_both_engines_agree(run, tmp_path: Path):
    source = write_csv(tmp_path / "turn.csv", *recording())
    tables: list[np.ndarray] = []
    for engine in ("device", "vqf"):
        run("orient", str(source), "--engine", engine, "--out", str(tmp_path / engine))
        tables.append(np.loadtxt(tmp_path / engine, delimiter=",", skiprows=1)[:, 1:])
    dot = np.abs(np.sum(tables[0] * tables[1], axis=1))
    assert np.degrees(2 * np.arccos(np.clip(dot, 0, 1))).max() < 0.2


def spoilt(what: str):
    time_s, acc, gyr = recording(4.0)
    if what == "g":
        acc = acc / 9.80665
    elif what == "degrees":
        gyr = gyr + 300.0
    elif what == "shuffled":
        time_s[[50, 60]] = time_s[[60, 50]]
    elif what == "gap":
        time_s[200:] += 1.0
    elif what == "nan":
        acc[7, 1] = np.nan
    elif what == "milliseconds":
        time_s = time_s * 1000
    return time_s, acc, gyr


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("g", "it looks like g"),
        ("degrees", "it looks like degrees"),
        ("shuffled", "does not increase at sample"),
        ("gap", "gap of 1.01 s at 1.990 s"),
        ("nan", "acc of sample 8 is not a number"),
        ("milliseconds", "is time_s in seconds?"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_place(what: str, words: str, refused, tmp_path: Path):
    source = write_csv(tmp_path / "bad.csv", *spoilt(what))
    assert words in refused("orient", str(source), "--out", str(tmp_path / "out.csv"))
    assert not (tmp_path / "out.csv").exists()


def test_a_recording_faster_than_the_devices_filter_is_refused_and_vqf_takes_it(run, refused, tmp_path: Path):
    _, acc, gyr = recording(2.0)
    np.savez(tmp_path / "fast.npz", acc=acc, gyr=gyr, fs=1000)
    source, out = str(tmp_path / "fast.npz"), str(tmp_path / "out.csv")
    assert "up to 500 samples a second, not 1000" in refused("orient", source, "--out", out)
    run("orient", source, "--engine", "vqf", "--out", out)


def test_files_that_are_no_recordings_are_refused(refused, tmp_path: Path):
    out = str(tmp_path / "out.csv")
    assert "there is no recording" in refused("orient", "lost.csv", "--out", out)
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in refused("orient", str(tmp_path / "empty.csv"), "--out", out)
    (tmp_path / "columns.csv").write_text("time_s,acc_x\n0,1\n")
    assert "no column 'acc_y'" in refused("orient", str(tmp_path / "columns.csv"), "--out", out)
    (tmp_path / "text.csv").write_text("time_s,acc_x,acc_y,acc_z,gyr_x,gyr_y,gyr_z\n0,0,0,9.8,0,0,x\n")
    assert "line 2" in refused("orient", str(tmp_path / "text.csv"), "--out", out)
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    assert "cannot be read as NPZ" in refused("orient", str(tmp_path / "bad.npz"), "--out", out)
    np.savez(tmp_path / "less.npz", acc=np.zeros((5, 3)), fs=100)
    assert "no array 'gyr'" in refused("orient", str(tmp_path / "less.npz"), "--out", out)
    (tmp_path / "what.txt").write_text("x")
    assert "neither .csv nor .npz" in refused("orient", str(tmp_path / "what.txt"), "--out", out)
