"""Beta penalties and the functions they need, in arithmetic that runs on many numbers side by side.

Those of libm branch, and where there is a call to them nothing is vectorized.
"""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import EPSILON

F = np.float32
I = np.int32  # noqa: E741
LOW, HIGH = F(EPSILON), F(1 - EPSILON)
ONE, HALF = F(1), F(0.5)
HALF_TURN, QUARTER_TURN, LN2, ROOT2 = F(math.pi), F(math.pi / 2), F(math.log(2)), F(math.sqrt(2))


@kernel
def beta_slope(x: F, a: F, b: F) -> F:
    """Derivative of -(a log x + b log(1 - x)), 0 where terms/geometry.py clamps."""
    slope = (b * x - a * (ONE - x)) / (x * (ONE - x))
    return slope if (x >= LOW) & (x <= HIGH) else F(0)


@kernel
def beta_value(x: F, a: F, b: F) -> F:
    """-(a log x + b log(1 - x)), x clamped."""
    x = min(max(x, LOW), HIGH)
    return -a * log_of(x) - b * log_of(ONE - x)


@kernel
def angle_of(sine: F, cosine: F) -> F:
    """atan2 for a positive sine, to 2e-7 (Abramowitz and Stegun 4.4.49)."""
    steep = abs(cosine) > sine
    x = (sine if steep else cosine) / (cosine if steep else sine)
    z = x * x
    series = F(-0.0161657367) + z * F(0.0028662257)
    series = F(0.0429096138) + z * series
    series = F(-0.0752896400) + z * series
    series = F(0.1065626393) + z * series
    series = F(-0.1420889944) + z * series
    series = F(0.1999355085) + z * series
    series = F(-0.3333314528) + z * series
    angle = x + x * z * series
    return angle + (F(0) if cosine > F(0) else HALF_TURN) if steep else QUARTER_TURN - angle


@kernel
def log_of(x: F) -> F:
    """Natural logarithm of a positive normal number, to 2e-7: x = 2^e m, with a series in m - 1."""
    bits = F(x).view(np.int32)
    m = I((bits & I(0x007FFFFF)) | I(0x3F800000)).view(np.float32)
    large = m > ROOT2
    m = m * HALF if large else m
    e = F((bits >> I(23)) - I(126 if large else 127))
    r = (m - ONE) / (m + ONE)
    z = r * r
    series = F(1 / 7) + z * F(1 / 9)
    series = F(1 / 5) + z * series
    series = F(1 / 3) + z * series
    return e * LN2 + F(2) * r * (ONE + z * series)
