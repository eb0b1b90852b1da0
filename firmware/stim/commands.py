"""What a host may ask of the channel: read, refused with a reason, or allowed, written to the log, and then done.

What is outside the effective limits is refused, never clipped. STOP is never refused: it acts first, and is written
to the log afterwards. RENEW is counted by the log's next entry.
"""

from struct import unpack_from

from kinetens_protocol import ProtocolError, limits, messages, stimulation, stimulation_log
from kinetens_protocol.messages import Refusal, Refused
from stim.plan import Plan
from stim.supervisor import HEALTH_MS

_REFUSED_FOR = {  # cause of a stop: reason to refuse, its subject
    stimulation.CHARGER: (messages.CHARGER_CONNECTED, 0),
    stimulation.BATTERY_LOW: (messages.BATTERY_LOW, 0),
    stimulation.TOO_HOT: (messages.WRONG_STATE, stimulation.HOT),
    stimulation.MOTION: (messages.SENSOR_UNAVAILABLE, 0),
    stimulation.FREE_FALL: (messages.WRONG_STATE, stimulation.MOVING),
    stimulation.VIOLENT_MOTION: (messages.WRONG_STATE, stimulation.MOVING),
    stimulation.MOVEMENT: (messages.WRONG_STATE, stimulation.MOVING),
}


