"""What can be asked over the wire between the firmware's process and the world. Read by both ends."""

SLEEP = 1
I2C_READ = 2
I2C_WRITE = 3
PIN_SET = 4
PIN_GET = 5
PIN_WATCH = 6
ADC_READ = 7
RMT_WRITE = 8
RMT_STOP = 9
FLASH = 10
RESET = 11
WATCHDOG = 12
TEMPERATURE = 13
RANDOM = 14
IDENTITY = 15
BLE = 16
LOG = 17
PIN_BY_HAND = 18
I2C_OPEN = 19

OPERATIONS = range(SLEEP, I2C_OPEN + 1)

EVENT_PIN = 1
EVENT_BLE = 2

# What follows BLE: a call of the firmware's `bluetooth` module.
BLE_ACTIVE = 1
BLE_CONFIG = 2
BLE_ADVERTISE = 3
BLE_REGISTER = 4
BLE_SET_VALUE = 5
BLE_NOTIFY = 6
BLE_DISCONNECT = 7

# Events of MicroPython's `bluetooth` (its documentation, BLE.irq).
IRQ_CENTRAL_CONNECT = 1
IRQ_CENTRAL_DISCONNECT = 2
IRQ_GATTS_WRITE = 3
IRQ_MTU_EXCHANGED = 21
