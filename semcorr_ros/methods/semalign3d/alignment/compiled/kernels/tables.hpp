// A class, an image and the hypotheses as flat arrays: what layout.py fills in, in the same order.
// L keypoints, N dense points, M modes, H hypotheses, T steps; rows lie one after the other.
#pragma once

#include <cstdint>

namespace semcorr {

using Index = std::int32_t;
using Size = std::int64_t;

constexpr Size BLOCK = 64;  // combinations of edges that are worked on side by side

struct Betas {            // one family of measures; edges i -> j are numbered i * L + j
  const Index* edges;     // (block, edge of the measure, BLOCK)
  const float* alpha;     // (block, measure, BLOCK), minus 1, over the number of combinations
  const float* beta;
  const float* weight;    // (L * L,) how often an edge is used, sums to 1
  Size blocks;
  Size ends;              // edges of the measure: 2 or 3
  double at_mode;         // mean log density at the mode, summed over measures
};

struct Class {
  const float* sparse;         // (L, 3)
  const Index* annotated;      // keypoints that were ever annotated
  const float* modes;          // (M, 3 L)
  const float* barycentric;    // (L, N)
  const float* facing;         // (3, N); null when points may explain pixels from behind
  const float* facing_sparse;  // (3, L)
  Size keypoints;
  Size annotated_count;
  Size mode_count;
  Size points;
  Betas edge_pairs;
  Betas frames;
};

struct Samples {  // the pool of image points that each step draws from
  const float* x;
  const float* y;
  const float* relief;
  const float* relief_weight;
  const float* log_semantic;  // (sample, point)
  Size count;
};

struct Image {
  Samples dense;
  Samples sparse;
};

struct Plan {             // what the steps of one call use
  const float* rates;     // learning rate of every number
  const float* weights;   // (T, 5) of the terms, see step.hpp
  const float* sigmas;    // (T, 2) dense, sparse
  const Index* rows_dense;   // (T, batch) rows of the pool
  const Index* rows_sparse;
  const float* blurred;   // (map, row, column) background lookup
  const Index* map_of;    // (T,) the map of a step
  const float* low;       // (2,) position x, y of its node (0, 0)
  const float* per_unit;  // (2,) nodes per normalized unit
  Size steps;
  Size batch;
  Size map_rows;
  Size map_columns;
  Size done;  // steps before these
  float decay;           // AdamW's, per unit of learning rate
  float relative_depth;  // 1: terms/depth.py in units of its target, 0: in working units
};

struct Search {    // hypotheses with their moments; written in place
  float* numbers;  // (H, P), see pose.hpp
  float* first;
  float* second;
  float* surface;  // (H,) working depth of the visible surface
  float* points;   // (H, 3, L) keypoints at the numbers
  float* value;    // (H,) objective before the last step
  Size hypotheses;
  Size number_count;
};

}  // namespace semcorr
