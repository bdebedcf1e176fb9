// Value and gradient of terms/background.py, given the blurred background of one step.
#pragma once

#include <cmath>

#include "tables.hpp"

namespace semcorr {

// Mean background at placed (3, P), 0 outside the lookup `map` (row, column) of the plan.
// Adds `weight` times its gradient to slope (3, P).
inline float spill(const Plan& plan, const float* map, const float* placed, Size points, float weight,
                   float* slope) {
  const float share = 1.0f / static_cast<float>(points);
  const Size rows = plan.map_rows, columns = plan.map_columns;
  float value = 0.0f;
  for (Size i = 0; i < points; ++i) {
    const float x = (placed[i] - plan.low[0]) * plan.per_unit[0];
    const float y = (placed[points + i] - plan.low[1]) * plan.per_unit[1];
    if (!(x > -1.0f && y > -1.0f && x < static_cast<float>(columns) && y < static_cast<float>(rows))) continue;
    const float floor_x = std::floor(x), floor_y = std::floor(y);
    const Size column = static_cast<Size>(floor_x), row = static_cast<Size>(floor_y);
    const float fx = x - floor_x, fy = y - floor_y;
    const bool left = column >= 0, right = column + 1 < columns, top = row >= 0, bottom = row + 1 < rows;
    const float* at = map + row * columns + column;
    const float a = left && top ? at[0] : 0.0f, b = right && top ? at[1] : 0.0f;
    const float c = left && bottom ? at[columns] : 0.0f, d = right && bottom ? at[columns + 1] : 0.0f;
    const float upper = a + (b - a) * fx, lower = c + (d - c) * fx;
    value += share * (upper + (lower - upper) * fy);
    slope[i] += weight * share * ((b - a) * (1.0f - fy) + (d - c) * fy) * plan.per_unit[0];
    slope[points + i] += weight * share * (lower - upper) * plan.per_unit[1];
  }
  return value;
}

}  // namespace semcorr
