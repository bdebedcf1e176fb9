// The C interface that library.py calls. Only std::bad_alloc may leave it, which ends the process.

#include "scoring.hpp"
#include "step.hpp"

extern "C" {

void semcorr_descend(const semcorr::Search* search, const semcorr::Class* known, const semcorr::Image* image,
                     const semcorr::Plan* plan, int free) {
  semcorr::Descent(*search, *known, *image, *plan, free != 0).go();
}

void semcorr_score(const semcorr::Class* known, const semcorr::Samples* samples, const float* points,
                   const float* focals, const float* surfaces, semcorr::Size count, float sigma, float* found) {
  semcorr::score(*known, *samples, points, focals, surfaces, count, sigma, found);
}

void semcorr_fit_rotation(const float* canonical, const float* points, semcorr::Size count,
                          const semcorr::Index* annotated, semcorr::Size annotated_count, float* rotation) {
  float found[3][3];
  semcorr::fit_rotation(canonical, points, count, annotated, annotated_count, found);
  std::copy(&found[0][0], &found[0][0] + 9, rotation);
}

// Sizes of the structures and values of the constants, for layout.py to compare with its own.
void semcorr_layout(double* out) {
  const double all[] = {sizeof(semcorr::Betas), sizeof(semcorr::Class), sizeof(semcorr::Samples),
                        sizeof(semcorr::Image), sizeof(semcorr::Plan), sizeof(semcorr::Search),
                        semcorr::BLOCK, semcorr::EPSILON, semcorr::DEGENERATE_EDGE, semcorr::DEGENERATE_SINE,
                        semcorr::MIN_DEPTH, semcorr::HORIZON, semcorr::SOFTNESS, semcorr::SURFACE_TO_CENTER};
  std::copy(std::begin(all), std::end(all), out);
}
}
