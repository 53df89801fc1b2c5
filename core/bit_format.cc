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

}  // namespace

Expected<void> Validate(const BitFormat& format) {
  if (format.bits < 2 || format.bits > 8) {
    return InvalidArgument("bits = " + std::to_string(format.bits) +
                           " violates 2 <= bits <= 8");
  }
  if (format.group_size < 0) {
    return InvalidArgument("group_size = " + std::to_string(format.group_size) +
                           " violates group_size >= 0");
  }
  return {};
}

std::string FormatName(const BitFormat& format) {
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
  return name;
}

Expected<BitFormat> ParseFormatName(const std::string& name) {
  std::string_view rest = name;
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
  // Comparing the name made from the result refuses every other spelling.
  if (!known || !rest.empty() || !Validate(format) ||
      FormatName(format) != name) {
    return InvalidArgument("'" + name +
                           "' is not a format name such as int4-g64-asym");
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
