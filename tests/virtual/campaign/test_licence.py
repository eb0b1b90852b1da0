"""Where pulses may be, from what the world saw: the judge's own rules, on facts made by hand."""

from dataclasses import replace

import pytest

from kinetens.stim.plan import default_plan
from kinetens.virtual.campaign.invariants import judge_record
from kinetens.virtual.campaign.licence import Licence, licence
from kinetens.virtual.campaign.scene import Setting, Spent
from kinetens.virtual.campaign.witness import Facts, Span
from kinetens.virtual.output_stage import OPEN, SHORT, SKIN, PulseRecord
from kinetens_protocol import limits, messages, stimulation

SETTING = Setting(default_plan(30.0, answers_ok=True), SKIN)
BOARD = limits.board_limits(50, 60)


class Hand:
    """Writes facts and pulses down in order of time."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.record = PulseRecord()
        self.counter = 100

    def say(self, time_s: float, operation: int, value: int = 0, counter: int | None = None) -> None:
        self.counter += 1
        command = stimulation.Command(self.counter if counter is None else counter, value)
        self.write(time_s, operation, stimulation.pack_command(operation, command))

    def write(self, time_s: float, operation: int, payload: bytes) -> None:
        self.facts.delivered.append((time_s, messages.pack_request(operation, 1, payload)))

    def configure(self, time_s: float) -> None:
        self.counter += 1
        plan = SETTING.plan
        configure = stimulation.Configure(
            self.counter, plan.flags, 1000, 1, 2, plan.program, tuple(plan.limits.items())
        )
        self.write(time_s, stimulation.CONFIGURE, stimulation.pack_configure(configure))

    def hold(self, time_s: float, held_s: float = 0.7) -> None:
        self.facts.presses.append(Span(time_s, time_s + held_s))

    def arm(self, held_s: float = 0.7) -> None:
        """Plan at 1 s, button at 1.5 s, armed at 3 s."""
        self.configure(1.0)
        self.hold(1.5, held_s)
        self.say(3.0, stimulation.ARM)

    def start(self) -> None:
        """Started at 4 s, renewed until 9 s."""
        self.arm()
        self.say(4.0, stimulation.START)
        for tenth in range(43, 91, 3):
            self.say(tenth / 10, stimulation.RENEW)

    def pulses(self, from_s: float, to_s: float, current_ma: float = 0.2) -> None:
        """80 balanced pulses a second."""
        for number in range(round((to_s - from_s) * 80)):
            time_s = from_s + number / 80
            for polarity, at_s in ((1, time_s), (-1, time_s + 150e-6)):
                current_a = current_ma / 1e3
                self.record.append(at_s, polarity, 100e-6, current_a, current_a * 100e-6, True, False)

    def licence(self, setting: Setting = SETTING) -> Licence:
        return licence(self.facts, setting, BOARD, self.record)

    def broken(self, setting: Setting = SETTING) -> set[int]:
        """The invariants that are broken."""
        return {violation.invariant for violation in judge_record(self.record, self.licence(setting))}


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_proper_start_gives_a_licence_until_the_lease_lapses(hand: Hand):
    hand.start()
    hand.pulses(4.1, 9.9)
    assert hand.broken() == set()


def test_no_pulse_without_a_button_held_long_enough(hand: Hand):
    hand.arm(held_s=0.4)
    hand.say(4.0, stimulation.START)
    hand.pulses(4.1, 4.5)
    assert 1 in hand.broken()


def test_a_hold_serves_one_start(hand: Hand):
    hand.start()
    hand.pulses(4.1, 9.9)
    hand.say(12.0, stimulation.ARM)
    hand.say(13.0, stimulation.START)
    hand.pulses(13.1, 13.5)
    assert 1 in hand.broken()


def test_no_pulse_after_the_lease(hand: Hand):
    hand.start()
    hand.pulses(4.1, 10.6)
    assert hand.broken() >= {1, 3}


@pytest.mark.parametrize("counter", [101, 110])
def test_a_counter_that_does_not_rise_renews_nothing(hand: Hand, counter: int):
    hand.start()
    hand.say(9.5, stimulation.RENEW, counter=counter)
    hand.pulses(4.1, 10.7)
    assert 1 in hand.broken()


def test_a_damaged_renewal_renews_nothing(hand: Hand):
    hand.start()
    good = stimulation.pack_command(stimulation.RENEW, stimulation.Command(500, 0))
    hand.write(9.5, stimulation.RENEW, good[:-1] + bytes([good[-1] ^ 1]))
    hand.pulses(4.1, 10.7)
    assert 1 in hand.broken()


@pytest.mark.parametrize("cause", ["charger", "fall", "too hot"])
def test_a_condition_ends_the_licence_in_time(hand: Hand, cause: str):
    hand.start()
    hand.facts.unfit[cause] = [Span(6.0, 7.0)]
    hand.pulses(4.1, 6.25)
    assert hand.broken() == set()
    hand.pulses(6.25, 6.5)
    assert hand.broken() >= {1, 3}


def test_the_button_ends_it_within_50_ms(hand: Hand):
    hand.start()
    hand.hold(6.0, 0.05)
    hand.pulses(4.1, 6.04)
    assert hand.broken() == set()
    hand.pulses(6.04, 6.1)
    assert hand.broken() >= {1, 3}


def test_a_reset_ends_it_at_once(hand: Hand):
    hand.start()
    hand.facts.resets.append(6.0)
    hand.pulses(4.1, 6.05)
    assert hand.broken() >= {1, 3}


def test_a_host_s_stop_and_a_lost_link_end_it(hand: Hand):
    hand.start()
    hand.facts.links_lost.append(6.0)
    hand.pulses(4.1, 6.4)
    assert hand.broken() >= {1, 3}


def test_pulses_that_a_lifted_pad_does_not_take_count_as_given(hand: Hand):
    hand.start()
    hand.pulses(4.1, 5.5, 1.2)
    hand.facts.loads += [(5.5, OPEN), (7.0, SKIN)]
    hand.pulses(5.5, 6.2, 0.0)
    assert 3 in hand.broken()


def test_a_short_must_end_it_once_it_can_be_measured(hand: Hand):
    hand.start()
    hand.facts.loads += [(5.5, SHORT), (7.0, SKIN)]
    hand.pulses(4.1, 4.9)
    hand.pulses(4.9, 6.0, 0.8)
    assert hand.broken() == set()
    hand.pulses(6.0, 6.9, 1.3)
    assert 3 in hand.broken()


def test_each_start_is_from_zero(hand: Hand):
    hand.start()
    hand.pulses(4.1, 4.2, 0.9)
    assert 5 in hand.broken()


def test_a_host_with_another_table_may_start_nothing(hand: Hand):
    hand.facts.forbidden.append(Span(0.0))
    hand.start()
    hand.pulses(4.1, 9.0)
    assert 1 in hand.broken()


@pytest.mark.parametrize(
    "spent",
    [
        (Spent(600.0, 600.0),),
        (Spent(600.0, 7200.0), Spent(600.0, 4800.0), Spent(600.0, 2400.0)),
        (Spent(3600.0, 9000.0), Spent(3600.0, 3600.0)),
    ],
    ids=["no rest", "three sessions", "two hours"],
)
def test_the_day_s_dose_bounds_the_licence(hand: Hand, spent: tuple[Spent, ...]):
    hand.start()
    hand.pulses(4.1, 9.0)
    assert hand.broken() == set()
    assert 1 in hand.broken(replace(SETTING, spent=spent))


def test_the_session_s_time_ends_it(hand: Hand):
    hand.start()
    hand.pulses(4.1, 9.0)
    short = SETTING.plan.model_copy(update={"minutes": 0.05})
    configure = stimulation.Configure(
        101, short.flags, 1000, 1, 2, short.program, tuple(short.limits.items())
    )
    data = messages.pack_request(stimulation.CONFIGURE, 1, stimulation.pack_configure(configure))
    hand.facts.delivered[0] = (1.0, data)
    assert hand.broken() >= {1, 3}


def test_a_command_that_came_while_the_device_was_stalled_counts_from_when_it_goes_on(hand: Hand):
    hand.arm()
    hand.facts.stalls.append(Span(3.9, 6.0))
    hand.say(4.0, stimulation.START)
    hand.pulses(6.05, 7.2)
    assert hand.broken() == set()
