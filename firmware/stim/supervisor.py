"""The last to decide about stimulation: nothing reaches the electrodes that this file did not just allow.

    idle -> checking contact -> armed -> running -> ramping down -> idle    any fault -> fault, until cleared

- `tick` runs every 50 ms. It looks at every reason to stop, then moves the amplitude, then hands over one
  finite train and toggles the high voltage. Whatever raises in it ends the output. If it is not called,
  pulses and high voltage starve.
- What the host asks comes through commands.py, which refuses what may not be and writes the rest to the log first.
- `button` and `link_lost` come from interrupts. The button ends the output at once, before anything else is
  thought about.
- The amplitude is zero after every boot, arm, stop, fault and reconnect. It rises within the slew limit only,
  whatever makes it rise: a level asked for, or the way back of a modulation.
- What happened is written to the log after the output has ended or moved: stopping never waits for flash.
"""

from kinetens_protocol import limits, stimulation, stimulation_log
from stim.balance import Balance
from stim.button import Button
from stim.contact import Contact
from stim.waveform import compile_program

RAMP_DOWN_MS = 180
"""From the decision to zero; with a tick before and a train after it within the envelope's 300 ms."""
ARMED_MS = 30_000
HEALTH_MS = 3_000
STALL_MS = 150
"""A tick that comes later than this found the output starved: going on would be a sudden start."""
CHARGE_UP_TICKS = 2
"""The high voltage's rise before the contact pulses."""
TEST_HORIZON_US = 30_000

_TEST = limits.Program(limits.TEST_CURRENT_UA, 100, 50, 100_000, 0, 0, 0, 0, 0, 0, 0, 0)
_AT_ONCE = (stimulation.FREE_FALL, stimulation.VIOLENT_MOTION)
"""Causes that leave no time for a ramp."""


