// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_PACKED_TENSORS_H_
#define BITPACT_MODELS_PACKED_TENSORS_H_

// How a packed matrix lies in a checkpoint: the names, types and shapes of its
// arrays (models/quantized_model.h says which). One table serves the writer and
// the reader.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "core/unit.h"
#include "models/safetensors.h"
#include "quant/packed_matrix.h"

namespace bitpact {

// Key of the safetensors metadata that holds plan.json's fingerprint.
inline constexpr const char* kPlanKey = "bitpact.plan";

// The arrays of a matrix in this format, in the order codes, scales,
// zero-points (two arrays when symmetric), with empty bytes; of mixed columns
// codes U8 [ColumnCodeBytes], scales U8 [rows] or F16 [rows, 2], columns U8
// [cols] (quant/column_layout.h); of row mixes codes U8 [CodeBytes], the others
// with a row for each that has scales, and absent where none has
// (quant/row_matrix.h).
std::vector<StoredTensor> PackedTensors(const BitFormat& format,
                                        const UnitMatrix& matrix);

// The same with a matrix's bytes, which must outlive the result.
std::vector<StoredTensor> PackedTensors(const PackedMatrix& packed,
                                        const UnitMatrix& matrix);

// Gives a tensor by name, or null.
using TensorFinder = std::function<const StoredTensor*(const std::string&)>;

// The matrix over its stored arrays, where they lie; `owner` keeps these alive.
// file: for messages. kNotFound: an array is missing; kDataLoss: one has
// another type or shape; errors of PackedMatrix::FromMapped. All name file and
// tensor.
Expected<PackedMatrix> MapPacked(const TensorFinder& find,
                                 const std::string& file,
                                 const UnitMatrix& matrix,
                                 const BitFormat& format,
                                 std::shared_ptr<const void> owner);

// "a.b.weight" of "a.b.weight.codes"; the name itself without a dot.
std::string PackedMatrixName(const std::string& tensor);

}  // namespace bitpact

#endif  // BITPACT_MODELS_PACKED_TENSORS_H_
