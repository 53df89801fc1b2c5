// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "Eigen/Core"
#include "core/check.h"
#include "models/safetensors.h"

namespace bitpact {
namespace {

// memcpy, since a tensor may begin at an odd byte.
std::uint16_t Load16(std::span<const std::byte> bytes, std::size_t index) {
  std::uint16_t value = 0;
  std::memcpy(&value, bytes.data() + 2 * index, sizeof(value));
  return value;
}

void Widen(const StoredTensor& tensor, std::span<float> out) {
  if (tensor.type == TensorType::kF32) {
    if (!out.empty()) {
      std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
    }
  } else if (tensor.type == TensorType::kBF16) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] =
          std::bit_cast<float>(std::uint32_t{Load16(tensor.bytes, i)} << 16U);
    }
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = Eigen::half_impl::half_to_float(
          Eigen::half_impl::raw_uint16_to_half(Load16(tensor.bytes, i)));
    }
  }
}

}  // namespace

Expected<void> WidenToFloat(const StoredTensor& tensor,
                            const std::string& file,
                            std::span<float> out) {
  const std::string place = file + ": tensor " + QuotedName(tensor.name) + ": ";
  if (tensor.type != TensorType::kF32 && tensor.type != TensorType::kF16 &&
      tensor.type != TensorType::kBF16) {
    return Fail(ErrorCode::kUnsupported,
                place + "field 'dtype' = " + TensorTypeName(tensor.type) +
                    ": a weight must be F32, F16 or BF16");
  }
  const auto size = static_cast<std::size_t>(TensorTypeBytes(tensor.type));
  BITPACT_CHECK(out.size() * size == tensor.bytes.size(), "one float a value");
  Widen(tensor, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i])) [[unlikely]] {
      return Fail(ErrorCode::kDataLoss,
                  place + "value " + std::to_string(i) + " is " +
                      (std::isnan(out[i]) ? "NaN" : "infinite") +
                      ": weights must be finite");
    }
  }
  return {};
}

}  // namespace bitpact
