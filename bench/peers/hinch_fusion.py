"""Six-axis fusion as MicroPython projects usually have it: `update_nomag` of Peter Hinch's micropython-fusion.

Written anew after https://github.com/micropython-IMU/micropython-fusion (fusion.py, MIT licence): its interface, its
order of operations and its gain, with the sample period given instead of measured: here no time passes between samples.
"""

from math import radians, sqrt


class Fusion:
    """q: w, x, y, z, sensor to earth. beta: gain for an expected gyroscope error of 40 degrees a second."""

    def __init__(self, rate_hz):
        self.q = [1.0, 0.0, 0.0, 0.0]
        self.beta = sqrt(3.0 / 4.0) * radians(40)
        self._period_s = 1 / rate_hz

    def update_nomag(self, accel, gyro):
        """Take one sample: tuples x, y, z of acceleration in any unit and of degrees a second."""
        ax, ay, az = accel
        gx, gy, gz = (radians(rate) for rate in gyro)
        w, x, y, z = (self.q[place] for place in range(4))
        w2, x2, y2, z2 = 2 * w, 2 * x, 2 * y, 2 * z
        w4, x4, y4 = 4 * w, 4 * x, 4 * y
        x8, y8 = 8 * x, 8 * y
        ww, xx, yy, zz = w * w, x * x, y * y, z * z
        norm = sqrt(ax * ax + ay * ay + az * az)
        if norm == 0:
            return
        norm = 1 / norm
        ax *= norm
        ay *= norm
        az *= norm
        sw = w4 * yy + y2 * ax + w4 * xx - x2 * ay
        sx = x4 * zz - z2 * ax + 4 * ww * x - w2 * ay - x4 + x8 * xx + x8 * yy + x4 * az
        sy = 4 * ww * y + w2 * ax + y4 * zz - z2 * ay - y4 + y8 * xx + y8 * yy + y4 * az
        sz = 4 * xx * z - x2 * ax + 4 * yy * z - y2 * ay
        norm = 1 / sqrt(sw * sw + sx * sx + sy * sy + sz * sz)
        sw *= norm
        sx *= norm
        sy *= norm
        sz *= norm
        dw = 0.5 * (-x * gx - y * gy - z * gz) - self.beta * sw
        dx = 0.5 * (w * gx + y * gz - z * gy) - self.beta * sx
        dy = 0.5 * (w * gy - x * gz + z * gx) - self.beta * sy
        dz = 0.5 * (w * gz + x * gy - y * gx) - self.beta * sz
        w += dw * self._period_s
        x += dx * self._period_s
        y += dy * self._period_s
        z += dz * self._period_s
        norm = 1 / sqrt(w * w + x * x + y * y + z * z)
        self.q = w * norm, x * norm, y * norm, z * norm
