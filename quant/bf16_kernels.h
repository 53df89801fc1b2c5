// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_BF16_KERNELS_H_
#define BITPACT_QUANT_BF16_KERNELS_H_

// The inner loops of products whose operands are rounded to bfloat16; for use
// inside quant/. The columns of a row are taken in pairs, two numbers of 16
// bits in one word of 32, so that panels of words (quant/panels.h) have the
// layout of panels of floats, and only the multiplication is another: a step
// multiplies a word with a word and adds both products to a float32 sum. Twice
// the products of a float32 step at the same price; a sum's order is a function
// of the number of columns alone, as there.
//
// Only processors with AVX512_BF16 have it: elsewhere it would be slower than
// float32, and so there is none.

#include <cstdint>

#include "quant/kernels.h"

namespace bitpact {

constexpr std::int64_t PairWords(std::int64_t cols) { return (cols + 1) / 2; }

struct Bf16Kernels {
  // from: [rows, cols], contiguous. to: [rows, PairWords(cols)] words, kept as
  // floats of the same bits; not aliasing. Word i of a row holds column 2i in
  // its low half and column 2i + 1, or 0 behind the last, in its high half,
  // each rounded to nearest, halves to even; below 2^-126 they become 0, NaN
  // stays.
  void (*pair_rows)(const float* from,
                    std::int64_t rows,
                    std::int64_t cols,
                    float* to);
  // Kernels::multiply_panels on panels and rows of words; `inner` and
  // `row_stride` count words, y is float32.
  void (*multiply_panels)(const PanelProduct& product);
};

// Null where this processor or operating system cannot run them.
const Bf16Kernels* FindBf16Kernels();

}  // namespace bitpact

#endif  // BITPACT_QUANT_BF16_KERNELS_H_
