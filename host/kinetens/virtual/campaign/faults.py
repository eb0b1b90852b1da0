"""What can go wrong: each fault with its name, the hazard that it tests, and what it does to a scene."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from errno import ENOSPC

from kinetens.virtual.campaign.host import Greed
from kinetens.virtual.campaign.movement import FALL_S, Stretch, plain_exercise
from kinetens.virtual.campaign.scene import Scene, Setting, Spent
from kinetens.virtual.campaign.story import Casting, Event
from kinetens.virtual.campaign.witness import Span, Tampering
from kinetens.virtual.device import HARD_RESET, POWER_ON, WATCHDOG_RESET
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.output_stage import OPEN, SHORT
from kinetens_protocol import limits, messages, uuids

_SENSOR_ADDRESS, _CONVERTER_ADDRESS = 0x6A, 0x60
_MANY_CALLS = 400
_FALL_CLEAR_S = 0.15
"""What shorter a fall is may be an arm that drops."""
_VIOLENCE_CLEAR_S = 0.06
_MOVEMENT_DOUBT_S = 0.05
"""What noise, and when the samples happen to be taken, can make of a movement that is just long enough."""
_TICKS = 1 << 30
_SILENT_S = 3.0
RARE = 0.15
"""Weight of what is followed by half an hour's rest: after it a story shows little more."""


def _nothing(_scene: Scene, _event: Event) -> None:
    """What the setting says is all."""


def _as_usual(_setting: Setting, _event: Event, _seconds: float) -> None:
    """Nothing about the start is special."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table.

    inject: does it to a scene when its time has come. prepare: changes the setting before the start.
    """

    name: str
    hazard: str
    what: str
    inject: Callable[[Scene, Event], None] = _nothing
    prepare: Callable[[Setting, Event, float], None] = _as_usual
    lasts_s: tuple[float, float] = (0.0, 0.0)
    at_start: bool = False
    weight: float = 1.0

    @property
    def casting(self) -> Casting:
        return Casting(self.name, self.lasts_s, self.at_start, self.weight)


# The host and its radio


def _host_killed(scene: Scene, event: Event) -> None:
    killed = scene.host
    killed.kill()

    def begin_anew() -> None:
        if scene.host is killed:
            scene.host = scene.start_host(scene.press)

    scene.later(event.lasts_s, begin_anew)


def _link_cut(scene: Scene, event: Event) -> None:
    computer = scene.host.computer
    if computer is not None and scene.device.running:
        scene.world.radio.cut(scene.device.peripheral.controller, computer.controller)


def _notifications_lost(scene: Scene, event: Event) -> None:
    radio = scene.world.radio
    usual = radio.conditions
    radio.conditions = replace(usual, loss=event.random().choice((0.1, 0.4, 1.0)))

    def better() -> None:
        radio.conditions = replace(radio.conditions, loss=0.0)

    scene.later(event.lasts_s, better)


def _second_host(scene: Scene, event: Event) -> None:
    stranger = scene.start_host(None)
    if event.random().random() < 0.5:
        scene.host.close_link()
    scene.later(event.lasts_s, stranger.kill)


def _greedy(scene: Scene, event: Event) -> None:
    host = scene.host
    host.greed = event.random().choice(list(Greed))
    if host.greed is Greed.TOO_STRONG:
        host.stop()  # a programme is given before a start

    def modest() -> None:
        host.greed = None

    scene.later(event.lasts_s, modest)


# The man on the radio


def _for_a_time(scene: Scene, lasts_s: float, tampering: Tampering) -> None:
    """Tamper with all writes for a while, at least with one."""
    queue = scene.witness.tampering
    until_s = scene.world.now_s() + lasts_s

    def again(value: bytes) -> Sequence[tuple[float, bytes]]:
        if scene.world.now_s() < until_s:
            queue.appendleft(again)
        return tampering(value)

    queue.append(again)


def _damaged(scene: Scene, event: Event) -> None:
    rng = event.random()
    kind = rng.choice(("value", "counter", "anywhere", "cut off", "longer"))
    flip = rng.randrange(1, 256)

    def damage(value: bytes) -> Sequence[tuple[float, bytes]]:
        header = messages.HEADER_BYTES
        if kind == "cut off":
            return ((0.0, value[: rng.randrange(len(value) + 1)]),)
        if kind == "longer":
            return ((0.0, value + rng.randbytes(rng.randrange(1, 20))),)
        place = {"value": header + 4, "counter": header}.get(kind, rng.randrange(len(value)))
        changed = bytearray(value)
        if place < len(changed):
            changed[place] ^= flip
        return ((0.0, bytes(changed)),)

    _for_a_time(scene, event.lasts_s, damage)


