"""Madgwick's filter as MicroPython projects write it: floats and native code.

S. Madgwick, "An efficient orientation filter for inertial and inertial/magnetic sensor arrays", 2010, section 3.
"""

import math

import micropython


class Madgwick:
    """q: w, x, y, z, sensor to earth. beta: gain, rad/s."""

    def __init__(self, rate_hz, beta=0.1):
        self.q = [1.0, 0.0, 0.0, 0.0]
        self._beta = beta
        self._period_s = 1 / rate_hz

    @micropython.native
    def update(self, gx, gy, gz, ax, ay, az):
        """Take one sample: rad/s, and acceleration in any unit."""
        w, x, y, z = self.q
        dw = 0.5 * (-x * gx - y * gy - z * gz)
        dx = 0.5 * (w * gx + y * gz - z * gy)
        dy = 0.5 * (w * gy - x * gz + z * gx)
        dz = 0.5 * (w * gz + x * gy - y * gx)
        norm = math.sqrt(ax * ax + ay * ay + az * az)
        if norm > 0:
            ax /= norm
            ay /= norm
            az /= norm
            ex = 2 * (x * z - w * y) - ax
            ey = 2 * (w * x + y * z) - ay
            ez = 2 * (0.5 - x * x - y * y) - az
            sw = -2 * y * ex + 2 * x * ey
            sx = 2 * z * ex + 2 * w * ey - 4 * x * ez
            sy = -2 * w * ex + 2 * z * ey - 4 * y * ez
            sz = 2 * x * ex + 2 * y * ey
            norm = math.sqrt(sw * sw + sx * sx + sy * sy + sz * sz)
            if norm > 0:
                gain = self._beta / norm
                dw -= gain * sw
                dx -= gain * sx
                dy -= gain * sy
                dz -= gain * sz
        w += dw * self._period_s
        x += dx * self._period_s
        y += dy * self._period_s
        z += dz * self._period_s
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        q = self.q
        q[0] = w / norm
        q[1] = x / norm
        q[2] = y / norm
        q[3] = z / norm
