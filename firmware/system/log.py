"""The device's log: the last lines in memory, each also printed on the serial line."""

_LINES = 40


class Log:
    def __init__(self, clock):
        self.entries = 0
        self._clock = clock
        self._lines = []

    def __call__(self, text):
        self.entries += 1
        line = "%d ms: %s" % (self._clock.now_us() // 1000, text)
        self._lines.append(line)
        if len(self._lines) > _LINES:
            self._lines.pop(0)
        print(line)