def _lost(scene: Scene, event: Event) -> None:
    _for_a_time(scene, event.lasts_s, lambda _value: ())


def _repeated(scene: Scene, event: Event) -> None:
    rng = event.random()
    _for_a_time(scene, event.lasts_s, lambda value: ((0.0, value), (rng.uniform(0.001, 0.5), value)))


def _reordered(scene: Scene, event: Event) -> None:
    rng = event.random()
    _for_a_time(scene, event.lasts_s, lambda value: ((rng.uniform(0.01, 1.5), value),))


def _replayed(scene: Scene, event: Event) -> None:
    """The host is jammed, and what it said is said again with new identifiers, to keep the output on."""
    rng = event.random()
    until_s = scene.world.now_s() + event.lasts_s
    scene.host.freeze(event.lasts_s)

    def replay(identifier: int) -> None:
        if scene.world.now_s() >= until_s or not scene.device.running:
            return
        if scene.witness.overheard:
            recent = list(scene.witness.overheard)[-8:]
            for value in (rng.choice(recent), rng.choice(list(scene.witness.overheard))):
                changed = value[:2] + (0x8000 | identifier & 0x7FFF).to_bytes(2, "little") + value[4:]
                scene.device.peripheral.inject(uuids.STIMULATION, changed)
                identifier += 1
        scene.later(0.15, lambda: replay(identifier))

    replay(rng.randrange(0x7FFF))


# The device


def _stalled(scene: Scene, event: Event) -> None:
    def spring() -> None:
        start_s = scene.device.firmware_s
        scene.facts.stalls.append(Span(start_s, start_s + event.lasts_s))
        scene.device.stall(event.lasts_s)

    scene.device.trap(event.random().randrange(1, _MANY_CALLS), spring)


def _reset(scene: Scene, event: Event) -> None:
    rng = event.random()
    calls, cause = rng.randrange(1, _MANY_CALLS), rng.choice((HARD_RESET, WATCHDOG_RESET, POWER_ON))
    scene.device.trap(calls, lambda: scene.device.reset(cause))


def _cut_at_write(scene: Scene, event: Event) -> None:
    scene.device.trap(
        event.random().randrange(1, 10), lambda: scene.device.reset(POWER_ON), operations=(wire.FLASH,)
    )


def _flash_fails(scene: Scene, event: Event) -> None:
    device = scene.device
    device.flash_errno = ENOSPC

    def works_again() -> None:
        device.flash_errno = 0

    scene.later(event.lasts_s, works_again)


def _silent(address: int, condition: str) -> Callable[[Scene, Event], None]:
    def inject(scene: Scene, event: Event) -> None:
        dead = scene.device.hardware.dead_addresses
        scene.for_a_while(condition, event.lasts_s, lambda: dead.add(address), lambda: dead.discard(address))

    return inject


def _transfers_fail(scene: Scene, event: Event) -> None:
    scene.device.hardware.sensor.fail_next_transfers = event.random().randrange(1, 4)


def _frozen(scene: Scene, event: Event) -> None:
    sensor = scene.device.hardware.sensor

    def freeze(on: bool) -> None:
        sensor.frozen_data = on

    scene.for_a_while("motion frozen", event.lasts_s, lambda: freeze(True), lambda: freeze(False))


def _charger(scene: Scene, event: Event) -> None:
    battery = scene.device.hardware.battery

    def plug(on: bool) -> None:
        battery.charging = on

    scene.for_a_while("charger", event.lasts_s, lambda: plug(True), lambda: plug(False))


def _sags(scene: Scene, event: Event) -> None:
    battery = scene.device.hardware.battery
    usual = battery.level

    def sag(level: float) -> None:
        battery.level = level

    scene.for_a_while("battery low", event.lasts_s, lambda: sag(0.1), lambda: sag(usual))


def _hot(scene: Scene, event: Event) -> None:
    sensor = scene.device.hardware.sensor
    usual = sensor.config

    def heat(degc: float) -> None:
        sensor.config = replace(usual, temperature_degc=degc)

    scene.for_a_while("too hot", event.lasts_s, lambda: heat(78.0), lambda: heat(usual.temperature_degc))


# Pads and member


def _pads(kind: str) -> Callable[[Scene, Event], None]:
    def inject(scene: Scene, event: Event) -> None:
        skin = scene.setting.skin
        scene.attach({"open": OPEN, "short": SHORT, "half": skin.half_a_pad()}[kind])
        scene.later(event.lasts_s, lambda: scene.attach(skin))

    return inject


