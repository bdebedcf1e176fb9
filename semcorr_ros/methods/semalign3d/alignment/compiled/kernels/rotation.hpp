// The rotation between two sets of keypoints (Horn 1987, as an eigenvector).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tables.hpp"

namespace semcorr {

constexpr int SWEEPS = 12;  // of Jacobi's method; five are enough for doubles

inline bool is_finite(double x) {  // by its bits: fast arithmetic may assume there is no NaN
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7FF0000000000000u) != 0x7FF0000000000000u;
}

// Turn rows and columns p, q of the symmetric a (4, 4) so that a[p][q] vanishes; v collects the turns.
inline void annihilate(double (&a)[4][4], double (&v)[4][4], int p, int q) {
  if (a[p][q] == 0.0) return;
  const double theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
  const double t = (theta < 0.0 ? -1.0 : 1.0) / (std::fabs(theta) + std::sqrt(theta * theta + 1.0));
  const double c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;
  for (int k = 0; k < 4; ++k) {
    const double kp = a[k][p], kq = a[k][q];
    a[k][p] = c * kp - s * kq, a[k][q] = s * kp + c * kq;
  }
  for (int k = 0; k < 4; ++k) {
    const double pk = a[p][k], qk = a[q][k];
    a[p][k] = c * pk - s * qk, a[q][k] = s * pk + c * qk;
    const double vp = v[k][p], vq = v[k][q];
    v[k][p] = c * vp - s * vq, v[k][q] = s * vp + c * vq;
  }
}

// Proper rotation (3, 3) that turns canonical (L, 3) into points (3, L), over the annotated keypoints; the
// identity where it is undetermined, as for points that are not finite.
inline void fit_rotation(const float* canonical, const float* points, Size count, const Index* annotated,
                         Size annotated_count, float (&rotation)[3][3]) {
  double c[3][3] = {}, center[3] = {}, mean[3] = {};
  for (Size n = 0; n < annotated_count; ++n)
    for (int k = 0; k < 3; ++k) {
      center[k] += static_cast<double>(canonical[3 * annotated[n] + k]) / annotated_count;
      mean[k] += static_cast<double>(points[k * count + annotated[n]]) / annotated_count;
    }
  for (Size n = 0; n < annotated_count; ++n)
    for (int k = 0; k < 3; ++k)
      for (int m = 0; m < 3; ++m)
        c[k][m] += (points[k * count + annotated[n]] - mean[k]) * (canonical[3 * annotated[n] + m] - center[m]);
  double size = 0.0;
  for (const auto& row : c)
    for (double entry : row) size += entry * entry;
  double a[4][4] = {{c[0][0] + c[1][1] + c[2][2], c[2][1] - c[1][2], c[0][2] - c[2][0], c[1][0] - c[0][1]},
                    {0, c[0][0] - c[1][1] - c[2][2], c[1][0] + c[0][1], c[2][0] + c[0][2]},
                    {0, 0, c[1][1] - c[0][0] - c[2][2], c[2][1] + c[1][2]},
                    {0, 0, 0, c[2][2] - c[0][0] - c[1][1]}};
  double v[4][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < i; ++j) a[i][j] = a[j][i];
  for (int sweep = 0; sweep < SWEEPS && is_finite(size); ++sweep) {
    double rest = 0.0;
    for (int p = 0; p < 3; ++p)
      for (int q = p + 1; q < 4; ++q) rest += a[p][q] * a[p][q];
    if (rest <= 1e-30 * size) break;
    for (int p = 0; p < 3; ++p)
      for (int q = p + 1; q < 4; ++q) annihilate(a, v, p, q);
  }
  int best = 0;
  for (int i = 1; i < 4 && is_finite(size); ++i)
    if (a[i][i] > a[best][best]) best = i;
  const double w = v[0][best], x = v[1][best], y = v[2][best], z = v[3][best];
  const double matrix[3][3] = {{1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)},
                               {2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)},
                               {2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)}};
  for (int k = 0; k < 3; ++k)
    for (int m = 0; m < 3; ++m) rotation[k][m] = static_cast<float>(matrix[k][m]);
}

}  // namespace semcorr
