// SPDX-License-Identifier: Apache-2.0
#include "models/packed_tensors.h"

#include <array>
#include <span>
#include <utility>

#include "quant/column_layout.h"

namespace bitpact {
namespace {

TensorType TypeOf(ScaleType type) {
  return type == ScaleType::kFloat16 ? TensorType::kF16 : TensorType::kF32;
}

TensorType TypeOf(ZeroPointType type) {
  switch (type) {
    case ZeroPointType::kFloat16:
      return TensorType::kF16;
    case ZeroPointType::kFloat32:
      return TensorType::kF32;
    default:
      return TensorType::kU8;
  }
}

// Of mixed columns: the layout of quant/column_layout.h.
std::vector<StoredTensor> ColumnTensors(const BitFormat& format,
                                        const UnitMatrix& matrix) {
  const bool ranges = format.column_grid == ColumnGrid::kRange;
  return {{matrix.tensor + ".codes",
           TensorType::kU8,
           {ColumnCodeBytes(format, matrix.rows, matrix.cols)},
           {}},
          {matrix.tensor + ".scales",
           ranges ? TensorType::kF16 : TensorType::kU8,
           ranges ? std::vector<std::int64_t>{matrix.rows, 2}
                  : std::vector<std::int64_t>{matrix.rows},
           {}},
          {matrix.tensor + ".columns", TensorType::kU8, {matrix.cols}, {}}};
}

std::vector<std::int64_t> CodeShape(const BitFormat& format,
                                    const UnitMatrix& matrix) {
  if (format.row_mix()) return {CodeBytes(format, matrix.rows, matrix.cols)};
  return {matrix.rows, RowCodeBytes(format.bits, matrix.cols)};
}

}  // namespace

std::vector<StoredTensor> PackedTensors(const BitFormat& format,
                                        const UnitMatrix& matrix) {
  const std::int64_t groups = GroupsPerRow(format, matrix.cols);
  std::vector<StoredTensor> tensors;
  if (format.mixed_columns()) return ColumnTensors(format, matrix);
  tensors.push_back({matrix.tensor + ".codes",
                     TensorType::kU8,
                     CodeShape(format, matrix),
                     {}});
  const std::int64_t scaled_rows = ScaledRows(format, matrix.rows);
  if (scaled_rows == 0) return tensors;
  tensors.push_back({matrix.tensor + ".scales",
                     TypeOf(format.scale_type),
                     {scaled_rows, groups},
                     {}});
  if (!format.symmetric()) {
    tensors.push_back({matrix.tensor + ".zero_points",
                       TypeOf(format.zero_point_type),
                       {scaled_rows, groups},
                       {}});
  }
  return tensors;
}

std::vector<StoredTensor> PackedTensors(const PackedMatrix& packed,
                                        const UnitMatrix& matrix) {
  std::vector<StoredTensor> tensors = PackedTensors(packed.format(), matrix);
  tensors[0].bytes = packed.codes();
  if (tensors.size() > 1) tensors[1].bytes = packed.scales();
  if (tensors.size() > 2) tensors[2].bytes = packed.zero_points();
  return tensors;
}

Expected<PackedMatrix> MapPacked(const TensorFinder& find,
                                 const std::string& file,
                                 const UnitMatrix& matrix,
                                 const BitFormat& format,
                                 std::shared_ptr<const void> owner) {
  std::array<std::span<const std::byte>, 3> arrays;
  std::size_t count = 0;
  for (const StoredTensor& wanted : PackedTensors(format, matrix)) {
    const std::string place = file + ": tensor " + QuotedName(wanted.name);
    const StoredTensor* stored = find(wanted.name);
    if (stored == nullptr) {
      return Fail(ErrorCode::kNotFound, place + " is missing");
    }
    if (stored->type != wanted.type || stored->shape != wanted.shape) {
      return Fail(ErrorCode::kDataLoss,
                  place + " is " + TensorTypeName(stored->type) + " " +
                      ShapeText(stored->shape) + ": the plan asks for " +
                      TensorTypeName(wanted.type) + " " +
                      ShapeText(wanted.shape));
    }
    arrays.at(count++) = stored->bytes;
  }
  Expected<PackedMatrix> packed =
      PackedMatrix::FromMapped(format,
                               matrix.rows,
                               matrix.cols,
                               {arrays[0], arrays[1], arrays[2]},
                               std::move(owner));
  if (!packed) {
    Error error = packed.error();
    error.message =
        file + ": tensor " + QuotedName(matrix.tensor) + ": " + error.message;
    return tl::unexpected(std::move(error));
  }
  return packed;
}

std::string PackedMatrixName(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind('.'));
}

}  // namespace bitpact
