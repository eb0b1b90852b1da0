"""What the device does when it gets power: run the app; whatever happens, leave no output on and start again."""

import gc
import time

import machine

from system import crash

_PAUSE_MS = 1000  # so that a device that fails at once can still be reached over its serial line

try:
    import app

    app.run()
except Exception as error:
    gc.collect()
    crash.keep(error)
finally:
    time.sleep_ms(_PAUSE_MS)
    machine.reset()
