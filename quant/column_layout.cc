// SPDX-License-Identifier: Apache-2.0
#include "quant/column_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "Eigen/Core"
#include "core/check.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

// Minimizers of the distortion of a standard normal number, and the minima; a
// test finds them again.
constexpr std::array<float, 16> kNominalSteps = {0.0F,
                                                 1.595769F,
                                                 1.224006F,
                                                 0.995687F,
                                                 0.842986F,
                                                 0.733433F,
                                                 0.650770F,
                                                 0.586019F,
                                                 0.533822F,
                                                 0.454623F,
                                                 0.397159F,
                                                 0.335201F,
                                                 0.248234F,
                                                 0.155710F,
                                                 0.082208F,
                                                 0.030762F};
constexpr std::array<double, 16> kNominalDistortions = {1.0,
                                                        0.36338,
                                                        0.190174,
                                                        0.118846,
                                                        0.0821777,
                                                        0.0606566,
                                                        0.04686,
                                                        0.0374397,
                                                        0.0306959,
                                                        0.0218557,
                                                        0.0164528,
                                                        0.0115429,
                                                        0.00618904,
                                                        0.0023704,
                                                        6.43447e-4,
                                                        8.76862e-5};

// 2^(i/8).
constexpr std::array<float, 8> kEighths = {1.0F,
                                           1.09050773F,
                                           1.18920712F,
                                           1.29683955F,
                                           1.41421356F,
                                           1.54221083F,
                                           1.68179283F,
                                           1.83400809F};

// 2^(eighths/8).
float PowerOfTwo(int eighths) {
  const int whole = eighths >= 0 ? eighths / 8 : -((7 - eighths) / 8);
  return std::ldexp(kEighths.at(Size(eighths - 8 * whole)), whole);
}

float LoadHalf(std::span<const std::byte> bytes, std::size_t index) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, &bytes[2 * index], sizeof(bits));
  return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits));
}

}  // namespace

float NominalStep(int index) { return kNominalSteps.at(Size(index)); }

double NominalDistortion(int index) {
  return kNominalDistortions.at(Size(index));
}

float ColumnFactor(int index, int code) {
  BITPACT_DCHECK(code >= 0 && code < kFactorCodes, "a factor code");
  return NominalStep(index) * PowerOfTwo(2 * (code - 8));
}

float RowScale(int code) {
  BITPACT_DCHECK(code >= 0 && code < kScaleCodes, "a scale code");
  return code == 0 ? 0.0F : PowerOfTwo(code - 192);
}

int RowScaleCode(float scale) {
  if (scale <= 0.0F) return 0;
  const double exact = 8.0 * std::log2(static_cast<double>(scale)) + 192.0;
  return static_cast<int>(
      std::clamp(std::nearbyint(exact), 1.0, double{kScaleCodes - 1}));
}

int LevelsOfColumn(ColumnGrid grid, std::byte column) {
  const auto value = std::to_integer<unsigned>(column);
  return grid == ColumnGrid::kRange ? static_cast<int>(value) + 1
                                    : kLevelCounts.at(value & 15U);
}

ColumnLayout MakeColumnLayout(ColumnGrid grid,
                              std::int64_t rows,
                              std::span<const std::byte> columns) {
  std::map<int, ColumnClass> by_levels;
  for (std::size_t col = 0; col < columns.size(); ++col) {
    ColumnClass& some = by_levels[LevelsOfColumn(grid, columns[col])];
    some.columns.push_back(static_cast<std::int32_t>(col));
    if (grid == ColumnGrid::kRange) continue;
    const auto value = std::to_integer<int>(columns[col]);
    some.factors.push_back(ColumnFactor(value & 15, value >> 4));
  }
  ColumnLayout layout;
  for (auto& [levels, some] : by_levels) {
    some.levels = levels;
    some.first_byte = layout.used_bytes;
    some.bytes = RadixBytes(levels, rows * std::ssize(some.columns));
    layout.used_bytes += some.bytes;
    layout.classes.push_back(std::move(some));
  }
  return layout;
}

RowGrid RangeGrid(float least, float greatest, int levels) {
  if (levels == 1 || least == greatest) return {};
  const float step = (greatest - least) / static_cast<float>(levels - 1);
  if (!(step > 0.0F)) return {};
  const float zero = std::clamp(
      std::nearbyint(-least / step), 0.0F, static_cast<float>(levels - 1));
  return {step, zero};
}

RowRange StoredRange(std::span<const std::byte> rows, std::int64_t row) {
  return {LoadHalf(rows, Size(2 * row)), LoadHalf(rows, Size(2 * row + 1))};
}

RowGrid StoredRowGrid(ColumnGrid grid,
                      std::span<const std::byte> rows,
                      std::int64_t row,
                      int levels) {
  if (grid == ColumnGrid::kRange) {
    const RowRange range = StoredRange(rows, row);
    return RangeGrid(range.least, range.greatest, levels);
  }
  return {RowScale(std::to_integer<int>(rows[Size(row)])),
          0.5F * static_cast<float>(levels - 1)};
}

}  // namespace bitpact
