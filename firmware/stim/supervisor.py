"""The last to decide about stimulation: nothing reaches the electrodes that this file did not just allow.

    idle -> checking contact -> armed -> running -> ramping down -> idle    any fault -> fault, until cleared

- `tick` runs every 50 ms. It looks at every reason to stop, then moves the amplitude, then hands over one
  finite train and toggles the high voltage. Whatever raises in it ends the output. If it is not called,
  pulses and high voltage starve.
- `handle` answers the host. What is outside the effective limits is refused, never clipped. STOP is never
  refused.
- `button` and `link_lost` come from interrupts. The button ends the output at once, before anything else is
  thought about.
- The amplitude is zero after every boot, arm, stop, fault and reconnect. It rises within the slew limit only.
"""

from kinetens_protocol import ProtocolError, limits, messages, stimulation
from kinetens_protocol.messages import Refusal, Refused
from stim.button import Button
from stim.contact import Contact
from stim.dose import Dose
from stim.output import Output
from stim.plan import Plan
from stim.waveform import compile_program

RAMP_DOWN_MS = 180
"""From the decision to zero; with a tick before and a train after it within the envelope's 300 ms."""
ARMED_MS = 30_000
HEALTH_MS = 3_000
STALL_MS = 150
"""A tick that comes later than this found the output starved: going on would be a sudden start."""
TELEMETRY_MS = stimulation.TELEMETRY_MS - 50
"""With a tick's delay still within what the protocol promises."""
CHARGE_UP_TICKS = 2
"""The high voltage's rise before the contact pulses."""
TEST_HORIZON_US = 30_000

_SERIAL_SHIFT = 16
_COUNTER_MASK = 0x7FFF_FFFF
"""Counters begin above those of every earlier boot: what was overheard then is stale now."""

_TEST = limits.Program(limits.TEST_CURRENT_UA, 100, 50, 100_000, 0, 0, 0, 0, 0, 0, 0, 0)


def open_channel(board, i2c, clock, log, serial):
    """The supervisor of the board's channel; None if it has none or its parts do not answer (then the log
    says so).
    """
    if "stimulation" not in board:
        return None
    try:
        output = Output(board["stimulation"], i2c)
    except OSError as error:
        log("stimulation: the channel does not answer: %s" % error)
        return None
    dose = Dose()
    try:
        dose.save()  # also raises the serial number above that of every earlier boot
    except OSError as error:
        log("stimulation: the dose cannot be written: %s" % error)
    return Supervisor(board, output, dose, clock, log, stimulation.tag(serial))


