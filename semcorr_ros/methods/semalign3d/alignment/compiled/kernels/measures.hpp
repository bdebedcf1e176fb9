// The measures of terms/geometry.py on a block of combinations: from edges to penalties and slopes.
// A block is one flat array, BLOCK numbers per row; rows are x, y, z, length of one edge after the other.
// In place of the edges come the slopes over them. Both return the penalties' sum, or 0 where it is not wanted.
#pragma once

#include <cmath>

#include "betas.hpp"
#include "tables.hpp"

namespace semcorr {

constexpr float PER_TURN = 1.0f / HALF_TURN;
constexpr Size X = 0, Y = BLOCK, Z = 2 * BLOCK, LENGTH = 3 * BLOCK, EDGE = 4 * BLOCK;

// Angle and ratio of two edges; alpha, beta (2, BLOCK).
template <bool with_value>
float edge_pairs(float* __restrict work, const float* __restrict alpha, const float* __restrict beta) {
  float value = 0.0f;
  for (Size k = 0; k < BLOCK; ++k) {
    const float px = work[k + X], py = work[k + Y], pz = work[k + Z], p = work[k + LENGTH];
    const float qx = work[k + EDGE + X], qy = work[k + EDGE + Y], qz = work[k + EDGE + Z];
    const float q = work[k + EDGE + LENGTH];
    const float a0 = alpha[k], a1 = alpha[BLOCK + k], b0 = beta[k], b1 = beta[BLOCK + k];
    const float cosine = px * qx + py * qy + pz * qz;
    const float flat = (1.0f - cosine) * (1.0f + cosine);
    const float sine = std::sqrt((flat > 0.0f ? flat : 0.0f) + DEGENERATE_SINE);
    const float angle = angle_of(sine, cosine) * PER_TURN;
    const float inverse = 1.0f / (p + q);
    const float ratio = p * inverse;
    if (with_value) value += beta_value(angle, a0, b0) + beta_value(ratio, a1, b1);
    const float g = -beta_slope(angle, a0, b0) * PER_TURN / sine;
    const float h = beta_slope(ratio, a1, b1) * inverse;
    work[k + X] = g * qx;
    work[k + Y] = g * qy;
    work[k + Z] = g * qz;
    work[k + LENGTH] = h * (1.0f - ratio);
    work[k + EDGE + X] = g * px;
    work[k + EDGE + Y] = g * py;
    work[k + EDGE + Z] = g * pz;
    work[k + EDGE + LENGTH] = -h * ratio;
  }
  return value;
}

// Direction cosines of an edge r in the frame that edges x and s span; alpha, beta (3, BLOCK).
template <bool with_value>
float frames(float* __restrict work, const float* __restrict alpha, const float* __restrict beta) {
  float value = 0.0f;
  for (Size k = 0; k < BLOCK; ++k) {
    const float xx = work[k + X], xy = work[k + Y], xz = work[k + Z];
    const float sx = work[k + EDGE + X], sy = work[k + EDGE + Y], sz = work[k + EDGE + Z];
    const float rx = work[k + 2 * EDGE + X], ry = work[k + 2 * EDGE + Y], rz = work[k + 2 * EDGE + Z];
    const float a0 = alpha[k], a1 = alpha[BLOCK + k], a2 = alpha[2 * BLOCK + k];
    const float b0 = beta[k], b1 = beta[BLOCK + k], b2 = beta[2 * BLOCK + k];
    const float along = xx * rx + xy * ry + xz * rz;
    const float across = xx * sx + xy * sy + xz * sz;
    const float ray_side = rx * sx + ry * sy + rz * sz;
    const float nx = xy * sz - xz * sy, ny = xz * sx - xx * sz, nz = xx * sy - xy * sx;
    const float raised = nx * rx + ny * ry + nz * rz;
    const float flat = (1.0f - across) * (1.0f + across);
    const float inverse = 1.0f / std::sqrt((flat > 0.0f ? flat : 0.0f) + DEGENERATE_SINE);
    const float cos_y = (ray_side - across * along) * inverse;
    const float cos_z = raised * inverse;
    const float x = 0.5f * along + 0.5f, y = 0.5f * cos_y + 0.5f, z = 0.5f * cos_z + 0.5f;
    if (with_value) value += beta_value(x, a0, b0) + beta_value(y, a1, b1) + beta_value(z, a2, b2);
    const float gx = 0.5f * beta_slope(x, a0, b0);
    const float gy = 0.5f * beta_slope(y, a1, b1) * inverse;
    const float gz = 0.5f * beta_slope(z, a2, b2) * inverse;
    const float g_along = gx - gy * across;
    // d inverse / d across = across * inverse^3
    const float lean = across * inverse * (gy * cos_y + gz * cos_z);
    const float g_across = -gy * along + (flat > 0.0f ? lean : 0.0f);
    // raised = (x cross s) . r = (s cross r) . x = (r cross x) . s
    work[k + X] = g_along * rx + g_across * sx + gz * (sy * rz - sz * ry);
    work[k + Y] = g_along * ry + g_across * sy + gz * (sz * rx - sx * rz);
    work[k + Z] = g_along * rz + g_across * sz + gz * (sx * ry - sy * rx);
    work[k + EDGE + X] = gy * rx + g_across * xx + gz * (ry * xz - rz * xy);
    work[k + EDGE + Y] = gy * ry + g_across * xy + gz * (rz * xx - rx * xz);
    work[k + EDGE + Z] = gy * rz + g_across * xz + gz * (rx * xy - ry * xx);
    work[k + 2 * EDGE + X] = g_along * xx + gy * sx + gz * nx;
    work[k + 2 * EDGE + Y] = g_along * xy + gy * sy + gz * ny;
    work[k + 2 * EDGE + Z] = g_along * xz + gy * sz + gz * nz;
  }
  return value;
}

}  // namespace semcorr
