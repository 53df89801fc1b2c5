// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_GPTQ_QUANTIZER_H_
#define BITPACT_QUANT_GPTQ_QUANTIZER_H_

// GPTQ: columns are rounded one after another, and each later column is moved
// so as to make up, on the inputs the layer was seen to receive, for the errors
// of the columns before it. See Frantar, Ashkboos, Hoefler & Alistarh, "GPTQ:
// Accurate Post-Training Quantization for Generative Pre-trained Transformers"
// (2022), and IST-DASLab/gptq.
//
// The layer error is tr((W - Q) H (W - Q)^T) with H the Hessian of
// LayerInputs. GPTQ is greedy: it is far below round-to-nearest's in practice,
// but no theorem says so for clamped codes. With H a multiple of the identity
// and an order that keeps the columns, codes are round-to-nearest's exactly.
//
// The updates (quant/gptq_factor.h) equal the reference's in exact arithmetic;
// in float32 a code may differ where a moved weight lies within rounding of the
// middle between two values. Updates run over blocks of columns: inside a block
// sixteen rows at a time from registers, behind it by one matrix product a
// block.
//
// Deviations from the reference:
//   - A column whose diagonal entry is 0 (an input that was always 0) is
//     rounded to nearest, where the reference sets its weights to 0: that costs
//     nothing on the inputs seen and is right on others. It does not count in
//     the mean of the diagonal either.
//   - A group of equal weights has scale 0 where the grid says so
//     (quant/group_grid.h); such a group cannot make up for anything.
//   - The damping is raised only when the factorization fails; a note says so.
//
// What the groups' grids are fitted to:
//   kOriginal  the weights as given, all groups beforehand ("static groups").
//   kCurrent   the weights as the finished blocks of columns have left them
//              when the block in which the group starts is begun; updates from
//              within that block are not in yet, as in the reference.
// Order: natural, or by falling diagonal of H ("act-order"). Groups stay those
// of the original columns, so that nothing has to be stored or undone; this
// takes grids from kOriginal unless a row is one group. (The reference's
// act-order without static groups makes groups of columns far apart and stores
// where each went; our formats do not express it. A caller that permutes W and
// H itself gets those codes.)

#include <cstdint>
#include <memory>

#include "core/error.h"
#include "quant/group_grid.h"
#include "quant/quantizer.h"

namespace bitpact {

enum class GptqGridSource { kOriginal, kCurrent };

struct GptqOptions {
  // Added to each diagonal entry of H, relative to their mean; in (0, 10].
  double damping = 0.01;
  // Columns whose updates are kept together, 1..1024. Without kCurrent grids it
  // changes speed only (and rounding).
  std::int64_t block_size = 128;
  // The default pair makes the smallest layer errors: on synthetic layers with
  // correlated inputs 2..40% below natural order with kCurrent grids (the
  // reference's default), half and less with outlier inputs.
  bool activation_order = true;
  GptqGridSource grid_source = GptqGridSource::kOriginal;
  // The reference's symmetric grids are kAllCodes.
  SymmetricRange symmetric_range = SymmetricRange::kWithinCodes;
};

// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const GptqOptions& options);

// Named "gptq"; makes every BitFormat. `options` are valid (CHECK). Quantize's
// errors besides Quantizer::Quantize's: kInvalidArgument when the Hessian is
// missing, has another size, or for FactorHessian's reasons; kUnsupported where
// a scale or shift exceeds its stored type, and for activation order with
// several groups a row and kCurrent grids. Codes may differ in rare places
// between processors with different instruction sets.
// rows * cols^2 / 2 + cols^3 / 6 multiplications and additions (with kCurrent
// cols^3 / 3) on the calling thread; memory: 4 * cols^2 bytes and about 5 KiB a
// column.
std::unique_ptr<Quantizer> MakeGptqQuantizer(const GptqOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_QUANT_GPTQ_QUANTIZER_H_
