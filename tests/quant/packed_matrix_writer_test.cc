// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matrix_writer.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

TEST(PackedMatrixWriter, MakesTheSameMatrixInAnyOrderOfRows) {
  constexpr std::int64_t kRows = 3;
  constexpr std::int64_t kCols = 45;
  for (const BitFormat& format : FormatsWithGroup(16)) {
    const std::size_t groups = 3;
    const std::size_t shifts = format.symmetric() ? 0 : groups;
    std::vector<std::uint8_t> codes(kRows * kCols);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<std::uint8_t>(i * 37 % (1U << format.bits));
    }
    const std::vector<float> scales(kRows * groups, 0.5F);
    std::vector<float> all_shifts(kRows * shifts);
    for (std::size_t i = 0; i < all_shifts.size(); ++i) {
      all_shifts[i] = static_cast<float>(i);
    }
    PackedMatrixWriter writer(format, kRows, kCols);
    for (const std::int64_t row : {2, 0, 1}) {
      const auto at = static_cast<std::size_t>(row);
      writer.WriteRow(row,
                      std::span(codes).subspan(at * kCols, kCols),
                      std::span(scales).subspan(at * groups, groups),
                      std::span(all_shifts).subspan(at * shifts, shifts));
    }
    const PackedMatrix written = std::move(writer).Finish();
    const PackedMatrix packed =
        PackedMatrix::Pack(format, kRows, kCols, codes, scales, all_shifts);
    EXPECT_TRUE(std::ranges::equal(written.codes(), packed.codes()));
    EXPECT_TRUE(std::ranges::equal(written.scales(), packed.scales()));
    EXPECT_TRUE(
        std::ranges::equal(written.zero_points(), packed.zero_points()));
    for (std::int64_t i = 0; i < kRows * kCols; ++i) {
      ASSERT_EQ(written.Code(i / kCols, i % kCols),
                codes[static_cast<std::size_t>(i)])
          << FormatName(format);
    }
  }
}

}  // namespace
}  // namespace bitpact
