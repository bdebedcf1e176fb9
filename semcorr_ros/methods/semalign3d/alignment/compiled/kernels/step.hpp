// Some steps of Adam on the objective, for the hypotheses of one thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "background.hpp"
#include "geometry.hpp"
#include "pose.hpp"
#include "projection.hpp"
#include "reconstruction.hpp"
#include "rotation.hpp"
#include "tables.hpp"

namespace semcorr {

enum Term { DENSE, SPARSE, GEOMETRY, BACKGROUND, DEPTH, TERMS };  // columns of Plan.weights
constexpr float BETA1 = 0.9f, BETA2 = 0.999f, SMALL = 1e-8f;      // Adam's

class Descent {
 public:
  Descent(const Search& search, const Class& known, const Image& image, const Plan& plan, bool free)
      : search_(search), known_(known), image_(image), plan_(plan), free_(free),
        dense_(3 * known.points * search.hypotheses), placed_(dense_.size()), slope_dense_(dense_.size()),
        back_(3 * known.points), visible_(known.points * search.hypotheses),
        placed_sparse_(3 * known.keypoints * search.hypotheses), slope_sparse_(placed_sparse_.size()),
        slope_(placed_sparse_.size()), visible_sparse_(known.keypoints * search.hypotheses),
        focals_(search.hypotheses), slope_focal_(search.hypotheses), terms_(TERMS * search.hypotheses),
        gradient_(search.number_count), cost_(std::max(known.points, known.keypoints)),
        edges_(known.keypoints) {}

  void go() {
    for (Size t = 0; t < plan_.steps; ++t) {
      for (auto* sums : {&slope_, &slope_dense_, &slope_sparse_, &slope_focal_, &terms_})
        std::fill(sums->begin(), sums->end(), 0.0f);
      for (Size h = 0; h < search_.hypotheses; ++h) look(h, t);
      reconstruct(t);
      for (Size h = 0; h < search_.hypotheses; ++h) {
        collect(h, t);
        adam(h, plan_.done + t + 1);
      }
    }
    for (Size h = 0; h < search_.hypotheses; ++h) place(h);
  }

 private:
  const float* weights(Size t) const { return plan_.weights + t * TERMS; }
  float* numbers(Size h) { return search_.numbers + h * search_.number_count; }
  float* points(Size h) { return search_.points + h * 3 * known_.keypoints; }
  float* dense(Size h, std::vector<float>& of) { return of.data() + h * 3 * known_.points; }
  float* sparse(Size h, std::vector<float>& of) { return of.data() + h * 3 * known_.keypoints; }
  float& term(Term which, Size h) { return terms_[which * search_.hypotheses + h]; }

  void place(Size h) { keypoints_of(known_, numbers(h), free_, points(h)); }

  // Where a hypothesis puts the class's points in the image, how visible they are, and the background there.
  void look(Size h, Size t) {
    place(h);
    const float surface = search_.surface[h], focal = std::exp(numbers(h)[search_.number_count - 1]);
    focals_[h] = focal;
    float rotation[3][3] = {};
    if (known_.facing != nullptr || known_.facing_sparse != nullptr)
      fit_rotation(known_.sparse, points(h), known_.keypoints, known_.annotated, known_.annotated_count,
                   rotation);
    blend(known_, points(h), dense(h, dense_));
    project(dense(h, dense_), known_.points, focal, surface, dense(h, placed_));
    log_visibility(dense(h, dense_), known_.facing, known_.points, rotation, &visible_[h * known_.points]);
    project(points(h), known_.keypoints, focal, surface, sparse(h, placed_sparse_));
    log_visibility(points(h), known_.facing_sparse, known_.keypoints, rotation,
                   &visible_sparse_[h * known_.keypoints]);
    if (weights(t)[BACKGROUND] != 0.0f) {
      const float* map = plan_.blurred + plan_.map_of[t] * plan_.map_rows * plan_.map_columns;
      term(BACKGROUND, h) = spill(plan_, map, dense(h, placed_), known_.points, weights(t)[BACKGROUND],
                                  dense(h, slope_dense_));
    }
  }

