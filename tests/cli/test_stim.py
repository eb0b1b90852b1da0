"""kinetens stim: plans made, checked and shown; stimulation given, stopped and recorded; the device's log."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from kinetens.session import Session
from kinetens.stim import questions
from tests.stim.test_written import CARRIER, CONTINUOUS

LONG_S = 60.0
NEW = ("stim", "plan", "new", "knee.toml", "--member", "anna", "--place", "knee", "--side", "left")
ALL_NO = "n\n" * len(questions.QUESTIONS)


@pytest.fixture
def knee(run, home: Path) -> str:
    """A plan of one minute for the virtual device."""
    made = run(*NEW, "--session", "1 min", "--device", "sim:")
    assert made.exit_code == 0, made.output
    return "knee.toml"


def write(text: str) -> str:
    Path("plan.toml").write_text(text, encoding="utf-8")
    return "plan.toml"


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_a_new_plan_is_right_and_not_overwritten(run, refused, home: Path):
    assert "stim plan show knee.toml" in run(*NEW).stdout
    assert "knee.toml: right" in run("stim", "plan", "check", "knee.toml", "--board", "virtual").stdout
    assert "exists already" in refused(*NEW)


def test_a_new_plan_that_makes_no_sense_is_not_written(refused, home: Path):
    assert "has no unit" in refused(*NEW, "--current", "15")
    assert "no pads on 'head'" in refused("stim", "plan", "new", "a.toml", "--member", "a", "--place", "head")
    assert "rms current" in refused(*NEW, "--kind", "kilohertz", "--current", "59 mA", "--session", "2 min")
    assert not list(Path().glob("*.toml"))


def test_check_tells_each_refusal_with_its_arithmetic_and_fails(run, home: Path):
    result = run("stim", "plan", "check", write(CONTINUOUS))
    assert result.exit_code == 1
    assert "rms current density would be 4 mA/cm²; the plan allows at most 1 mA/cm²" in result.stdout
    assert "rms density 40 mA / (1 × 10 cm²) = 4 mA/cm²" in result.stdout
    assert "the pads allows at most 10 mA" in result.stdout
    assert result.stderr.startswith("error: plan.toml is refused for 3 reasons")
    assert run("stim", "plan", "check", write(CARRIER)).exit_code == 0


def test_check_answers_programs(run, run_json, home: Path):
    assert run_json("stim", "plan", "check", write(CARRIER))["accepted"]
    result = run("stim", "plan", "check", write(CONTINUOUS), "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["accepted"]) == (1, False)
    assert document["refusals"][0]["source"] == "the plan"
    assert document["refusals"][0]["working"][-1] == "rms density 40 mA / (1 × 10 cm²) = 4 mA/cm²"
    result = run("stim", "plan", "check", write(CARRIER.replace('"40 mA"', "40")), "--json")
    assert json.loads(result.stdout)["problems"] == [
        'programme.current (line 7): 40 has no unit; write for example "40 mA"'
    ]


def test_check_tells_all_mistakes_with_their_file(run, home: Path):
    result = run("stim", "plan", "check", write(CARRIER.replace('"40 mA"', "nan").replace("knee", "chest")))
    assert "plan.toml: programme.current (line 7): nan is no number" in result.stdout
    assert "plan.toml: placement.place (line 14): no pads on 'chest'" in result.stdout
    assert "plan.toml is refused: 2 mistakes in it" in result.stderr


def test_a_board_s_limit_is_named(run, refused, home: Path):
    high = CARRIER.replace("40 mA", "55 mA").replace("50 Hz", "25 Hz")
    assert (
        "the board allows at most 50 mA"
        in run("stim", "plan", "check", write(high), "--board", "virtual").stdout
    )
    assert "there is no board 'moon'; it can be" in refused(
        "stim", "plan", "show", write(high), "--board", "moon"
    )


def test_show_draws_it_for_people(run, home: Path):
    shown = run("stim", "plan", "show", write(CARRIER), "--board", "virtual").stdout
    for said in (
        "Bursts of 20 pulses at 5 kHz (4 ms), 50 Hz, up to 40 mA",
        "┌────────┐",
        "4 ms on, 16 ms off",
        "duty            2 × 100 µs × 20 pulses × 50 bursts/s = 0.2",
        "Do you have a pacemaker",
        "at most 1 mA/cm²",
        "none yet",
        "not a medical device",
    ):
        assert said in shown


def test_answers_are_asked_for_and_kept(run, refused, home: Path):
    path = write(CARRIER)
    assert "kept in plan.toml" in run("stim", "plan", "answer", path, answer=ALL_NO).stdout
    assert 'implant = "no"' in Path(path).read_text(encoding="utf-8")
    assert "do not use stimulation" in refused(
        "stim", "plan", "answer", path, answer="y\n" + ALL_NO.removesuffix("n\n")
    )
    assert "do not use stimulation" in run("stim", "plan", "check", path).stdout
    assert "are not answered" in refused("stim", "plan", "answer", path, answer="n\n")


def test_a_plan_is_given_and_recorded(run_json, run, knee: str, sessions: Path):
    result = run("stim", "run", knee, "sim:", "--minutes", "0.4", "--level", "5 mA", "--json")
    assert result.exit_code == 0, result.stderr
    told = lines(result.stdout)
    done = told[-1]
    assert done["ended"] == "the session's time is over"
    assert 23 < done["given_s"] < 26
    states = [line["state"] for line in told[:-1]]
    assert states.index("armed") < states.index("running") < states.index("ramping down")
    assert max(line["current_ma"] for line in told[:-1]) == 5
    with Session.open(Path(done["path"])) as session:
        session.verify()
        header = session.header.stimulation
        notes = [event.text for event in session.events() if event.kind == "stimulation"]
        assert session.ended == "completed"
        assert max(timed.state.level_ua for timed in session.stimulation()) == 5_000
    assert header["plan"]["plan"]["member"] == "anna"
    assert header["arithmetic"][0]["working"] == "15 mA × 100 µs"
    assert {one["answer"] for one in header["questions"]} == {"no"}
    assert "begins, for anna" in notes[0]
    assert "answers" not in Path(knee).read_text(encoding="utf-8").split("[dose]")[1]


def test_words_are_for_people(run, knee: str):
    result = run("stim", "run", knee, "sim:", "--minutes", "0.1")
    assert "hold the device's button" in result.stderr
    assert "Stimulation ended: the session's time is over." in result.stderr
    assert "sessions are left" in result.stdout


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (('name = "', 'nam = "'), (), "plan.name is missing"),
        (('device = "', 'device = "0'), (), "take the plan's own device"),
        (('device = "', 'therapist = "'), (), "names no device; this one's serial number is"),
        (('current = "15 mA"', 'current = "900 mA"'), (), "is refused"),
        (("", ""), ("--level", "20 mA"), "above the plan's current, 15 mA"),
    ],
)
def test_what_must_not_be_given_is_refused_in_one_sentence(
    refused, knee: str, change: tuple[str, str], arguments: tuple[str, ...], said: str
):
    path = Path(knee)
    path.write_text(path.read_text(encoding="utf-8").replace(*change, 1), encoding="utf-8")
    assert said in refused("stim", "run", knee, "sim:", *arguments)


@pytest.mark.parametrize("arguments", [("--minutes", "nan"), ("--minutes", "0"), ("--level", "5")])
def test_nonsense_is_a_usage_error(refused, knee: str, arguments: tuple[str, ...]):
    assert refused("stim", "run", knee, "sim:", *arguments, code=2)


def test_a_plan_precedes_the_exercise(run_json, knee: str, tmp_path: Path):
    text = Path(knee).read_text(encoding="utf-8").replace("1 min", "10 s")
    Path(knee).write_text(text, encoding="utf-8")
    result = run_json(
        "record", "sim:?repetitions=2&range-deg=60", "--stim", knee, "--out", str(tmp_path / "out")
    )
    assert result["repetitions"] == 2
    with Session.open(Path(result["path"])) as session:
        last_s = max(timed.time_s for timed in session.stimulation() if timed.state.level_ua)
        assert last_s < session.samples().host_time_s[0]
        assert session.header.stimulation["programme"].startswith("Even pulses")


def test_the_device_s_log_is_read_and_exported(run, run_json, refused, home: Path):
    shown = run("stim", "log", "sim:", "--out", "log.csv").stdout
    assert "start number 1" in shown
    assert "the chain holds" in shown
    assert (
        Path("log.csv").read_text(encoding="utf-8").splitlines()[0].startswith("sequence,boot,uptime_ms,kind")
    )
    assert run_json("stim", "log", "sim:")["entries"][0]["kind"] == "boot"
    assert "exists already" in refused("stim", "log", "sim:", "--out", "log.csv")


def test_a_device_of_nobody_needs_no_release(run_json, home: Path):
    assert run_json("stim", "release", "sim:")["was_bound"] is False


class Terminal:
    """`kinetens stim run` on a terminal of its own, at the wall clock's pace."""

    def __init__(self, plan: str, device: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from kinetens.cli import main; main()"),
                *("stim", "run", plan, f"sim:{device}?real-time"),
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "100", "LINES": "40"},
        )
        os.close(slave)
        self.shown = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._overdue = threading.Timer(LONG_S, self.process.kill)
        self._overdue.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            if not data:
                return
            self.shown += data.decode(errors="replace")

    def wait_for(self, text: str) -> None:
        while text not in self.shown and self.process.poll() is None:
            time.sleep(0.05)
        assert text in self.shown, self.shown[-2000:]

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> int:
        code = self.process.wait()
        self._overdue.cancel()
        self._reader.join()
        os.close(self._master)
        return code


@pytest.fixture
def device(run_json) -> str:
    """The virtual device's name; asked for by name it is connected to sooner."""
    return run_json("scan", "sim:", "--seconds", "1")[0]["name"]


@pytest.mark.parametrize("key", [" ", "\x1b[B"])
def test_a_key_stops_at_once(knee: str, device: str, sessions: Path, key: str):
    terminal = Terminal(knee, device)
    terminal.wait_for("running")
    terminal.press("+")
    terminal.wait_for("going to 2.5")
    terminal.press(key)
    assert terminal.end() == 0
    assert "STOP: press SPACE or ENTER" in terminal.shown
    assert "Stimulation ended: stopped by the member at the keyboard." in terminal.shown
    (path,) = sessions.glob("*.kinetens")
    with Session.open(path) as session:
        assert session.stimulation()[-1].state.level_ua == 0
        assert session.ended == "completed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_end_of_the_program_ends_the_output(
    knee: str, device: str, sessions: Path, number: signal.Signals
):
    terminal = Terminal(knee, device)
    terminal.wait_for("running")
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    (path,) = sessions.glob("*.kinetens")
    with Session.open(path) as session:
        assert session.stimulation()[-1].state.level_ua == 0
        assert session.ended == "completed"
