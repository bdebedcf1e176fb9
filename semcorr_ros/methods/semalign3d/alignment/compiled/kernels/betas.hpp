// Beta penalties and the functions they need, in arithmetic that runs on many numbers side by side.
// Those of libm branch, and where there is a call to them nothing is vectorized.
#pragma once

#include <cstdint>
#include <cstring>

#include "constants.hpp"

namespace semcorr {

constexpr float LOW = EPSILON, HIGH = 1.0f - EPSILON;
constexpr float HALF_TURN = 3.14159265358979f, QUARTER_TURN = 1.57079632679490f;
constexpr float LN2 = 0.693147180559945f, ROOT2 = 1.41421356237310f;

inline std::int32_t bits_of(float x) {
  std::int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(std::int32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// Derivative of -(a log x + b log(1 - x)), 0 where it is clamped.
inline float beta_slope(float x, float a, float b) {
  const float slope = (b * x - a * (1.0f - x)) / (x * (1.0f - x));
  return (x >= LOW) & (x <= HIGH) ? slope : 0.0f;
}

// Natural logarithm of a positive normal number, to 2e-7: x = 2^e m, with a series in m - 1.
inline float log_of(float x) {
  const std::int32_t bits = bits_of(x);
  float m = float_of((bits & 0x007FFFFF) | 0x3F800000);
  const bool large = m > ROOT2;
  m = large ? m * 0.5f : m;
  const float e = static_cast<float>((bits >> 23) - (large ? 126 : 127));
  const float r = (m - 1.0f) / (m + 1.0f);
  const float z = r * r;
  float series = 1.0f / 7 + z * (1.0f / 9);
  series = 1.0f / 5 + z * series;
  series = 1.0f / 3 + z * series;
  return e * LN2 + 2.0f * r * (1.0f + z * series);
}

// -(a log x + b log(1 - x)), x clamped.
inline float beta_value(float x, float a, float b) {
  x = x > LOW ? x : LOW;
  x = x < HIGH ? x : HIGH;
  return -a * log_of(x) - b * log_of(1.0f - x);
}

// atan2 for a positive sine, to 2e-7 (Abramowitz and Stegun 4.4.49).
inline float angle_of(float sine, float cosine) {
  const float size = cosine < 0.0f ? -cosine : cosine;
  const bool steep = size > sine;
  const float x = (steep ? sine : cosine) / (steep ? cosine : sine);
  const float z = x * x;
  float series = -0.0161657367f + z * 0.0028662257f;
  series = 0.0429096138f + z * series;
  series = -0.0752896400f + z * series;
  series = 0.1065626393f + z * series;
  series = -0.1420889944f + z * series;
  series = 0.1999355085f + z * series;
  series = -0.3333314528f + z * series;
  const float angle = x + x * z * series;
  const float turned = angle + (cosine > 0.0f ? 0.0f : HALF_TURN);
  return steep ? turned : QUARTER_TURN - angle;
}

}  // namespace semcorr
