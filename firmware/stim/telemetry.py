"""What the host is told of the channel: its State, at every change and often enough, and faults."""

from kinetens_protocol import limits, stimulation

EVERY_MS = stimulation.TELEMETRY_MS - 50
"""With a tick's delay still within what the protocol promises."""


class Telemetry:
    def __init__(self, supervisor, member, clock):
        self._supervisor = supervisor
        self._member = member
        self._clock = clock
        self._told_at = clock.now_ms()

    def take_event(self):
        """The event to send now, which `event_into` writes, or 0. Each is given once; a lost one is told by
        the next.
        """
        supervisor = self._supervisor
        if supervisor.fault_due:
            supervisor.fault_due = False
            return stimulation.FAULT_EVENT
        quiet = supervisor.state == stimulation.IDLE
        if supervisor.state_due or not quiet and self._clock.elapsed_ms(self._told_at) >= EVERY_MS:
            supervisor.state_due = False
            self._told_at = self._clock.now_ms()
            return stimulation.STATE_EVENT
        return 0

    def event_into(self, event, buffer, offset):
        """Write an event's payload and return the offset after it."""
        if event == stimulation.FAULT_EVENT:
            report = stimulation.FaultReport(self._supervisor.fault, self._supervisor.fault_detail)
            return stimulation.pack_fault_report_into(buffer, offset, report)
        return self.state_into(buffer, offset)

    def state_into(self, buffer, offset):
        """Write a State and return the offset after it."""
        supervisor = self._supervisor
        dose = supervisor.dose
        bounds = supervisor.limits()
        state = stimulation.State(
            supervisor.state,
            supervisor.cause,
            supervisor.fault,
            self._flags(),
            supervisor.level_ua,
            supervisor.target_ua,
            supervisor.contact.current_ua,
            supervisor.contact.impedance_ohm,
            supervisor.contact.permille,
            supervisor.pulses,
            dose.session_ms(),
            dose.day_left_ms(bounds),
            max(0, bounds[limits.DAY_SESSIONS].value - dose.sessions()),
            dose.rest_left_ms(bounds),
            supervisor.lease_left_ms,
            supervisor.counter,
        )
        return stimulation.pack_state_into(buffer, offset, state)

    def _flags(self):
        button = self._supervisor.button_state
        flags = 0
        for is_so, flag in (
            (button.pressed, stimulation.BUTTON_PRESSED),
            (button.ready, stimulation.BUTTON_READY),
            (self._supervisor.plan, stimulation.CONFIGURED),
            (self._member.bound, stimulation.MEMBER_BOUND),
        ):
            if is_so:
                flags |= flag
        return flags
