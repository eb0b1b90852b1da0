"""Each control switched off, one at a time: a control whose loss nobody notices is not proved.

A mutation replaces exact text in the deployed copy of the firmware, or in a module of the host for as long as it lasts.
Text that is not there exactly once is an error: then the control has moved, and its mutation must follow.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from kinetens.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Change:
    """In `file` (path on the device, or a module of the host) `old` becomes `new`."""

    file: str
    old: str
    new: str

    def applied_to(self, text: str) -> str:
        """Raises InvalidInput when the text has moved."""
        if text.count(self.old) != 1:
            raise InvalidInput(
                f"a mutation of {self.file} does not fit: {text.count(self.old)} times '{self.old}'"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutation:
    """The controls of a hazard that stand for each other, taken away together.

    faults: those that must find the breach.
    """

    name: str
    hazard: str
    faults: tuple[str, ...]
    device: tuple[Change, ...] = ()
    host: tuple[Change, ...] = ()

    def alter(self, flash: Path) -> None:
        """Apply it to a flash folder. Raises InvalidInput when it does not fit."""
        for change in self.device:
            path = flash / change.file
            path.write_text(change.applied_to(path.read_text()))

    @contextmanager
    def on_host(self) -> Generator[None]:
        """Apply it to this program while the block runs. Raises InvalidInput when it does not fit."""
        for change in self.host:
            _execute(change.file, change.applied_to(_source(change.file)))
        try:
            yield
        finally:
            for change in self.host:
                _execute(change.file, _source(change.file))


def _source(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def _execute(module: str, source: str) -> None:
    exec(compile(source, module, "exec"), import_module(module).__dict__)


_SUPERVISOR = "stim/supervisor.py"
_CONTACT = "stim/contact.py"
_COMMANDS = "stim/commands.py"
_WATCH = "stim/motion_watch.py"
_LOG = "stim/log.py"

MUTATIONS = (
    Mutation(
        "envelope-unchecked",
        "H01",
        ("host-greedy",),
        device=(
            Change(
                "stim/plan.py",
                "refusal = limits.check(program, bounds) or limits.passes(bounds[limits.LEASE], configure.lease_ms)",
                "refusal = None",
            ),
        ),
    ),
    Mutation(
        "level-unchecked",
        "H01",
        ("host-greedy",),
        device=(Change(_COMMANDS, "if level_ua > plan.current_ua:", "if False:"),),
    ),
    Mutation(
        "phases-unequal",
        "H02",
        ("button",),
        device=(
            Change(
                "stim/waveform.py",
                "pulse = [high_us, program.gap_us + taken_us, high_us, after_us + taken_us]",
                "pulse = [high_us, program.gap_us + taken_us, high_us - 8, after_us + taken_us + 8]",
            ),
        ),
    ),
    Mutation(
        "slew-unlimited",
        "H03",
        ("host-greedy",),
        device=(
            Change(
                _SUPERVISOR,
                "rise_ua = self.plan.limits[limits.SLEW].value * elapsed_ms // 1000",
                "rise_ua = 60_000",
            ),
        ),
    ),
    Mutation(
        "level-kept-after-a-stop",
        "H03",
        ("button", "link-closed"),
        device=(
            Change(
                _SUPERVISOR,
                "self.level_ua = self.target_ua = self._given_ua = self._fed_ua = 0\n        self.cut",
                "self._fed_ua = 0\n        self.cut",
            ),
        ),
    ),
    Mutation(
        "lease-endless",
        "H04",
        ("host-killed", "host-stalled"),
        device=(Change(_SUPERVISOR, "if not self.lease_left_ms:", "if False:"),),
    ),
    Mutation(
        "lost-link-unnoticed",
        "H05",
        ("link-cut",),
        device=(Change("app.py", "self.stimulation.supervisor.link_lost()", "pass"),),
    ),
    Mutation(
        "stall-unnoticed",
        "H06",
        ("firmware-stalled",),
        device=(
            Change(_SUPERVISOR, "elif elapsed_ms > STALL_MS and", "elif False and"),
            Change(_SUPERVISOR, "return held_up_ms > STALL_MS", "return False"),
            Change(_SUPERVISOR, "if held_up_ms > STALL_MS:", "if False:"),
        ),
    ),
    Mutation(
        "trains-long-and-supply-untoggled",
        "H06",
        ("firmware-stalled",),
        device=(
            Change("stim/output.py", "HORIZON_US = LOOK_AHEAD_MS * 1000", "HORIZON_US = 600_000"),
            Change("board.json", '"high_voltage_hold_ms": 150', '"high_voltage_hold_ms": 1000'),
        ),
    ),
    Mutation(
        "pad-off-unnoticed",
        "H08",
        ("pad-off",),
        device=(Change(_CONTACT, "return stimulation.LEAD_OFF", "return stimulation.NO_FAULT"),),
    ),
    Mutation(
        "half-a-pad-unnoticed",
        "H08",
        ("pad-half-off",),
        device=(Change(_CONTACT, "return stimulation.PAD_PARTLY_OFF", "return stimulation.NO_FAULT"),),
    ),
    Mutation(
        "short-unnoticed",
        "H09",
        ("pads-short",),
        device=(Change(_CONTACT, "return stimulation.SHORT", "return stimulation.NO_FAULT"),),
    ),
    Mutation(
        "session-endless",
        "H10",
        ("session-over",),
        device=(Change(_SUPERVISOR, "elif self.dose.session_ms() >= self._allowed_ms:", "elif False:"),),
    ),
    Mutation(
        "rest-unneeded",
        "H10",
        ("session-over", "dose-spent"),
        device=(Change("stim/dose.py", "(messages.REST_NEEDED, limits.REST, self._rested_ms()),", ""),),
    ),
    Mutation(
        "day-unlimited",
        "H10",
        ("dose-spent",),
        device=(
            Change("stim/dose.py", "(messages.DOSE_SPENT, limits.DAY_SESSIONS, self.sessions() + 1),", ""),
            Change(
                "stim/dose.py", "min(session_ms, self.session_ms() + self.day_left_ms(bounds))", "session_ms"
            ),
        ),
    ),
    Mutation(
        "answers-unneeded",
        "H11",
        ("no-answers",),
        device=(Change(_COMMANDS, "if not plan.answers_ok:", "if False:"),),
    ),
    Mutation(
        "button-unneeded",
        "H12",
        ("second-host",),
        device=(
            Change(
                _COMMANDS,
                "if self._supervisor.cut or not self._supervisor.button_state.ready:",
                "if self._supervisor.cut:",
            ),
        ),
    ),
    Mutation(
        "counter-ignored",
        "H13",
        ("command-replayed",),
        device=(Change(_COMMANDS, "if command.counter <= supervisor.counter:", "if False:"),),
    ),
    Mutation(
        "check-value-ignored",
        "H13",
        ("command-damaged",),
        device=(
            Change(
                "kinetens_protocol/stimulation.py",
                """if len(payload) < 4 or unpack_from(_CHECK, payload, len(payload) - 4)[0] != crc32(
        bytes([operation]) + body
    ):""",
                "if len(payload) < 4:",
            ),
        ),
    ),
    Mutation(
        "fall-unnoticed",
        "H14",
        ("fall",),
        device=(
            Change(
                _WATCH,
                "(_FELL, stimulation.FREE_FALL), (_VIOLENT, stimulation.VIOLENT_MOTION)",
                "(_VIOLENT, stimulation.VIOLENT_MOTION),",
            ),
        ),
    ),
    Mutation(
        "violence-unnoticed",
        "H14",
        ("violent-motion",),
        device=(
            Change(
                _WATCH,
                "(_FELL, stimulation.FREE_FALL), (_VIOLENT, stimulation.VIOLENT_MOTION)",
                "(_FELL, stimulation.FREE_FALL),",
            ),
            Change(_WATCH, "return stimulation.MOVEMENT if state[_MOVES] else", "return"),
        ),
    ),
    Mutation(
        "movement-unnoticed",
        "H14",
        ("exercise",),
        device=(
            Change(
                _WATCH,
                "return stimulation.MOVEMENT if state[_MOVES] else stimulation.NOT_STOPPED",
                "return stimulation.NOT_STOPPED",
            ),
        ),
    ),
    Mutation(
        "frozen-data-believed",
        "H15",
        ("motion-frozen",),
        device=(  # two look for it: who watches for stimulation, and who restarts the sensor
            Change(_WATCH, "if not self._fresh or state[_FLAT]:", "if not self._fresh:"),
            Change("motion/sensing.py", "if seen & FROZEN:", "if False:"),
        ),
    ),
    Mutation(
        "missing-data-ignored",
        "H15",
        ("sensor-silent",),
        device=(
            Change(
                "app.py",
                "            return stimulation.MOTION\n",
                "            return stimulation.NOT_STOPPED\n",
            ),
        ),
    ),
    Mutation(
        "charger-unnoticed",
        "H16",
        ("charger",),
        device=(Change(_SUPERVISOR, "(charging, stimulation.CHARGER", "(False, stimulation.CHARGER"),),
    ),
    Mutation(
        "battery-unwatched",
        "H17",
        ("battery-low",),
        device=(
            Change(_SUPERVISOR, "(battery_low, stimulation.BATTERY_LOW", "(False, stimulation.BATTERY_LOW"),
        ),
    ),
    Mutation(
        "heat-unwatched",
        "H17",
        ("too-hot",),
        device=(Change(_SUPERVISOR, "(too_hot, stimulation.TOO_HOT", "(False, stimulation.TOO_HOT"),),
    ),
    Mutation(
        "limits-uncompared",
        "H18",
        ("other-table",),
        host=(
            Change("kinetens.stim.controller", "if other.value != bound.value and not", "if False and not"),
        ),
    ),
    Mutation(
        "button-ignored",
        "H19",
        ("button",),
        device=(
            Change(
                _SUPERVISOR,
                "            self.cut = True\n            self.output.stop_now()",
                "            pass",
            ),
            Change(_SUPERVISOR, "elif self.button_state.pressed or self.cut:", "elif False:"),
        ),
    ),
    Mutation(
        "stop-ignored",
        "H19",
        ("host-stop",),
        device=(Change(_COMMANDS, "            supervisor.end(stimulation.BY_HOST)\n", ""),),
    ),
    Mutation(
        "commands-unlogged",
        "H20",
        ("button",),
        device=(
            Change(
                _COMMANDS,
                "            self._entries.append(stimulation_log.COMMAND, operation, value, command.counter)",
                "            pass",
            ),
        ),
    ),
    Mutation(
        "torn-writes-unnoticed",
        "H20",
        ("flash-write-cut", "button"),
        device=(Change(_LOG, "self._appendable = not lost", "self._appendable = True"),),
    ),
    Mutation(
        "wraps-unminded",
        "H21",
        ("clock-wraps",),
        device=(
            Change(
                "system/clock.py",
                "return time.ticks_diff(time.ticks_ms(), since_ms)",
                "return time.ticks_ms() - since_ms",
            ),
        ),
    ),
    Mutation(
        "any-member",
        "H22",
        ("other-member",),
        device=(Change(_COMMANDS, "if not self._member.admits(configure.member_tag):", "if False:"),),
    ),
    Mutation(
        "any-device",
        "H22",
        ("other-device",),
        device=(Change(_COMMANDS, "if configure.device_tag != self._device_tag:", "if False:"),),
    ),
)


def by_name(name: str) -> Mutation:
    """Raises InvalidInput when there is no such mutation."""
    for mutation in MUTATIONS:
        if mutation.name == name:
            return mutation
    raise InvalidInput(f"there is no mutation '{name}'; it can be {', '.join(m.name for m in MUTATIONS)}")
