// The likelihood of many starts from few samples.
#pragma once

#include <cmath>
#include <vector>

#include "projection.hpp"
#include "reconstruction.hpp"
#include "rotation.hpp"
#include "tables.hpp"

namespace semcorr {

// found (H,): mean over all samples of max_i p_rec, for keypoints (H, 3, L), focals and surfaces (H,).
inline void score(const Class& known, const Samples& samples, const float* points, const float* focals,
                  const float* surfaces, Size count, float sigma, float* found) {
  const Size n = known.points;
  std::vector<float> dense(3 * n), placed(3 * n), visible(n);
  std::vector<std::int32_t> cost(n);
  const float sharp = 0.5f / (sigma * sigma);
  for (Size h = 0; h < count; ++h) {
    const float* at = points + h * 3 * known.keypoints;
    float rotation[3][3] = {};
    if (known.facing != nullptr)
      fit_rotation(known.sparse, at, known.keypoints, known.annotated, known.annotated_count, rotation);
    blend(known, at, dense.data());
    project(dense.data(), n, focals[h], surfaces[h], placed.data());
    log_visibility(dense.data(), known.facing, n, rotation, visible.data());
    float sum = 0.0f;
    for (Size s = 0; s < samples.count; ++s) {
      const Sample sample{samples.x[s], samples.y[s], focals[h] * samples.relief[s], samples.relief_weight[s],
                          sharp};
      const Size i = cheapest(samples.log_semantic + s * n, visible.data(), placed.data(), n, sample,
                              cost.data());
      sum += std::exp(-float_of(cost[i]));
    }
    found[h] = sum / static_cast<float>(samples.count);
  }
}

}  // namespace semcorr