def _pressed(scene: Scene, event: Event) -> None:
    scene.press(event.lasts_s, 0.0)


# What holds from the start


def _wraps(setting: Setting, event: Event, seconds: float) -> None:
    """Microseconds wrap at 2**30, comparisons at 2**29, milliseconds at 2**30 and 2**29."""
    ticks = event.random().choice((_TICKS, _TICKS // 2, _TICKS * 1000, _TICKS * 1000, _TICKS * 500))
    setting.ticks_start_us = ticks - round(_wrap_s(event, seconds) * 1e6)


def _wrap_s(event: Event, seconds: float) -> float:
    rng = event.random()
    rng.random()
    return rng.uniform(15.0, max(16.0, seconds - 15.0))


def _silent_while_it_wraps(scene: Scene, event: Event) -> None:
    """A wrap matters most when somebody is waited for."""
    wrap_s = _wrap_s(event, scene.story.seconds)
    scene.later(wrap_s - 0.4, lambda: scene.host.freeze(_SILENT_S))


def _other_table(setting: Setting, event: Event, seconds: float) -> None:
    setting.board = {limits.PEAK_CURRENT: 20_000}
    setting.nobody_may = True


def _no_answers(setting: Setting, event: Event, seconds: float) -> None:
    setting.plan = setting.plan.model_copy(update={"answers_ok": False})
    setting.nobody_may = True


def _other_device(setting: Setting, event: Event, seconds: float) -> None:
    setting.serial = "00000000cafe"
    setting.nobody_may = True


def _short(setting: Setting, event: Event, seconds: float) -> None:
    setting.plan = setting.plan.model_copy(update={"minutes": round(event.random().uniform(0.3, 0.8), 2)})


def _other_member(setting: Setting, event: Event, seconds: float) -> None:
    setting.owner = "another member"
    setting.nobody_may = True


def _spent(setting: Setting, event: Event, seconds: float) -> None:
    """Earlier sessions: so many, so long or so recent that the day has nothing left, or just something."""
    rng = event.random()
    setting.spent = rng.choice(
        (
            (Spent(600.0, 300.0),),
            (Spent(600.0, 7200.0), Spent(600.0, 4800.0), Spent(600.0, 2400.0)),
            (Spent(3600.0, 9000.0), Spent(3570.0, 3600.0)),
            (Spent(3600.0, 9000.0), Spent(3600.0, 3600.0)),
            (Spent(600.0, 1700.0),),
        )
    )


def _exercises(setting: Setting, event: Event, seconds: float) -> None:
    setting.exercises.append(Stretch(event.at_s, event.at_s + event.lasts_s))


def _exercise_seen(scene: Scene, event: Event) -> None:
    plain = plain_exercise(scene.motion, Stretch(event.at_s, event.at_s + event.lasts_s), _MOVEMENT_DOUBT_S)
    if plain:
        scene.witness.unfit("movement", plain.start_s - event.at_s, plain.end_s - plain.start_s)


def _fall_seen(scene: Scene, event: Event) -> None:
    scene.witness.unfit("fall", _FALL_CLEAR_S, FALL_S - _FALL_CLEAR_S)


def _violence_seen(scene: Scene, event: Event) -> None:
    scene.witness.unfit("violent motion", _VIOLENCE_CLEAR_S, event.lasts_s - _VIOLENCE_CLEAR_S)


def _falls(setting: Setting, event: Event, seconds: float) -> None:
    setting.falls.append(Stretch(event.at_s, event.at_s + FALL_S))


def _shakes(setting: Setting, event: Event, seconds: float) -> None:
    setting.violence.append(Stretch(event.at_s, event.at_s + event.lasts_s))


FAULTS = (
    Fault(
        "host-killed",
        "H04",
        "the host program is killed; a new one starts later",
        _host_killed,
        lasts_s=(1, 8),
    ),
    Fault(
        "host-stalled",
        "H04",
        "the host's event loop stands still",
        lambda s, e: s.host.freeze(e.lasts_s),
        lasts_s=(0.2, 6),
    ),
    Fault("host-greedy", "H01", "the host program asks for more than it may", _greedy, lasts_s=(3, 12)),
    Fault(
        "link-stalled",
        "H05",
        "the radio lets nothing through; it waits",
        lambda s, e: s.world.radio.stall(e.lasts_s),
        lasts_s=(0.2, 3.5),
    ),
    Fault("link-cut", "H05", "the connection breaks without a word", _link_cut),
    Fault("link-closed", "H05", "the host ends the connection properly", lambda s, e: s.host.close_link()),
    Fault(
        "notifications-lost",
        "H05",
        "whole notifications are lost in the host",
        _notifications_lost,
        lasts_s=(0.5, 10),
    ),
    Fault("host-stop", "H19", "the user ends the stimulation on the host", lambda s, e: s.host.stop()),
    Fault(
        "second-host",
        "H12",
        "another host wants control without the member's button",
        _second_host,
        lasts_s=(5, 15),
        weight=0.4,
    ),
    Fault(
        "command-damaged",
        "H13",
        "commands arrive with other bytes, cut off or too long",
        _damaged,
        lasts_s=(0, 4),
    ),
    Fault("command-lost", "H13", "commands never arrive though the host thinks so", _lost, lasts_s=(0, 2)),
    Fault("command-repeated", "H13", "commands arrive twice", _repeated, lasts_s=(0, 3)),
    Fault("command-reordered", "H13", "commands arrive late and out of order", _reordered, lasts_s=(0, 3)),
    Fault(
        "command-replayed",
        "H13",
        "old commands are replayed while the host is jammed",
        _replayed,
        lasts_s=(1.5, 5),
    ),
    Fault(
        "firmware-stalled",
        "H06",
        "the processor is kept from its program, from any driver call on",
        _stalled,
        lasts_s=(0.02, 3),
    ),
    Fault(
        "firmware-hung",
        "H06",
        "the processor is kept so long that the watchdog resets it",
        _stalled,
        lasts_s=(5.2, 7),
        weight=RARE,
    ),
    Fault("firmware-reset", "H07", "the chip resets at any driver call", _reset, weight=RARE),
    Fault(
        "flash-write-cut", "H20", "power fails in the midst of a write to flash", _cut_at_write, weight=RARE
    ),
    Fault("flash-fails", "H20", "the flash takes no writes", _flash_fails, lasts_s=(1, 15)),
    Fault(
        "converter-silent",
        "H06",
        "the output's converter does not answer",
        _silent(_CONVERTER_ADDRESS, "converter silent"),
        lasts_s=(0.4, 3),
    ),
    Fault(
        "sensor-silent",
        "H15",
        "the motion sensor does not answer",
        _silent(_SENSOR_ADDRESS, "sensor silent"),
        lasts_s=(0.4, 3),
    ),
    Fault("sensor-errors", "H15", "single transfers of the motion sensor fail", _transfers_fail),
    Fault("motion-frozen", "H15", "the motion sensor repeats its last sample", _frozen, lasts_s=(2, 6)),
    Fault("fall", "H14", "the member falls", _fall_seen, _falls),
    Fault("violent-motion", "H14", "the device is shaken violently", _violence_seen, _shakes, lasts_s=(1, 3)),
    Fault(
        "exercise",
        "H14",
        "the member exercises during stimulation",
        _exercise_seen,
        _exercises,
        lasts_s=(8, 16),
        weight=0.5,
    ),
    Fault("pad-off", "H08", "a pad comes off", _pads("open"), lasts_s=(0.05, 3)),
    Fault("pad-half-off", "H08", "half of a pad lifts", _pads("half"), lasts_s=(0.1, 3)),
    Fault("pads-short", "H09", "the pads touch each other", _pads("short"), lasts_s=(0.1, 3)),
    Fault("charger", "H16", "the charger is plugged in", _charger, lasts_s=(1, 4)),
    Fault("battery-low", "H17", "the battery sags", _sags, lasts_s=(2, 5)),
    Fault("too-hot", "H17", "the device gets too hot", _hot, lasts_s=(3, 6), weight=0.5),
    Fault(
        "button",
        "H19",
        "the member presses the button, shortly or long",
        _pressed,
        lasts_s=(0.03, 1.0),
        weight=2,
    ),
    Fault(
        "clock-wraps",
        "H21",
        "the device's counters wrap, just as the host is silent",
        _silent_while_it_wraps,
        _wraps,
        at_start=True,
    ),
    Fault("other-table", "H18", "the host has another table of limits", prepare=_other_table, at_start=True),
    Fault(
        "no-answers",
        "H11",
        "the questions about contraindications are not answered",
        prepare=_no_answers,
        at_start=True,
    ),
    Fault(
        "other-device", "H22", "the host's plan is for another device", prepare=_other_device, at_start=True
    ),
    Fault(
        "other-member", "H22", "the device belongs to another member", prepare=_other_member, at_start=True
    ),
    Fault(
        "session-over",
        "H10",
        "the session's time is over within the story; the host wants another",
        prepare=_short,
        at_start=True,
    ),
    Fault("dose-spent", "H10", "sessions earlier that day", prepare=_spent, at_start=True),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
