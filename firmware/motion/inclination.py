"""Inclination correction: what acceleration says about where up is (VQF's first filter).

Words and halves as in motion.strapdown.
"""

import micropython


@micropython.viper
def level(q: ptr32, up: ptr32, tilt: ptr32):
    """Turn the correction q so that the acceleration points up: all of a small tilt, some of a big one.

    q: quaternion, almost-inertial frame to earth, Q30. up: 3 words, low-passed acceleration in the almost-inertial
    frame, 2**-14 count. tilt: receives half the turn about earth's x and y that this made, Q30.
    """
    one = 1
    sign = one << 31
    # 2**-11 count, < 2**27
    x = ((up[0] ^ sign) - sign) >> 3
    y = ((up[1] ^ sign) - sign) >> 3
    z = ((up[2] ^ sign) - sign) >> 3
    a = (q[0] ^ sign) - sign
    b = (q[1] ^ sign) - sign
    c = (q[2] ^ sign) - sign
    d = (q[3] ^ sign) - sign
    a1 = (a + 16384) >> 15
    b1 = (b + 16384) >> 15
    c1 = (c + 16384) >> 15
    d1 = (d + 16384) >> 15
    a -= a1 << 15
    b -= b1 << 15
    c -= c1 << 15
    d -= d1 << 15
    # v + w * t + q x t with t = 2 * q x v; sums of cross products stay below 1.5 * 2**30
    x1 = (x + 16384) >> 15
    y1 = (y + 16384) >> 15
    z1 = (z + 16384) >> 15
    x0 = x - (x1 << 15)
    y0 = y - (y1 << 15)
    z0 = z - (z1 << 15)
    t = ((c1 * z1 - d1 * y1) + ((c1 * z0 + c * z1 - d1 * y0 - d * y1) >> 15)) << 1
    u = ((d1 * x1 - b1 * z1) + ((d1 * x0 + d * x1 - b1 * z0 - b * z1) >> 15)) << 1
    v = ((b1 * y1 - c1 * x1) + ((b1 * y0 + b * y1 - c1 * x0 - c * x1) >> 15)) << 1
    x1 = (t + 16384) >> 15
    y1 = (u + 16384) >> 15
    z1 = (v + 16384) >> 15
    x0 = t - (x1 << 15)
    y0 = u - (y1 << 15)
    z0 = v - (z1 << 15)
    x += (
        (a1 * x1 + c1 * z1 - d1 * y1)
        + ((a1 * x0 + a * x1) >> 15)
        + ((c1 * z0 + c * z1 - d1 * y0 - d * y1) >> 15)
    )
    y += (
        (a1 * y1 + d1 * x1 - b1 * z1)
        + ((a1 * y0 + a * y1) >> 15)
        + ((d1 * x0 + d * x1 - b1 * z0 - b * z1) >> 15)
    )
    z += (
        (a1 * z1 + b1 * y1 - c1 * x1)
        + ((a1 * z0 + a * z1) >> 15)
        + ((b1 * y0 + b * y1 - c1 * x0 - c * x1) >> 15)
    )
    # Half the tilt, y / 2z and -x / 2z, at most 1/8 rad on an axis; all scaled to z in 2**26 .. 2**27.
    t = (x ^ (x >> 31)) | (y ^ (y >> 31))
    if z < 0 and (t << 4) < 0 - z:
        x = 0 - z  # upside down: any way round
        t = x
    if z < t << 2:
        z = t << 2
    tilt[0] = 0
    tilt[1] = 0
    if z < 1024:
        return
    while z >= 1 << 27:
        x >>= 1
        y >>= 1
        z >>= 1
    while z < 1 << 26:
        x <<= 1
        y <<= 1
        z <<= 1
    z >>= 10
    t = (y << 5) // z
    y = (t << 14) + (((y << 5) - t * z) << 14) // z
    x = 0 - x
    t = (x << 5) // z
    x = (t << 14) + (((x << 5) - t * z) << 14) // z
    tilt[0] = y
    tilt[1] = x
    # q += (0, y, x, 0) * q
    y1 = (y + 16384) >> 15
    x1 = (x + 16384) >> 15
    y0 = y - (y1 << 15)
    x0 = x - (x1 << 15)
    q[0] -= y1 * b1 + x1 * c1 + ((y1 * b + y0 * b1 + x1 * c + x0 * c1 + 16384) >> 15)
    q[1] += y1 * a1 + x1 * d1 + ((y1 * a + y0 * a1 + x1 * d + x0 * d1 + 16384) >> 15)
    q[2] += x1 * a1 - y1 * d1 + ((x1 * a + x0 * a1 - y1 * d - y0 * d1 + 16384) >> 15)
    q[3] += y1 * c1 - x1 * b1 + ((y1 * c + y0 * c1 - x1 * b - x0 * b1 + 16384) >> 15)
