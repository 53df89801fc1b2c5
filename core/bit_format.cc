// SPDX-License-Identifier: Apache-2.0
#include "core/bit_format.h"

#include <charconv>
#include <string_view>

namespace bitpact {
namespace {

// Removes `prefix` and the integer behind it from the front of `text`.
bool TakeNumber(std::string_view& text, std::string_view prefix, int& number) {
  if (!text.starts_with(prefix)) return false;
  const char* first = text.data() + prefix.size();
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end == first) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool Take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

Expected<void> ValidateMixed(const BitFormat& format) {
  if (format.rate_e4 < 1 || format.rate_e4 > kMostRate) {
    return InvalidArgument(
        "rate_e4 = " + std::to_string(format.rate_e4) +
        " violates 1 <= rate_e4 <= " + std::to_string(kMostRate));
  }
  if (format != MixedColumns(format.rate_e4, format.column_grid)) {
    return InvalidArgument(
        "a format of mixed columns has other fields than MixedColumns sets");
  }
  return {};
}

Expected<void> ValidateRowMix(const BitFormat& format) {
  if (format.high_bits != kFloat16Bits &&
      (format.high_bits <= format.bits || format.high_bits > 8)) {
    return InvalidArgument("high_bits = " + std::to_string(format.high_bits) +
                           " violates bits = " + std::to_string(format.bits) +
                           " < high_bits <= 8, or 16 for float16");
  }
  if (format.high_rows_e4 < 1 || format.high_rows_e4 > kRatioUnits) {
    return InvalidArgument(
        "high_rows_e4 = " + std::to_string(format.high_rows_e4) +
        " violates 1 <= high_rows_e4 <= " + std::to_string(kRatioUnits));
  }
  return {};
}

// "2.25" for 22500: no zeros at the end.
std::string TenThousandths(int number) {
  std::string digits = std::to_string(kRateUnits + number % kRateUnits);
  digits[0] = '.';
  while (digits.back() == '0') digits.pop_back();
  if (digits == ".") digits.clear();
  return std::to_string(number / kRateUnits) + digits;
}

// "col2.25".
std::string MixedName(const BitFormat& format) {
  return "col" + TenThousandths(format.rate_e4) +
         (format.column_grid == ColumnGrid::kRange ? "-range" : "");
}

// "+int3x0.1".
std::string RowMixName(const BitFormat& format) {
  return (format.high_bits == kFloat16Bits
              ? std::string("+f16")
              : "+int" + std::to_string(format.high_bits)) +
         "x" + TenThousandths(format.high_rows_e4);
}

// The number in front of `text` in units of 1/10000; false where it has more
// digits or none.
bool TakeRate(std::string_view& text, int& rate_e4) {
  int whole = 0;
  if (!TakeNumber(text, "", whole) || whole < 0 || whole > 9) return false;
  rate_e4 = whole * kRateUnits;
  if (!Take(text, ".")) return true;
  int unit = kRateUnits / 10;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    if (unit == 0) return false;
    rate_e4 += (text[0] - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return true;
}

Error NoFormatName(const std::string& name) {
  return {ErrorCode::kInvalidArgument,
          "'" + name + "' is not a format name such as int4-g64-asym"};
}

Expected<BitFormat> ParseMixedName(const std::string& name,
                                   std::string_view rest) {
  int rate = 0;
  const bool shaped = TakeRate(rest, rate);
  const ColumnGrid grid =
      Take(rest, "-range") ? ColumnGrid::kRange : ColumnGrid::kScaled;
  const BitFormat format = MixedColumns(rate, grid);
  if (!shaped || !rest.empty() || !Validate(format) ||
      FormatName(format) != name) {
    return tl::unexpected(NoFormatName(name));
  }
  return format;
}

// What stands behind the '+'; false where it has another shape.
bool TakeRowMix(std::string_view& text, BitFormat& format) {
  if (Take(text, "f16")) {
    format.high_bits = kFloat16Bits;
  } else if (!TakeNumber(text, "int", format.high_bits)) {
    return false;
  }
  return Take(text, "x") && TakeRate(text, format.high_rows_e4);
}

}  // namespace

Expected<void> Validate(const BitFormat& format) {
  if (format.mixed_columns()) return ValidateMixed(format);
  if (format.bits < 2 || format.bits > 8) {
    return InvalidArgument("bits = " + std::to_string(format.bits) +
                           " violates 2 <= bits <= 8");
  }
  if (format.group_size < 0) {
    return InvalidArgument("group_size = " + std::to_string(format.group_size) +
                           " violates group_size >= 0");
  }
  if (format.row_mix()) return ValidateRowMix(format);
  if (format.high_rows_e4 != 0) {
    return InvalidArgument(
        "high_rows_e4 = " + std::to_string(format.high_rows_e4) +
        " goes with high_bits, which is 0");
  }
  return {};
}

std::string FormatName(const BitFormat& format) {
  if (format.mixed_columns()) return MixedName(format);
  std::string name = "int" + std::to_string(format.bits);
  name += format.group_size == 0 ? "-row"
                                 : "-g" + std::to_string(format.group_size);
  switch (format.zero_point_type) {
    case ZeroPointType::kNone:
      name += "-sym";
      break;
    case ZeroPointType::kUint8:
      name += "-u8zp";
      break;
    case ZeroPointType::kFloat16:
      name += "-asym";
      break;
    case ZeroPointType::kFloat32:
      name += format.scale_type == ScaleType::kFloat32 ? "-asym" : "-f32zp";
      break;
  }
  if (format.scale_type == ScaleType::kFloat32) {
    name += format.zero_point_type == ZeroPointType::kFloat16 ? "-f32f16zp"
                                                              : "-f32";
  }
  if (format.row_mix()) name += RowMixName(format);
  return name;
}

Expected<BitFormat> ParseFormatName(const std::string& name) {
  std::string_view rest = name;
  if (Take(rest, "col")) return ParseMixedName(name, rest);
  BitFormat format;
  const bool shaped =
      TakeNumber(rest, "int", format.bits) &&
      (Take(rest, "-row") || TakeNumber(rest, "-g", format.group_size));
  bool known = shaped;
  if (Take(rest, "-sym")) {
    format.zero_point_type = ZeroPointType::kNone;
  } else if (Take(rest, "-u8zp")) {
    format.zero_point_type = ZeroPointType::kUint8;
  } else if (Take(rest, "-f32zp")) {
    format.zero_point_type = ZeroPointType::kFloat32;
  } else {
    known = known && Take(rest, "-asym");
  }
  if (Take(rest, "-f32f16zp")) {
    format.scale_type = ScaleType::kFloat32;
  } else if (Take(rest, "-f32")) {
    format.scale_type = ScaleType::kFloat32;
    if (format.zero_point_type == ZeroPointType::kFloat16) {
      format.zero_point_type = ZeroPointType::kFloat32;
    }
  }
  if (Take(rest, "+")) known = TakeRowMix(rest, format) && known;
  // Comparing the name made from the result refuses every other spelling.
  if (!known || !rest.empty() || !Validate(format) ||
      FormatName(format) != name) {
    return tl::unexpected(NoFormatName(name));
  }
  return format;
}

int QuantoGroupSize(int wanted, std::int64_t cols) {
  if (cols <= wanted) return 0;
  if (wanted > 0 && cols % wanted == 0) return wanted;
  for (int size = wanted; size >= 32; size -= 32) {
    if (cols % size == 0) return size;
  }
  return 0;
}

}  // namespace bitpact
