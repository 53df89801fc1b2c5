// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels.h"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "core/check.h"

namespace bitpact {
namespace {

const std::uint8_t* Bytes(std::span<const std::byte> bytes, std::int64_t at) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data()) + at;
}

#if defined(__x86_64__)
// Not every compiler knows the name "f16c".
bool HasF16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

std::vector<KernelLevel> FindLevels() {
  std::vector<KernelLevel> levels = {KernelLevel::kPortable};
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") &&
                    __builtin_cpu_supports("fma") && HasF16c();
  if (avx2) levels.push_back(KernelLevel::kAvx2);
  if (avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    levels.push_back(KernelLevel::kAvx512);
  }
#endif
  return levels;
}

}  // namespace

PackedShape ShapeOf(const PackedMatrix& matrix) {
  const std::int64_t groups = GroupsPerRow(matrix.format(), matrix.cols());
  return {
      .format = matrix.format(),
      .rows = matrix.rows(),
      .cols = matrix.cols(),
      .groups = groups,
      .group_width = groups == 1 ? matrix.cols() : matrix.format().group_size};
}

PackedRow RowOf(const PackedMatrix& matrix, std::int64_t row) {
  const BitFormat& format = matrix.format();
  const std::int64_t groups = GroupsPerRow(format, matrix.cols());
  PackedRow result;
  std::int64_t at = row * RowCodeBytes(format.bits, matrix.cols());
  const auto planes = PlaneBits(format.bits);
  for (std::size_t i = 0; i < planes.size() && planes[i] != 0; ++i) {
    result.planes[i] = Bytes(matrix.codes(), at);
    at += (matrix.cols() * planes[i] + 7) / 8;
  }
  result.scales =
      Bytes(matrix.scales(), row * groups * ScaleBytes(format.scale_type));
  result.zero_points =
      Bytes(matrix.zero_points(),
            row * groups * ZeroPointBytes(format.zero_point_type));
  return result;
}

const std::vector<KernelLevel>& AvailableKernelLevels() {
  static const std::vector<KernelLevel> levels = FindLevels();
  return levels;
}

const Kernels& KernelsOf(KernelLevel level) {
  BITPACT_CHECK(std::ranges::count(AvailableKernelLevels(), level) == 1,
                "a kernel level that this processor runs");
  switch (level) {
#if defined(__x86_64__)
    case KernelLevel::kAvx2:
      return internal::kAvx2Kernels;
    case KernelLevel::kAvx512:
      return internal::kAvx512Kernels;
#endif
    default:
      return internal::kPortableKernels;
  }
}

const Kernels& BestKernels() {
  static const Kernels& best = KernelsOf(AvailableKernelLevels().back());
  return best;
}

}  // namespace bitpact
