// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_GPTQ_LAYOUT_H_
#define BITPACT_QUANT_GPTQ_LAYOUT_H_

// How GPTQ checkpoints (AutoGPTQ, GPTQModel; "gptq" = v1) store a matrix of
// `out` outputs and `in` inputs in `bits` = 2, 3, 4 or 8 bits:
//
//   qweight  int32 [in * bits / 32, out]      codes, packed down the inputs
//   qzeros   int32 [groups, out * bits / 32]  zero-points, along the outputs
//   scales   float16 [groups, out]
//   g_idx    int32 [in]                       the group of each input
//
// Packing: 32 codes fill `bits` words as one stream of bits, lowest bit of the
// lowest word first; 3-bit codes cross words (code 10 has two bits in word 0
// and one in word 1). v1 stores a zero-point z as z - 1 modulo 2^bits, v2 as z.
// w = scale * (q - z), which is our ZeroPointType::kUint8, or kNone where every
// z is 2^(bits-1).

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "quant/packed_matrix.h"

namespace bitpact {

constexpr bool IsGptqWidth(int bits) {
  return bits == 2 || bits == 3 || bits == 4 || bits == 8;
}

struct GptqArrays {
  std::vector<std::uint32_t> qweight;
  std::vector<std::uint32_t> qzeros;
  std::vector<std::byte> scales;  // float16
  std::vector<std::int32_t> g_idx;
  // Zero-points 0, which v1 stores as 2^bits - 1: readers that forget the
  // modulus take it for 2^bits.
  std::int64_t wrapped_zeros = 0;
};

// packed: float16 scales, integer or no zero-points, an IsGptqWidth, rows and
// columns multiples of 32 (CHECK). Version 1. O(rows * cols).
GptqArrays ToGptqArrays(const PackedMatrix& packed);

// Its `scales` alone.
std::vector<std::byte> ToGptqScales(const PackedMatrix& packed);

// The arrays of a file; lengths are checked, nothing is believed.
struct StoredGptqArrays {
  std::span<const std::byte> qweight;
  std::span<const std::byte> qzeros;
  std::span<const std::byte> scales;
  std::span<const std::byte> g_idx;
};

// format: kUint8 or kNone, float16 scales. version: 1 or 2. kInvalidArgument: a
// length; kDataLoss: a scale that is not finite, a group out of range, or a
// zero-point other than 2^(bits-1) in a symmetric format; kUnsupported: groups
// that are not runs of group_size inputs (activation order without static
// groups). O(rows * cols).
Expected<PackedMatrix> FromGptqArrays(const BitFormat& format,
                                      std::int64_t rows,
                                      std::int64_t cols,
                                      const StoredGptqArrays& arrays,
                                      int version);

}  // namespace bitpact

#endif  // BITPACT_QUANT_GPTQ_LAYOUT_H_
