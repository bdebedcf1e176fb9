// Value and gradient of terms/reconstruction.py for several hypotheses that look at the same samples.
#pragma once

#include <algorithm>
#include <cmath>

#include "betas.hpp"
#include "tables.hpp"

namespace semcorr {

struct Sample {  // an image point; relief times focal length; sharp: 1 / (2 sigma^2)
  float x, y, relief, weight, sharp;
};

// Writes -log p_rec of every point of placed (3, P) to cost (P,) and returns where it is smallest.
// A cost is never negative, so its bits order like integers - whose minimum, unlike that of floats,
// is the same in any order, so the compiler turns it into vector instructions.
inline Size cheapest(const float* __restrict semantic, const float* __restrict visible,
                     const float* __restrict placed, Size count, const Sample& at,
                     std::int32_t* __restrict cost) {
  std::int32_t least = 0x7FFFFFFF;
  for (Size i = 0; i < count; ++i) {
    const float du = at.x - placed[i], dv = at.y - placed[count + i], dr = at.relief - placed[2 * count + i];
    const float found = at.sharp * (du * du + dv * dv + at.weight * dr * dr) - semantic[i] - visible[i];
    cost[i] = bits_of(found);
    least = std::min(least, cost[i]);
  }
  const std::int32_t end = static_cast<std::int32_t>(count);
  std::int32_t where = end;
  for (std::int32_t i = 0; i < end; ++i) {
    const std::int32_t here = cost[i] == least ? i : end;
    where = std::min(where, here);
  }
  return where;
}

struct Placed {  // what `explain` looks at, for H hypotheses and P points
  const float* points;   // (H, 3, P)
  const float* visible;  // (H, P)
  const float* focals;   // (H,)
  Size hypotheses, count;
};

// max_i p_rec(xy, i) over the samples `rows`. Adds `weight` times the gradient of the negative mean to
// slope (H, 3, P) and slope_focal (H,), and the unweighted negative mean to value (H,). Samples are the
// outer loop: a row of the similarities is read from memory once for all hypotheses.
inline void explain(const Samples& samples, const Index* rows, Size batch, const Placed& placed, float sigma,
                    float weight, float* slope, float* slope_focal, float* value, std::int32_t* cost) {
  const Size count = placed.count;
  const float sharp = 0.5f / (sigma * sigma), share = 1.0f / static_cast<float>(batch);
  for (Size k = 0; k < batch; ++k) {
    const Size s = rows[k];
    const float rest = samples.relief[s];
    const float* semantic = samples.log_semantic + s * count;
    for (Size h = 0; h < placed.hypotheses; ++h) {
      const float* at = placed.points + h * 3 * count;
      const Sample sample{samples.x[s], samples.y[s], placed.focals[h] * rest, samples.relief_weight[s], sharp};
      const Size i = cheapest(semantic, placed.visible + h * count, at, count, sample, cost);
      const float likelihood = std::exp(-float_of(cost[i]));
      value[h] -= share * likelihood;
      const float pull = -2.0f * sharp * share * weight * likelihood;
      float* to = slope + h * 3 * count;
      to[i] += pull * (sample.x - at[i]);
      to[count + i] += pull * (sample.y - at[count + i]);
      const float relief_pull = pull * sample.weight * (sample.relief - at[2 * count + i]);
      to[2 * count + i] += relief_pull;
      slope_focal[h] -= relief_pull * rest;
    }
  }
}

}  // namespace semcorr
