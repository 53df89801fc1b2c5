// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_HQQ_QUANTIZER_H_
#define BITPACT_QUANT_HQQ_QUANTIZER_H_

// Half-quadratic quantization: scales as round-to-nearest chooses them, and
// shifts that minimise sum |w - w^|^p with p < 1, which forgives outliers. See
// Badri & Shaji, "Half-Quadratic Quantization of Large Machine Learning
// Models" (2023), and mobiusml/hqq. No data is needed.
//
// With q the code of w, w^ = scale * q - shift and d = w - w^, repeat
//   e     = sign(d) * max(|d| - |d|^(p-1) / beta, 0)
//   shift = mean over the group of scale * q - (w - e)
//   beta  = beta * kappa
// The scale never changes. Symmetric formats have no shift to move; there the
// same problem is solved for the scale instead, with k = q - 2^(b-1):
//   scale = sum of k * (w - e) / sum of k^2
// (the reference has no symmetric formats).
//
// Two ways to stop:
//   kEachGroup (ours, the default)  a group stops when its shift stands still
//       and keeps, of all shifts it met, the one with the least sum |d|^p,
//       measured with the stored scale and shift. Groups are independent, so
//       every group is at least as good in that measure as its start, which is
//       round-to-nearest, and as wherever on the same path (same kappa) the
//       other way stops. Not stopping at the first step that is no better
//       matters: the path often rises before it falls.
//   kWholeMatrix (mobiusml/hqq's shipped loop)  all groups stop when the mean
//       |d| over the matrix no longer falls, and keep the last shift computed,
//       even where it is worse. The reference leaves beta as it is: kappa = 1.
//
// Formats: a float shift (zero * scale in the reference's terms). With an
// integer zero-point (kUint8) each step's zero-point is rounded to the nearest
// of 0..2^b-1, which kEachGroup makes harmless.
//
// The shrinkage compares |d| with |d|^(p-1) / beta, so it depends on the unit
// of the weights: below |d| = beta^(-1/(2-p)) (0.17 by default) e is 0 and the
// step is the least-squares shift of the codes. Most layers live there.
//
// Every kernel level gives the same codes, scales and shifts. Cost:
// O(iterations * rows * cols) at most; memory: a row.

#include <memory>

#include "core/error.h"
#include "quant/quantizer.h"

namespace bitpact {

enum class HqqStop { kEachGroup, kWholeMatrix };

struct HqqOptions {
  // The exponent of the error measure, in (0, 1).
  double p = 0.7;
  // > 0.
  double beta = 10.0;
  // Factor of beta after each iteration, in [1, 2].
  double kappa = 1.01;
  // Steps at most, 1..1000.
  int iterations = 20;
  HqqStop stop = HqqStop::kEachGroup;
  // Rounds the first shift to a whole number of scales, as the reference does
  // at 4 bits by default; it is not rounded again. Then round-to-nearest is
  // not where the method starts.
  bool round_first_zero = false;
};

// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const HqqOptions& options);

// Named "hqq". `options` are valid (CHECK). Errors: Quantizer::Quantize's, and
// kUnsupported where a scale or shift exceeds its stored type.
std::unique_ptr<Quantizer> MakeHqqQuantizer(const HqqOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_QUANT_HQQ_QUANTIZER_H_
