// SPDX-License-Identifier: Apache-2.0
#include "models/packed_tensors.h"

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

}  // namespace

std::vector<StoredTensor> PackedTensors(const BitFormat& format,
                                        const UnitMatrix& matrix) {
  const std::int64_t groups = GroupsPerRow(format, matrix.cols);
  std::vector<StoredTensor> tensors;
  tensors.push_back({matrix.tensor + ".codes",
                     TensorType::kU8,
                     {matrix.rows, RowCodeBytes(format.bits, matrix.cols)},
                     {}});
  tensors.push_back({matrix.tensor + ".scales",
                     TypeOf(format.scale_type),
                     {matrix.rows, groups},
                     {}});
  if (!format.symmetric()) {
    tensors.push_back({matrix.tensor + ".zero_points",
                       TypeOf(format.zero_point_type),
                       {matrix.rows, groups},
                       {}});
  }
  return tensors;
}

std::string PackedMatrixName(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind('.'));
}

}  // namespace bitpact