class Supervisor:
    """Owns state, plan, lease, ramp and fault of one channel; commands and telemetry read them here."""

    def __init__(self, output, dose, entries, clock, log, board_limits):
        self.board_limits = board_limits
        self.output = output
        self.dose = dose
        self.contact = Contact()
        self.balance = Balance()
        self.button_state = Button(clock)
        self.state = stimulation.IDLE
        self.cause = stimulation.NOT_STOPPED
        self.fault = stimulation.NO_FAULT
        self.fault_detail = 0
        self.plan = None
        self.counter = 0
        self.level_ua = 0
        self.target_ua = 0
        self.pulses = 0
        self.healthy_ms = 0
        self.state_due = False
        self.fault_due = False
        self.cut = False
        self._entries = entries
        self._clock = clock
        self._log = log
        self._given_ua = 0
        self._fed_ua = 0
        self._ramp_from_ua = 0
        self._charge_ticks = 0
        self._allowed_ms = 0
        self._tick_at = self._since = self._lease_at = clock.now_ms()
        self._unfit = stimulation.NOT_STOPPED
        self._link_dropped = False

    @property
    def active(self):
        """Whether the output is on or being made ready."""
        return self.state not in (stimulation.IDLE, stimulation.FAULT)

    @property
    def unfit(self):
        """What forbids the output now, as the cause of a stop, or NOT_STOPPED."""
        if self._unfit == stimulation.MOVEMENT and self.plan and self.plan.during_movement:
            return stimulation.NOT_STOPPED
        return self._unfit

    @property
    def lease_left_ms(self):
        if self.state != stimulation.RUNNING:
            return 0
        return max(0, self.plan.lease_ms - self._clock.elapsed_ms(self._lease_at))

    def limits(self):
        """The effective limits: of the plan, or of the board when there is none."""
        return self.plan.limits if self.plan else limits.effective(self.board_limits, {})

    # What the app calls

    def tick(self):
        """Decide about the next 50 ms. Never raises: what goes wrong latches a fault."""
        try:
            self._tick()
        except OSError as error:
            self.trip(stimulation.OUTPUT_BUS, 0, error)
        except Exception as error:
            self.trip(stimulation.INTERNAL, 0, error)

    def link_lost(self):
        """The connection ended. May be called from an interrupt; the next tick begins the ramp to zero."""
        self._link_dropped = True

    def button(self, pressed):
        """An edge of the device's button; may be called from an interrupt. A press while active ends the
        output at once. Only one while idle can allow a start: who presses in a fault wants it to end.
        """
        if not pressed:
            self.button_state.release()
            return
        if self.active:
            self.cut = True
            self.output.stop_now()
        self.button_state.press(self.state == stimulation.IDLE)

    def conditions(self, charging, battery_low, too_hot, motion):
        """What else forbids the output as of now. motion: the cause that the motion watch found, or NOT_STOPPED."""
        self._unfit = motion
        for wrong, cause in (
            (charging, stimulation.CHARGER),
            (battery_low, stimulation.BATTERY_LOW),
            (too_hot, stimulation.TOO_HOT),
        ):
            if wrong and motion not in _AT_ONCE:
                self._unfit = cause
                return

    def stop_now(self):
        """End the output at once, for an app that can no longer go on. Never raises."""
        self.output.stop_now()
        self.cut = True

    # What an accepted command does

    def use_plan(self, plan):
        self.plan = plan
        self._log("stimulation: plan of %d µA" % plan.current_ua)

    def check_contact(self):
        """Begin to arm."""
        self.contact.forget()
        self._charge_ticks = CHARGE_UP_TICKS
        self.pulses = 0
        self._tick_at = self._clock.now_ms()
        self.output.prepare(compile_program(_TEST))
        self._enter(stimulation.CHECKING_CONTACT)

    def run(self, allowed_ms):
        """Start at zero, for so long in all of this session. Raises OSError when the dose cannot be written."""
        self.dose.begin(allowed_ms - self.dose.session_ms())
        self._allowed_ms = allowed_ms
        self.button_state.forget_hold()
        self.balance.forget()
        self.pulses = 0
        self.output.prepare(self.plan.waveform_at(0))
        self._tick_at = self._lease_at = self._clock.now_ms()
        self._enter(stimulation.RUNNING)

    def move_to(self, level_ua):
        self.target_ua = level_ua
        self._log("stimulation: level %d µA" % level_ua)

    def renew_lease(self):
        self._lease_at = self._clock.now_ms()

    def clear_fault(self):
        self.fault = stimulation.NO_FAULT
        self._enter(stimulation.IDLE)

    def notice_lost_link(self):
        if self._link_dropped:
            self._link_dropped = False
            self.end(stimulation.LINK_LOST)
            self.plan = None

    def note(self, kind, code, value):
        """Write to the log what has already happened; a log that cannot be written stops for it."""
        try:
            self._entries.append(kind, code, value, self.counter)
        except (OSError, MemoryError) as error:
            self.trip(stimulation.STORAGE, 0, error)

    # Every 50 ms

    def _tick(self):
        elapsed_ms = max(0, self._clock.elapsed_ms(self._tick_at))
        self._tick_at = self._clock.now_ms()
        self._entries.advance()
        self._keep(self.dose.advance, elapsed_ms)
        self.state_due = self.button_state.update() or self.state_due
        self.notice_lost_link()
        if not self.active:
            self.healthy_ms = 0 if self.unfit else min(self.healthy_ms + elapsed_ms, HEALTH_MS)
        elif self.button_state.pressed or self.cut:
            self._finish(stimulation.BY_BUTTON)
        elif elapsed_ms > STALL_MS and self.state in (stimulation.RUNNING, stimulation.RAMPING_DOWN):
            self.trip(stimulation.STALLED, elapsed_ms)
        else:
            if self.unfit in _AT_ONCE:
                self._finish(self.unfit)
            elif self.unfit:
                self.end(self.unfit)
            if self.active:
                _STEPS[self.state](self, elapsed_ms)

    def _step_contact_check(self, elapsed_ms):
        if not self.pulses:
            self.output.keep_high_voltage()
            self._charge_ticks -= 1
            if self._charge_ticks < 0:
                self.pulses = self.output.feed(limits.TEST_CURRENT_UA, TEST_HORIZON_US)
        else:
            cause = self.contact.check(self.output.sense(), self.plan.limits)
            if self.contact.current_ua > 2 * limits.TEST_CURRENT_UA:
                self.trip(stimulation.WRONG_CURRENT, self.contact.current_ua)
            elif cause:
                self._finish(cause)
            else:
                self.output.stop_now()
                self._enter(stimulation.ARMED)

    def _step_armed(self, elapsed_ms):
        if self._clock.elapsed_ms(self._since) > ARMED_MS:
            self._finish(stimulation.ARM_EXPIRED)

    def _step_running(self, elapsed_ms):
        self.dose.spend(elapsed_ms)
        if self._trips():
            return
        if not self.lease_left_ms:
            self.end(stimulation.LEASE_LAPSED)
        elif self.dose.session_ms() >= self._allowed_ms:
            self.end(stimulation.SESSION_OVER)
        if self.state == stimulation.RUNNING:
            rise_ua = self.plan.limits[limits.SLEW].value * elapsed_ms // 1000
            running_ms = self._clock.elapsed_ms(self._since)
            self.level_ua = min(self.target_ua, self.level_ua + rise_ua)
            self.output.reshape(self.plan.waveform_at(running_ms))
            self._drive(min(self.plan.current_at(running_ms, self.level_ua), self._given_ua + rise_ua))
        elif self.state == stimulation.RAMPING_DOWN:
            self._step_ramp_down(0)

    def _trips(self):
        """Whether what the last train did latched a fault."""
        fault = self.contact.watch(self.output.sense(), self._fed_ua, self.plan)
        if fault:
            self.trip(fault, self.contact.impedance_ohm)
        elif self.balance.watch(self.output.residual_nc(), self._fed_ua, self.plan.phase_us):
            self.trip(stimulation.RESIDUAL, self.balance.residual_nc)
        return self.state == stimulation.FAULT

    def _step_ramp_down(self, elapsed_ms):
        self.dose.spend(elapsed_ms)
        left_ms = RAMP_DOWN_MS - self._clock.elapsed_ms(self._since)
        if left_ms <= 0:
            self._finish(self.cause)
        else:
            self.level_ua = self._ramp_from_ua * left_ms // RAMP_DOWN_MS
            self._drive(self.level_ua)

    def _drive(self, current_ua):
        self.output.keep_high_voltage()
        if self._held_up():
            return
        self._given_ua = current_ua
        pulses = self.output.feed(current_ua)
        if pulses:
            self._fed_ua = current_ua
            self.pulses += pulses

    def _held_up(self):
        """Whether this tick itself was held up: a train after a silence is a sudden start, and this trips instead. Asked
        after the high voltage was toggled: what is held up later finds it fallen.
        """
        held_up_ms = self._clock.elapsed_ms(self._tick_at)
        if held_up_ms > STALL_MS:
            self.trip(stimulation.STALLED, held_up_ms)
        return held_up_ms > STALL_MS

    # How it ends

    def end(self, cause):
        """Let the output go to zero by ramp if it runs; a ramp that is on goes on."""
        if self.state == stimulation.RUNNING:
            self.cause = cause
            self._ramp_from_ua = self._given_ua
            self._enter(stimulation.RAMPING_DOWN)
        elif self.active and self.state != stimulation.RAMPING_DOWN:
            self._finish(cause)

    def _finish(self, cause):
        """To idle, now."""
        self.output.stop_now()
        self._go_to_zero(cause)
        self._enter(stimulation.IDLE)
        if self.dose.open:
            self._keep(self.dose.end, cause == stimulation.SESSION_OVER)

    def trip(self, fault, detail, error=None):
        """Latch a fault. The output ends before anything else happens."""
        self.output.stop_now()
        self.healthy_ms = 0
        if self.state == stimulation.FAULT:
            return
        self._go_to_zero(stimulation.BY_FAULT)
        self.fault = fault
        self.fault_detail = detail
        self.fault_due = True
        self._log("stimulation: fault %s, %d, %r" % (stimulation.FAULTS[fault][0], detail, error))
        self._enter(stimulation.FAULT)
        self.note(stimulation_log.FAULT_LATCHED, fault, detail)
        if self.dose.open:
            self._keep(self.dose.end, False)

    def _go_to_zero(self, cause):
        self.cause = cause
        self.level_ua = self.target_ua = self._given_ua = self._fed_ua = 0
        self.cut = False
        self.button_state.forget_hold()

    def _enter(self, state):
        self.state = state
        self._since = self._clock.now_ms()
        self.state_due = True
        self._log("stimulation: %s (%s)" % (stimulation.STATES[state], stimulation.CAUSES[self.cause]))
        self.note(stimulation_log.STATE_ENTERED, state, self.cause)

    def _keep(self, write, argument):
        """Let the dose be written; if that fails, stop for it. What is on record counts the whole session."""
        try:
            write(argument)
        except (OSError, MemoryError) as error:
            self.trip(stimulation.STORAGE, 0, error)


_STEPS = {
    stimulation.CHECKING_CONTACT: Supervisor._step_contact_check,
    stimulation.ARMED: Supervisor._step_armed,
    stimulation.RUNNING: Supervisor._step_running,
    stimulation.RAMPING_DOWN: Supervisor._step_ramp_down,
}