  void reconstruct(Size t) {
    const Size many = search_.hypotheses;
    const float *weight = weights(t), *sigma = plan_.sigmas + 2 * t;
    if (weight[DENSE] != 0.0f)
      explain(image_.dense, plan_.rows_dense + t * plan_.batch, plan_.batch,
              {placed_.data(), visible_.data(), focals_.data(), many, known_.points}, sigma[0], weight[DENSE],
              slope_dense_.data(), slope_focal_.data(), &term(DENSE, 0), cost_.data());
    if (weight[SPARSE] != 0.0f)
      explain(image_.sparse, plan_.rows_sparse + t * plan_.batch, plan_.batch,
              {placed_sparse_.data(), visible_sparse_.data(), focals_.data(), many, known_.keypoints}, sigma[1],
              weight[SPARSE], slope_sparse_.data(), slope_focal_.data(), &term(SPARSE, 0), cost_.data());
  }

  // All gradients over the keypoints; the objective, in the last step only.
  void collect(Size h, Size t) {
    const float surface = search_.surface[h], focal = focals_[h];
    const float* weight = weights(t);
    float* slope = sparse(h, slope_);
    std::fill(back_.begin(), back_.end(), 0.0f);
    slope_focal_[h] += project_back(dense(h, dense_), dense(h, placed_), known_.points, focal, surface,
                                    dense(h, slope_dense_), back_.data());
    blend_back(known_, back_.data(), slope);
    slope_focal_[h] += project_back(points(h), sparse(h, placed_sparse_), known_.keypoints, focal, surface,
                                    sparse(h, slope_sparse_), slope);
    const bool with_value = t == plan_.steps - 1;
    if (weight[GEOMETRY] != 0.0f)
      term(GEOMETRY, h) = geometry(known_, points(h), weight[GEOMETRY], edges_, slope, with_value);
    if (weight[DEPTH] != 0.0f) term(DEPTH, h) = depth(h, weight[DEPTH], slope);
    search_.value[h] = 0.0f;
    for (int i = 0; i < TERMS; ++i) search_.value[h] += weight[i] * terms_[i * search_.hypotheses + h];
  }

  // Value and gradient of terms/depth.py.
  float depth(Size h, float weight, float* slope) {
    const float share = 1.0f / static_cast<float>(known_.annotated_count);
    const Size z = 2 * known_.keypoints;
    float error = search_.surface[h] + SURFACE_TO_CENTER;
    for (Size n = 0; n < known_.annotated_count; ++n) error -= points(h)[z + known_.annotated[n]] * share;
    const float unit = plan_.relative_depth != 0.0f ? search_.surface[h] + SURFACE_TO_CENTER : 1.0f;
    error /= unit;
    for (Size n = 0; n < known_.annotated_count; ++n)
      slope[z + known_.annotated[n]] -= 2.0f * weight * error * share / unit;
    return error * error;
  }

  void adam(Size h, Size step) {
    const Size count = search_.number_count;
    float *row = numbers(h), *first = search_.first + h * count, *second = search_.second + h * count;
    keypoints_back(known_, row, free_, sparse(h, slope_), gradient_.data());
    gradient_[count - 1] = slope_focal_[h] * std::exp(row[count - 1]);
    const float unbias1 = static_cast<float>(1.0 - std::pow(0.9, static_cast<double>(step)));
    const float unbias2 = static_cast<float>(std::sqrt(1.0 - std::pow(0.999, static_cast<double>(step))));
    for (Size i = 0; i < count; ++i) {
      const float g = gradient_[i];
      first[i] += (1.0f - BETA1) * (g - first[i]);
      second[i] = BETA2 * second[i] + (1.0f - BETA2) * g * g;
      row[i] -= plan_.rates[i] * plan_.decay * row[i];
      row[i] -= plan_.rates[i] / unbias1 * first[i] / (std::sqrt(second[i]) / unbias2 + SMALL);
    }
  }

  const Search& search_;
  const Class& known_;
  const Image& image_;
  const Plan& plan_;
  const bool free_;  // the numbers are keypoint positions
  std::vector<float> dense_, placed_, slope_dense_, back_, visible_;
  std::vector<float> placed_sparse_, slope_sparse_, slope_, visible_sparse_;
  std::vector<float> focals_, slope_focal_, terms_, gradient_;
  std::vector<std::int32_t> cost_;
  Edges edges_;
};

}  // namespace semcorr
