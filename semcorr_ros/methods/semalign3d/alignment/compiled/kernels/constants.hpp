// What the reference engine's Python defines as well; layout.py refuses a library that holds others.
#pragma once

namespace semcorr {

constexpr float EPSILON = 1e-4f;          // terms/geometry.py clamps measures to [EPSILON, 1 - EPSILON]
constexpr float DEGENERATE_EDGE = 1e-8f;  // building/geometry_measures.py
constexpr float DEGENERATE_SINE = 1e-6f;
constexpr float MIN_DEPTH = 0.05f;        // state.py
constexpr float HORIZON = 0.0f;           // visibility.py
constexpr float SOFTNESS = 0.15f;
constexpr float SURFACE_TO_CENTER = 0.5f;  // terms/depth.py

}  // namespace semcorr
