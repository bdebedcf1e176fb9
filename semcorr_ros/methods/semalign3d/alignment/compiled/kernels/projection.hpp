// Camera-frame points to image coordinates with relief (state.py), how visible they are, and the way back;
// class points from keypoints, and their gradient back.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "constants.hpp"
#include "tables.hpp"

namespace semcorr {

// points (3, P) in the camera frame to placed (3, P): x, y and relief, all normalized.
inline void project(const float* __restrict points, Size count, float focal, float surface,
                    float* __restrict placed) {
  for (Size i = 0; i < count; ++i) {
    const float z = points[2 * count + i];
    const float scale = focal / (z > MIN_DEPTH ? z : MIN_DEPTH);
    placed[i] = points[i] * scale;
    placed[count + i] = points[count + i] * scale;
    placed[2 * count + i] = focal * (z / surface - 1.0f);
  }
}

// Adds the gradient over points, given `slope` over placed; returns that over the focal length.
inline float project_back(const float* __restrict points, const float* __restrict placed, Size count,
                          float focal, float surface, const float* __restrict slope,
                          float* __restrict gradient) {
  float total = 0.0f;
  for (Size i = 0; i < count; ++i) {
    const float z = points[2 * count + i], sx = slope[i], sy = slope[count + i], sz = slope[2 * count + i];
    const float scale = focal / (z > MIN_DEPTH ? z : MIN_DEPTH);
    gradient[i] += sx * scale;
    gradient[count + i] += sy * scale;
    const float toward = sx * placed[i] + sy * placed[count + i];
    gradient[2 * count + i] += sz * focal / surface - (z > MIN_DEPTH ? toward / z : 0.0f);
    total += toward + sz * placed[2 * count + i];
  }
  return total / focal;
}

// visible (P,) as in visibility.py, for facing (3, P) in the canonical frame; 0 where there is none.
inline void log_visibility(const float* __restrict points, const float* __restrict facing, Size count,
                           const float (&r)[3][3], float* __restrict visible) {
  if (facing == nullptr) {
    std::fill(visible, visible + count, 0.0f);
    return;
  }
  for (Size i = 0; i < count; ++i) {
    const float x = points[i], y = points[count + i], z = points[2 * count + i];
    const float u = facing[i], v = facing[count + i], w = facing[2 * count + i];
    const float length = std::sqrt(x * x + y * y + z * z + FLT_MIN);
    const float fx = r[0][0] * u + r[0][1] * v + r[0][2] * w;
    const float fy = r[1][0] * u + r[1][1] * v + r[1][2] * w;
    const float fz = r[2][0] * u + r[2][1] * v + r[2][2] * w;
    const float turned = -(x * fx + y * fy + z * fz) / length;
    const float behind = (HORIZON > turned ? HORIZON - turned : 0.0f) / SOFTNESS;
    visible[i] = -0.5f * behind * behind;
  }
}

// dense (3, N) = points (3, L) @ barycentric (L, N).
inline void blend(const Class& known, const float* points, float* __restrict dense) {
  const Size n = known.points;
  std::fill(dense, dense + 3 * n, 0.0f);
  for (Size i = 0; i < known.keypoints; ++i) {
    const float* __restrict weights = known.barycentric + i * n;
    const float x = points[i], y = points[known.keypoints + i], z = points[2 * known.keypoints + i];
    for (Size j = 0; j < n; ++j) {
      dense[j] += x * weights[j];
      dense[n + j] += y * weights[j];
      dense[2 * n + j] += z * weights[j];
    }
  }
}

// Adds to gradient (3, L) that of `blend`, given the slope (3, N).
inline void blend_back(const Class& known, const float* __restrict slope, float* gradient) {
  const Size n = known.points;
  for (Size i = 0; i < known.keypoints; ++i) {
    const float* __restrict weights = known.barycentric + i * n;
    float x = 0.0f, y = 0.0f, z = 0.0f;
    for (Size j = 0; j < n; ++j) {
      x += slope[j] * weights[j];
      y += slope[n + j] * weights[j];
      z += slope[2 * n + j] * weights[j];
    }
    gradient[i] += x;
    gradient[known.keypoints + i] += y;
    gradient[2 * known.keypoints + i] += z;
  }
}

}  // namespace semcorr
