// From the numbers that are optimised to keypoints, and gradients back (parametrizations.py).
// The numbers of one hypothesis are one row, see alignment/numbers.py.
#pragma once

#include <algorithm>
#include <cmath>

#include "tables.hpp"

namespace semcorr {

constexpr Size QUATERNION = 0, TRANSLATION = 4, SCALE = 7, SHAPE = 8;  // columns of the shape space

struct Turn {  // a unit quaternion, its inverse length before, and its matrix
  float x, y, z, w, inverse;
  float matrix[3][3];
};

// Of a quaternion (x, y, z, w) of any length.
inline Turn turn_of(const float* q) {
  Turn t;
  t.inverse = 1.0f / std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  const float x = t.x = q[0] * t.inverse, y = t.y = q[1] * t.inverse;
  const float z = t.z = q[2] * t.inverse, w = t.w = q[3] * t.inverse;
  const float matrix[3][3] = {
      {1.0f - 2.0f * (y * y + z * z), 2.0f * (x * y - z * w), 2.0f * (x * z + y * w)},
      {2.0f * (x * y + z * w), 1.0f - 2.0f * (x * x + z * z), 2.0f * (y * z - x * w)},
      {2.0f * (x * z - y * w), 2.0f * (y * z + x * w), 1.0f - 2.0f * (x * x + y * y)}};
  std::copy(&matrix[0][0], &matrix[0][0] + 9, &t.matrix[0][0]);
  return t;
}

// gradient (4,) over the quaternion, given the gradient s (3, 3) over its matrix.
inline void turn_back(const Turn& t, const float (&s)[3][3], float* gradient) {
  const float x = t.x, y = t.y, z = t.z, w = t.w;
  const float xy = s[0][1] + s[1][0], xz = s[0][2] + s[2][0], yz = s[1][2] + s[2][1];
  const float ax = s[2][1] - s[1][2], ay = s[0][2] - s[2][0], az = s[1][0] - s[0][1];
  const float g[4] = {2.0f * (y * xy + z * xz + w * ax - 2.0f * x * (s[1][1] + s[2][2])),
                      2.0f * (x * xy + z * yz + w * ay - 2.0f * y * (s[0][0] + s[2][2])),
                      2.0f * (x * xz + y * yz + w * az - 2.0f * z * (s[0][0] + s[1][1])),
                      2.0f * (x * ax + y * ay + z * az)};
  const float radial = g[0] * x + g[1] * y + g[2] * z + g[3] * w;
  gradient[0] = (g[0] - radial * x) * t.inverse;
  gradient[1] = (g[1] - radial * y) * t.inverse;
  gradient[2] = (g[2] - radial * z) * t.inverse;
  gradient[3] = (g[3] - radial * w) * t.inverse;
}

// Keypoint i in the canonical frame: its mean place, shape modes and residual.
inline void shaped(const Class& known, const float* numbers, Size i, float (&shape)[3]) {
  const Size m = known.mode_count, row = 3 * known.keypoints;
  for (Size k = 0; k < 3; ++k) {
    shape[k] = known.sparse[3 * i + k] + numbers[SHAPE + m + 3 * i + k];
    for (Size j = 0; j < m; ++j) shape[k] += numbers[SHAPE + j] * known.modes[j * row + 3 * i + k];
  }
}

// points (3, L) in the camera frame, for one row of numbers.
inline void keypoints_of(const Class& known, const float* numbers, bool free, float* points) {
  const Size count = known.keypoints;
  if (free) {
    for (Size i = 0; i < count; ++i)
      for (Size k = 0; k < 3; ++k) points[k * count + i] = numbers[3 * i + k];
    return;
  }
  const Turn turn = turn_of(numbers + QUATERNION);
  const float scale = std::exp(numbers[SCALE]);
  float shape[3];
  for (Size i = 0; i < count; ++i) {
    shaped(known, numbers, i, shape);
    for (Size k = 0; k < 3; ++k) {
      const float* row = turn.matrix[k];
      const float turned = row[0] * shape[0] + row[1] * shape[1] + row[2] * shape[2];
      points[k * count + i] = scale * turned + numbers[TRANSLATION + k];
    }
  }
}

// gradient over all numbers but the focal length, given the slope (3, L) over the points.
inline void keypoints_back(const Class& known, const float* numbers, bool free, const float* slope,
                           float* gradient) {
  const Size count = known.keypoints, m = known.mode_count;
  if (free) {
    for (Size i = 0; i < count; ++i)
      for (Size k = 0; k < 3; ++k) gradient[3 * i + k] = slope[k * count + i];
    return;
  }
  const Turn turn = turn_of(numbers + QUATERNION);
  const float scale = std::exp(numbers[SCALE]);
  float around[3][3] = {}, shape[3];
  std::fill(gradient, gradient + SHAPE + m, 0.0f);
  for (Size i = 0; i < count; ++i) {
    shaped(known, numbers, i, shape);
    const float pull[3] = {slope[i], slope[count + i], slope[2 * count + i]};
    for (Size k = 0; k < 3; ++k) {
      gradient[TRANSLATION + k] += pull[k];
      for (Size n = 0; n < 3; ++n) around[k][n] += scale * pull[k] * shape[n];
      float back = turn.matrix[0][k] * pull[0] + turn.matrix[1][k] * pull[1] + turn.matrix[2][k] * pull[2];
      back *= scale;
      gradient[SCALE] += back * shape[k];
      gradient[SHAPE + m + 3 * i + k] = back;
      for (Size j = 0; j < m; ++j) gradient[SHAPE + j] += back * known.modes[(j * count + i) * 3 + k];
    }
  }
  turn_back(turn, around, gradient + QUATERNION);
}

}  // namespace semcorr
