// Value and gradient of terms/geometry.py: angles, ratios and handedness under the class's Betas.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <vector>

#include "measures.hpp"
#include "tables.hpp"

namespace semcorr {

struct Edges {  // rows of four numbers, one for each of the L * L edges, and a block's work
  std::vector<float> values, slope, work = std::vector<float>(3 * EDGE);
  explicit Edges(Size keypoints) : values(4 * keypoints * keypoints), slope(4 * keypoints * keypoints) {}
};

// Unit direction and length of every edge i -> j of points (3, L), as a row of edges (L * L, 4).
inline void edges_of(const float* points, Size count, const float* weight, float* __restrict edges) {
  float mean = 0.0f;
  for (Size i = 0; i < count; ++i)
    for (Size j = 0; j < count; ++j) {
      const Size e = i * count + j;
      const float x = points[j] - points[i], y = points[count + j] - points[count + i];
      const float z = points[2 * count + j] - points[2 * count + i];
      const float squared = x * x + y * y + z * z;
      float* edge = edges + 4 * e;
      edge[0] = x, edge[1] = y, edge[2] = z, edge[3] = squared;
      mean += weight[e] * squared;
    }
  const float floor = DEGENERATE_EDGE * mean + FLT_MIN;
  for (Size e = 0; e < count * count; ++e) {
    float* edge = edges + 4 * e;
    const float length = std::sqrt(edge[3] + floor), inverse = 1.0f / length;
    edge[0] *= inverse, edge[1] *= inverse, edge[2] *= inverse, edge[3] = length;
  }
}

// Copy rows of edges (E, 4) into the columns of a block, see measures.hpp.
inline void gather(const float* edges, const Index* rows, float* __restrict work) {
  for (Size k = 0; k < BLOCK; ++k) {
    const float* edge = edges + 4 * static_cast<Size>(rows[k]);
    for (Size axis = 0; axis < 4; ++axis) work[axis * BLOCK + k] = edge[axis];
  }
}

// Add the columns of a block to rows of slope (E, 4).
template <Size axes>
void scatter(const float* work, const Index* rows, float* __restrict slope) {
  for (Size k = 0; k < BLOCK; ++k) {
    float* row = slope + 4 * static_cast<Size>(rows[k]);
    for (Size axis = 0; axis < axes; ++axis) row[axis] += work[axis * BLOCK + k];
  }
}

// Adds the slopes over edges of a family's penalties; returns their value or 0.
template <Size ends, bool with_value>
float penalties(const Betas& betas, Edges& all) {
  float value = 0.0f;
  float* work = all.work.data();
  for (Size block = 0; block < betas.blocks; ++block) {
    const Index* rows = betas.edges + block * ends * BLOCK;
    const float *alpha = betas.alpha + block * ends * BLOCK, *beta = betas.beta + block * ends * BLOCK;
    for (Size n = 0; n < ends; ++n) gather(all.values.data(), rows + n * BLOCK, work + n * EDGE);
    value += ends == 2 ? edge_pairs<with_value>(work, alpha, beta) : frames<with_value>(work, alpha, beta);
    for (Size n = 0; n < ends; ++n)
      scatter<ends == 2 ? 4 : 3>(work + n * EDGE, rows + n * BLOCK, all.slope.data());
  }
  return with_value ? value + static_cast<float>(betas.at_mode) : value;
}

// Adds `scale` times the gradient over points (3, L), given the slopes over edges (L * L, 4).
inline void to_points(const Edges& all, Size count, float scale, float* gradient) {
  for (Size i = 0; i < count; ++i)
    for (Size j = 0; j < count; ++j) {
      const float* edge = all.values.data() + 4 * (i * count + j);
      const float* slope = all.slope.data() + 4 * (i * count + j);
      const float inverse = 1.0f / edge[3];
      const float radial = slope[0] * edge[0] + slope[1] * edge[1] + slope[2] * edge[2];
      const float rest = slope[3] - radial * inverse;
      for (Size axis = 0; axis < 3; ++axis) {
        const float pull = scale * (slope[axis] * inverse + rest * edge[axis]);
        gradient[axis * count + j] += pull;
        gradient[axis * count + i] -= pull;
      }
    }
}

template <Size ends>
float family(const Betas& betas, const float* points, Size count, float weight, Edges& all, float* gradient,
             bool with_value) {
  if (betas.blocks == 0) return 0.0f;
  edges_of(points, count, betas.weight, all.values.data());
  std::fill(all.slope.begin(), all.slope.end(), 0.0f);
  const float value = with_value ? penalties<ends, true>(betas, all) : penalties<ends, false>(betas, all);
  to_points(all, count, weight / 5.0f, gradient);
  return value;
}

// Adds `weight` times the gradient of the term over points (3, L); returns its unweighted value,
// or 0 where it is not wanted.
inline float geometry(const Class& known, const float* points, float weight, Edges& all, float* gradient,
                      bool with_value) {
  const Size count = known.keypoints;
  const float pairs = family<2>(known.edge_pairs, points, count, weight, all, gradient, with_value);
  const float turned = family<3>(known.frames, points, count, weight, all, gradient, with_value);
  return (pairs + turned) / 5.0f;
}

}  // namespace semcorr