class Commands:
    """Answers requests for a supervisor's channel.

    device_tag: of this device. member: whose it is. protections: what the board has, in hardware.
    """

    def __init__(self, supervisor, entries, member, device_tag, protections):
        self._supervisor = supervisor
        self._entries = entries
        self._member = member
        self._device_tag = device_tag
        self._protections = protections

    def handle(self, operation, payload, buffer, offset):
        """Do a request and return the offset after the answer written into the buffer. Raises Refused."""
        supervisor = self._supervisor
        if operation == stimulation.STOP:
            supervisor.end(stimulation.BY_HOST)
            supervisor.note(stimulation_log.COMMAND, stimulation.STOP, 0)
            return offset
        supervisor.notice_lost_link()
        try:
            if operation == stimulation.LIMITS:
                if len(payload) != 1:
                    raise ProtocolError("a request for limits has 1 byte")
                return stimulation.pack_bounds_into(buffer, offset, supervisor.limits(), payload[0])
            if operation == stimulation.READ_LOG:
                return self._read_log(payload, buffer, offset)
            if operation not in _COMMANDS:
                raise Refused(messages.UNKNOWN_OPERATION)
            self._command(operation, payload)
        except ProtocolError as error:
            raise Refused(messages.MALFORMED) from error
        except Refused:
            raise
        except OSError as error:
            supervisor.trip(stimulation.STORAGE, 0, error)
            raise Refused(messages.STORAGE_FAILED) from error
        except Exception as error:
            supervisor.trip(stimulation.INTERNAL, 0, error)
            raise Refused(messages.FAULT_LATCHED, Refusal(stimulation.INTERNAL, 0, 0, HEALTH_MS)) from error
        return offset

    def _command(self, operation, payload):
        if operation == stimulation.CONFIGURE:
            command = stimulation.unpack_configure(payload)
            value = unpack_from("<I", payload, len(payload) - 4)[0]
        else:
            command = stimulation.unpack_command(operation, payload)
            value = command.value
        supervisor = self._supervisor
        if command.counter <= supervisor.counter:
            raise Refused(messages.STALE, Refusal(0, 0, command.counter, supervisor.counter))
        supervisor.counter = command.counter
        may, do = _COMMANDS[operation]
        allowed = may(self, command)
        if operation == stimulation.RENEW:
            self._entries.renewed()
        else:
            self._entries.append(stimulation_log.COMMAND, operation, value, command.counter)
        do(self, allowed)

    def _read_log(self, payload, buffer, offset):
        if len(payload) != 4:
            raise ProtocolError("a request for the log has 4 bytes")
        if self._supervisor.active:
            raise Refused(messages.WRONG_STATE)
        return self._entries.page_into(unpack_from("<I", payload, 0)[0], buffer, offset)

    # May it be? Each returns what its counterpart below needs.

    def _may_configure(self, configure):
        self._require(stimulation.IDLE)
        self._supervisor.plan = None
        if configure.device_tag != self._device_tag:
            raise Refused(messages.WRONG_DEVICE)
        if not self._member.admits(configure.member_tag):
            raise Refused(messages.WRONG_MEMBER)
        return configure.member_tag, Plan(configure, self._supervisor.board_limits)

    def _may_arm(self, _):
        self._require(stimulation.IDLE)
        self._require_fitness()

    def _may_start(self, _):
        self._require(stimulation.ARMED)
        return self._require_fitness()

    def _may_set_level(self, command):
        self._require(stimulation.RUNNING)
        plan = self._supervisor.plan
        level_ua = command.value
        if level_ua > plan.current_ua:
            raise Refused(
                messages.LIMIT_EXCEEDED,
                Refusal(limits.PEAK_CURRENT, limits.PLAN, level_ua, plan.current_ua),
            )
        refusal = limits.passes(plan.limits[limits.STEP], level_ua - self._supervisor.level_ua)
        if refusal:
            raise Refused(messages.LIMIT_EXCEEDED, refusal)
        return level_ua

    def _may_renew(self, _):
        self._require(stimulation.RUNNING)

    def _may_clear_fault(self, command):
        supervisor = self._supervisor
        self._require(stimulation.FAULT)
        if command.value != supervisor.fault:
            raise Refused(
                messages.OUT_OF_RANGE, Refusal(supervisor.fault, 0, command.value, supervisor.fault)
            )
        if supervisor.healthy_ms < HEALTH_MS or not supervisor.output.stop_now():
            self._refuse_for_fault()
        supervisor.dose.save()

    def _may_release_member(self, _):
        self._require(stimulation.IDLE)
        self._require_button()

    # Do it

    def _configure(self, allowed):
        tag, plan = allowed
        self._member.bind(tag)
        self._supervisor.use_plan(plan)

    def _arm(self, _):
        self._supervisor.check_contact()

    def _start(self, allowed_ms):
        self._supervisor.run(allowed_ms)

    def _set_level(self, level_ua):
        self._supervisor.move_to(level_ua)

    def _renew(self, _):
        self._supervisor.renew_lease()

    def _clear_fault(self, _):
        self._supervisor.clear_fault()

    def _release_member(self, _):
        self._member.release()
        self._supervisor.plan = None
        self._supervisor.button_state.forget_hold()

    # What must hold

    def _require(self, state):
        current = self._supervisor.state
        if current == stimulation.FAULT and state != stimulation.FAULT:
            self._refuse_for_fault()
        if current != state:
            raise Refused(messages.WRONG_STATE)

    def _refuse_for_fault(self):
        supervisor = self._supervisor
        raise Refused(messages.FAULT_LATCHED, Refusal(supervisor.fault, 0, supervisor.healthy_ms, HEALTH_MS))

    def _require_fitness(self):
        """Everything that must hold to arm, and again to start. Returns how long the session may last in all, in ms."""
        plan = self._supervisor.plan
        if plan is None:
            raise Refused(messages.WRONG_STATE, Refusal(stimulation.NOT_CONFIGURED, 0, 0, 0))
        if not plan.answers_ok:
            raise Refused(messages.WRONG_STATE, Refusal(stimulation.ANSWERS_MISSING, 0, 0, 0))
        for index, protection in enumerate(stimulation.PROTECTIONS):
            if protection not in self._protections:
                raise Refused(messages.PROTECTION_MISSING, Refusal(index, limits.BOARD, 0, 0))
        cause = self._supervisor.unfit
        if cause:
            reason, subject = _REFUSED_FOR[cause]
            raise Refused(reason, Refusal(subject, 0, 0, 0))
        allowed_ms = self._supervisor.dose.allow(plan.session_ms, plan.limits)
        self._require_button()
        return allowed_ms

    def _require_button(self):
        """A hold that is fresh, and has served nothing yet."""
        if self._supervisor.cut or not self._supervisor.button_state.ready:
            raise Refused(messages.BUTTON_NEEDED)


_COMMANDS = {
    stimulation.CONFIGURE: (Commands._may_configure, Commands._configure),
    stimulation.ARM: (Commands._may_arm, Commands._arm),
    stimulation.START: (Commands._may_start, Commands._start),
    stimulation.SET_LEVEL: (Commands._may_set_level, Commands._set_level),
    stimulation.RENEW: (Commands._may_renew, Commands._renew),
    stimulation.CLEAR_FAULT: (Commands._may_clear_fault, Commands._clear_fault),
    stimulation.RELEASE_MEMBER: (Commands._may_release_member, Commands._release_member),
}