class Supervisor:
    """Owns states, limits, lease, ramp, dose and faults of one channel."""

    def __init__(self, board, output, dose, clock, log, device_tag):
        self._output = output
        self._dose = dose
        self._clock = clock
        self._log = log
        self._device_tag = device_tag
        self._contact = Contact()
        self._board_limits = limits.board_limits(
            board["stimulation"]["ceiling_ma"], board["stimulation"]["dac"]["full_scale_ma"]
        )
        self._protections = (
            stimulation.PROTECTIONS if board.get("bench_mode") else board["stimulation"]["protections"]
        )
        self._state = stimulation.IDLE
        self._cause = stimulation.NOT_STOPPED
        self._fault = stimulation.NO_FAULT
        self._fault_detail = 0
        self._plan = None
        self._counter = dose.serial << _SERIAL_SHIFT & _COUNTER_MASK
        self._level_ua = 0
        self._target_ua = 0
        self._fed_ua = 0
        self._ramp_from_ua = 0
        self._pulses = 0
        self._charge_ticks = 0
        self._allowed_ms = 0
        self._tick_at = self._since = self._lease_at = self._reported_at = clock.now_ms()
        self._healthy_ms = 0
        self._unfit = None
        self._link_dropped = False
        self._cut = False
        self._button = Button(clock)
        self._state_due = False
        self._fault_due = False
        if dose.damaged:
            log("stimulation: the dose record is damaged; the day counts as used up")

    # What the app calls

    @property
    def active(self):
        """Whether the output is on or being made ready."""
        return self._state not in (stimulation.IDLE, stimulation.FAULT)

    @property
    def fault(self):
        """The latched fault's code, or NO_FAULT."""
        return self._fault

    def tick(self):
        """Decide about the next 50 ms. Never raises: what goes wrong latches a fault."""
        try:
            self._tick()
        except OSError as error:
            self._trip(stimulation.OUTPUT_BUS, 0, error)
        except Exception as error:
            self._trip(stimulation.INTERNAL, 0, error)

    def handle(self, operation, payload, buffer, offset):
        """Do a request and return the offset after the answer written into the buffer. Raises Refused."""
        if operation == stimulation.STOP:
            self._end(stimulation.BY_HOST)
            return offset
        self._notice_lost_link()
        try:
            if operation == stimulation.LIMITS:
                if len(payload) != 1:
                    raise ProtocolError("a request for limits has 1 byte")
                return stimulation.pack_bounds_into(buffer, offset, self._limits(), payload[0])
            if operation == stimulation.STATE:
                return self.state_into(buffer, offset)
            if operation == stimulation.CONFIGURE:
                configure = stimulation.unpack_configure(payload)
                self._take_counter(configure.counter)
                self._configure(configure)
            elif operation in _COMMANDS:
                command = stimulation.unpack_command(operation, payload)
                self._take_counter(command.counter)
                _COMMANDS[operation](self, command.value)
            else:
                raise Refused(messages.UNKNOWN_OPERATION)
        except ProtocolError as error:
            raise Refused(messages.MALFORMED) from error
        except Refused:
            raise
        except Exception as error:
            self._trip(stimulation.INTERNAL, 0, error)
            raise Refused(messages.FAULT_LATCHED, Refusal(stimulation.INTERNAL, 0, 0, HEALTH_MS)) from error
        return offset

    def link_lost(self):
        """The connection ended. May be called from an interrupt; the next tick begins the ramp to zero."""
        self._link_dropped = True

    def button(self, pressed):
        """An edge of the device's button; may be called from an interrupt. A press while active ends the
        output at once.
        """
        if not pressed:
            self._button.release()
            return
        if self.active:
            self._cut = True
            self._output.stop_now()
        self._button.press(not self.active)

    def conditions(self, charging, battery_low, too_hot, motion_ok):
        """What else forbids the output as of now."""
        self._unfit = None
        for wrong, unfit in (  # stop cause, reason to refuse, subject of the refusal
            (charging, (stimulation.CHARGER, messages.CHARGER_CONNECTED, 0)),
            (battery_low, (stimulation.BATTERY_LOW, messages.BATTERY_LOW, 0)),
            (too_hot, (stimulation.TOO_HOT, messages.WRONG_STATE, stimulation.HOT)),
            (not motion_ok, (stimulation.MOTION, messages.SENSOR_UNAVAILABLE, 0)),
        ):
            if wrong:
                self._unfit = unfit
                return

    def stop_now(self):
        """End the output at once, for an app that can no longer go on. Never raises."""
        self._output.stop_now()
        self._cut = True

    def take_event(self):
        """The event to send now, which `event_into` writes, or 0. Each is given once; a lost one is told by
        the next.
        """
        if self._fault_due:
            self._fault_due = False
            return stimulation.FAULT_EVENT
        quiet = self._state == stimulation.IDLE
        if self._state_due or not quiet and self._clock.elapsed_ms(self._reported_at) >= TELEMETRY_MS:
            self._state_due = False
            self._reported_at = self._clock.now_ms()
            return stimulation.STATE_EVENT
        return 0

    def event_into(self, event, buffer, offset):
        """Write an event's payload and return the offset after it."""
        if event == stimulation.FAULT_EVENT:
            report = stimulation.FaultReport(self._fault, self._fault_detail)
            return stimulation.pack_fault_report_into(buffer, offset, report)
        return self.state_into(buffer, offset)

    def state_into(self, buffer, offset):
        """Write a State and return the offset after it."""
        bounds = self._limits()
        lease_left_ms = 0
        if self._state == stimulation.RUNNING:
            lease_left_ms = max(0, self._plan.lease_ms - self._clock.elapsed_ms(self._lease_at))
        state = stimulation.State(
            self._state,
            self._cause,
            self._fault,
            self._flags(),
            self._level_ua,
            self._target_ua,
            self._contact.current_ua,
            self._contact.impedance_ohm,
            self._contact.permille,
            self._pulses,
            self._dose.session_ms(),
            self._dose.day_left_ms(bounds),
            max(0, bounds[limits.DAY_SESSIONS].value - self._dose.sessions()),
            self._dose.rest_left_ms(bounds),
            lease_left_ms,
            self._counter,
        )
        return stimulation.pack_state_into(buffer, offset, state)

    # Every 50 ms

    def _tick(self):
        elapsed_ms = max(0, self._clock.elapsed_ms(self._tick_at))
        self._tick_at = self._clock.now_ms()
        self._keep(self._dose.advance, elapsed_ms)
        self._state_due = self._button.update() or self._state_due
        self._notice_lost_link()
        if not self.active:
            self._healthy_ms = 0 if self._unfit else min(self._healthy_ms + elapsed_ms, HEALTH_MS)
        elif self._button.pressed or self._cut:
            self._finish(stimulation.BY_BUTTON)
        elif elapsed_ms > STALL_MS and self._state in (stimulation.RUNNING, stimulation.RAMPING_DOWN):
            self._trip(stimulation.STALLED, elapsed_ms)
        else:
            if self._unfit:
                self._end(self._unfit[0])
            if self.active:
                _STEPS[self._state](self, elapsed_ms)

    def _step_contact_check(self, elapsed_ms):
        if not self._pulses:
            self._output.keep_high_voltage()
            self._charge_ticks -= 1
            if self._charge_ticks < 0:
                self._pulses = self._output.feed(limits.TEST_CURRENT_UA, TEST_HORIZON_US)
        else:
            cause = self._contact.check(self._output.sense(), self._plan.limits)
            if self._contact.current_ua > 2 * limits.TEST_CURRENT_UA:
                self._trip(stimulation.WRONG_CURRENT, self._contact.current_ua)
            elif cause:
                self._finish(cause)
            else:
                self._output.stop_now()
                self._enter(stimulation.ARMED)

    def _step_armed(self, elapsed_ms):
        if self._clock.elapsed_ms(self._since) > ARMED_MS:
            self._finish(stimulation.ARM_EXPIRED)

    def _step_running(self, elapsed_ms):
        self._dose.spend(elapsed_ms)
        fault = self._contact.watch(self._output.sense(), self._fed_ua, self._plan)
        if fault:
            self._trip(fault, self._contact.impedance_ohm)
        elif self._clock.elapsed_ms(self._lease_at) > self._plan.lease_ms:
            self._end(stimulation.LEASE_LAPSED)
        elif self._dose.session_ms() >= self._allowed_ms:
            self._end(stimulation.SESSION_OVER)
        if self._state == stimulation.RUNNING:
            rise_ua = self._plan.limits[limits.SLEW].value * elapsed_ms // 1000
            self._drive(min(self._target_ua, self._level_ua + rise_ua))
        elif self._state == stimulation.RAMPING_DOWN:
            self._step_ramp_down(0)

    def _step_ramp_down(self, elapsed_ms):
        self._dose.spend(elapsed_ms)
        left_ms = RAMP_DOWN_MS - self._clock.elapsed_ms(self._since)
        if left_ms <= 0:
            self._finish(self._cause)
        else:
            self._drive(self._ramp_from_ua * left_ms // RAMP_DOWN_MS)

    def _drive(self, level_ua):
        self._level_ua = level_ua
        self._output.keep_high_voltage()
        pulses = self._output.feed(level_ua)
        if pulses:
            self._fed_ua = level_ua
            self._pulses += pulses

    # How it ends

    def _end(self, cause):
        """Let the output go to zero by ramp if it runs; a ramp that is on goes on."""
        if self._state == stimulation.RUNNING:
            self._cause = cause
            self._ramp_from_ua = self._level_ua
            self._enter(stimulation.RAMPING_DOWN)
        elif self.active and self._state != stimulation.RAMPING_DOWN:
            self._finish(cause)

    def _finish(self, cause):
        """To idle, now."""
        self._output.stop_now()
        self._go_to_zero(cause)
        self._enter(stimulation.IDLE)
        if self._dose.open:
            self._keep(self._dose.end, cause == stimulation.SESSION_OVER)

    def _trip(self, fault, detail, error=None):
        """Latch a fault. The output ends before anything else happens."""
        self._output.stop_now()
        self._healthy_ms = 0
        if self._state == stimulation.FAULT:
            return
        self._go_to_zero(stimulation.BY_FAULT)
        self._fault = fault
        self._fault_detail = detail
        self._fault_due = True
        self._log("stimulation: fault %s, %d, %r" % (stimulation.FAULTS[fault][0], detail, error))
        self._enter(stimulation.FAULT)
        if self._dose.open:
            self._keep(self._dose.end, False)

    def _go_to_zero(self, cause):
        self._cause = cause
        self._level_ua = self._target_ua = self._fed_ua = 0
        self._cut = False
        self._button.forget_hold()

    def _enter(self, state):
        self._state = state
        self._since = self._clock.now_ms()
        self._state_due = True
        self._log("stimulation: %s (%s)" % (stimulation.STATES[state], stimulation.CAUSES[self._cause]))

    def _keep(self, write, argument):
        """Let the dose be written; if that fails, stop for it."""
        try:
            write(argument)
        except OSError as error:
            self._trip(stimulation.STORAGE, 0, error)

    # Commands

    def _take_counter(self, counter):
        if counter <= self._counter:
            raise Refused(messages.STALE, Refusal(0, 0, counter, self._counter))
        self._counter = counter

    def _configure(self, configure):
        self._require(stimulation.IDLE)
        if configure.device_tag != self._device_tag:
            raise Refused(messages.WRONG_DEVICE)
        self._plan = None
        self._plan = Plan(configure, self._board_limits)
        self._log("stimulation: plan of %d µA" % self._plan.current_ua)

    def _arm(self, _):
        self._require(stimulation.IDLE)
        self._require_fitness()
        self._contact.forget()
        self._charge_ticks = CHARGE_UP_TICKS
        self._pulses = 0
        self._tick_at = self._clock.now_ms()
        self._output.prepare(compile_program(_TEST))
        self._enter(stimulation.CHECKING_CONTACT)

    def _start(self, _):
        self._require(stimulation.ARMED)
        self._require_fitness()
        try:
            self._dose.begin(self._allowed_ms - self._dose.session_ms())
        except OSError as error:
            self._trip(stimulation.STORAGE, 0, error)
            raise Refused(messages.STORAGE_FAILED) from error
        self._button.forget_hold()
        self._pulses = 0
        self._output.prepare(self._plan.waveform)
        self._tick_at = self._lease_at = self._clock.now_ms()
        self._enter(stimulation.RUNNING)

    def _set_level(self, level_ua):
        self._require(stimulation.RUNNING)
        if level_ua > self._plan.current_ua:
            raise Refused(
                messages.LIMIT_EXCEEDED,
                Refusal(limits.PEAK_CURRENT, limits.PLAN, level_ua, self._plan.current_ua),
            )
        refusal = limits.passes(self._plan.limits[limits.STEP], level_ua - self._level_ua)
        if refusal:
            raise Refused(messages.LIMIT_EXCEEDED, refusal)
        self._target_ua = level_ua
        self._log("stimulation: level %d µA" % level_ua)

    def _renew(self, _):
        self._require(stimulation.RUNNING)
        self._lease_at = self._clock.now_ms()

    def _clear_fault(self, fault):
        self._require(stimulation.FAULT)
        if fault != self._fault:
            raise Refused(messages.OUT_OF_RANGE, Refusal(self._fault, 0, fault, self._fault))
        if self._healthy_ms < HEALTH_MS or not self._output.stop_now():
            raise Refused(messages.FAULT_LATCHED, Refusal(self._fault, 0, self._healthy_ms, HEALTH_MS))
        try:
            self._dose.save()
        except OSError as error:
            raise Refused(messages.STORAGE_FAILED) from error
        self._fault = stimulation.NO_FAULT
        self._enter(stimulation.IDLE)

    # What commands need

    def _require(self, state):
        if self._state == stimulation.FAULT and state != stimulation.FAULT:
            raise Refused(messages.FAULT_LATCHED, Refusal(self._fault, 0, self._healthy_ms, HEALTH_MS))
        if self._state != state:
            raise Refused(messages.WRONG_STATE)

    def _require_fitness(self):
        """Everything that must hold to arm, and again to start."""
        if self._plan is None:
            raise Refused(messages.WRONG_STATE, Refusal(stimulation.NOT_CONFIGURED, 0, 0, 0))
        if not self._plan.answers_ok:
            raise Refused(messages.WRONG_STATE, Refusal(stimulation.ANSWERS_MISSING, 0, 0, 0))
        for index, protection in enumerate(stimulation.PROTECTIONS):
            if protection not in self._protections:
                raise Refused(messages.PROTECTION_MISSING, Refusal(index, limits.BOARD, 0, 0))
        if self._unfit:
            raise Refused(self._unfit[1], Refusal(self._unfit[2], 0, 0, 0))
        self._allowed_ms = self._dose.allow(self._plan.session_ms, self._plan.limits)
        if self._cut or not self._button.ready:
            raise Refused(messages.BUTTON_NEEDED)

    def _notice_lost_link(self):
        if self._link_dropped:
            self._link_dropped = False
            self._end(stimulation.LINK_LOST)
            self._plan = None

    def _limits(self):
        return self._plan.limits if self._plan else limits.effective(self._board_limits, {})

    def _flags(self):
        flags = stimulation.BUTTON_PRESSED if self._button.pressed else 0
        if self._button.ready:
            flags |= stimulation.BUTTON_READY
        return flags | stimulation.CONFIGURED if self._plan else flags


_STEPS = {
    stimulation.CHECKING_CONTACT: Supervisor._step_contact_check,
    stimulation.ARMED: Supervisor._step_armed,
    stimulation.RUNNING: Supervisor._step_running,
    stimulation.RAMPING_DOWN: Supervisor._step_ramp_down,
}

_COMMANDS = {
    stimulation.ARM: Supervisor._arm,
    stimulation.START: Supervisor._start,
    stimulation.SET_LEVEL: Supervisor._set_level,
    stimulation.RENEW: Supervisor._renew,
    stimulation.CLEAR_FAULT: Supervisor._clear_fault,
}
