// SPDX-License-Identifier: Apache-2.0
#include "models/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "nlohmann/json.hpp"

namespace bitpact {
namespace {

// A sorted map: ordered_json looks names up one by one, which a header with a
// million names would turn into hours.
using Header = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
// The limit of the reference implementation.
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

constexpr std::array<std::pair<const char*, TensorType>, 6> kTypes = {{
    {"F32", TensorType::kF32},
    {"F16", TensorType::kF16},
    {"BF16", TensorType::kBF16},
    {"I32", TensorType::kI32},
    {"I8", TensorType::kI8},
    {"U8", TensorType::kU8},
}};

std::string Shown(const Header& value) {
  constexpr std::size_t kLongest = 80;
  std::string text =
      value.dump(-1, ' ', true, Header::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

// Where an error is: the file, then tensor and field when known.
struct Place {
  std::string file;
  std::string tensor;

  [[nodiscard]] tl::unexpected<Error> Broken(const std::string& what) const {
    return Fail(ErrorCode::kDataLoss, Prefix() + what);
  }
  [[nodiscard]] std::string Prefix() const {
    return tensor.empty() ? file + ": "
                          : file + ": tensor " + QuotedName(tensor) + ": ";
  }
};

Expected<std::string_view> HeaderText(std::span<const std::byte> bytes,
                                      const Place& place) {
  if (bytes.size() < kLengthBytes) {
    return place.Broken("the file has " + std::to_string(bytes.size()) +
                        " bytes, a safetensors file at least 8");
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(bytes[i]) << (8U * i);
  }
  if (length > bytes.size() - kLengthBytes || length > kLongestHeader) {
    return place.Broken("header length = " + std::to_string(length) +
                        ": must be within the file (" +
                        std::to_string(bytes.size() - kLengthBytes) +
                        " bytes follow) and 100000000");
  }
  return std::string_view(
      reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
      static_cast<std::size_t>(length));
}

// JSON lets a name appear twice and nest without end; the format does neither.
Expected<Header> ParseHeader(std::string_view text, const Place& place) {
  constexpr int kDeepest = 2;  // header object, tensor object, array
  std::array<std::set<std::string>, kDeepest + 2> names;
  std::string duplicate;
  bool too_deep = false;
  const auto watch =
      [&](int depth, Header::parse_event_t event, const Header& parsed) {
        const bool opens = event == Header::parse_event_t::object_start ||
                           event == Header::parse_event_t::array_start;
        if (opens && depth > kDeepest) {
          too_deep = true;
          return false;
        }
        const auto level = static_cast<std::size_t>(depth);
        if (opens) names[level + 1].clear();
        if (event == Header::parse_event_t::key && level < names.size()) {
          const auto& name = parsed.get_ref<const std::string&>();
          if (!names[level].insert(name).second) duplicate = name;
        }
        return true;
      };
  Header header;
  try {
    header = Header::parse(text.begin(), text.end(), watch);
  } catch (const std::exception& failure) {
    return place.Broken(std::string("the header is not valid JSON: ") +
                        failure.what());
  }
  if (too_deep) return place.Broken("the header nests deeper than 3 levels");
  if (!duplicate.empty()) {
    return place.Broken("the header names " + QuotedName(duplicate) + " twice");
  }
  if (!header.is_object()) {
    return place.Broken("the header is not a JSON object");
  }
  return header;
}

Expected<std::map<std::string, std::string>> ReadMetadata(const Header& value,
                                                          const Place& place) {
  std::map<std::string, std::string> metadata;
  if (!value.is_object()) return place.Broken("must be an object of strings");
  for (const auto& item : value.items()) {
    if (!item.value().is_string()) {
      return place.Broken("field " + QuotedName(item.key()) + " = " +
                          Shown(item.value()) + ": must be a string");
    }
    metadata[item.key()] = item.value().get<std::string>();
  }
  return metadata;
}

// A non-negative integer below 2^63.
std::optional<std::int64_t> AsCount(const Header& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  constexpr auto kMost =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (number > kMost) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

Expected<std::vector<std::int64_t>> Counts(const Header& entry,
                                           const char* field,
                                           const Place& place) {
  const auto found = entry.find(field);
  if (found == entry.end()) {
    return place.Broken(std::string("field '") + field + "' is missing");
  }
  std::vector<std::int64_t> counts;
  bool valid = found->is_array();
  for (std::size_t i = 0; valid && i < found->size(); ++i) {
    const std::optional<std::int64_t> count = AsCount((*found)[i]);
    valid = count.has_value();
    if (valid) counts.push_back(*count);
  }
  if (!valid) {
    return place.Broken(std::string("field '") + field +
                        "' = " + Shown(*found) +
                        ": must be an array of integers in [0, 2^63)");
  }
  return counts;
}

Expected<TensorType> ReadType(const Header& entry, const Place& place) {
  const auto found = entry.find("dtype");
  if (found == entry.end()) return place.Broken("field 'dtype' is missing");
  for (const auto& [name, type] : kTypes) {
    if (*found == name) return type;
  }
  return Fail(ErrorCode::kUnsupported,
              place.Prefix() + "field 'dtype' = " + Shown(*found) +
                  ": must be F32, F16, BF16, I32, I8 or U8");
}

Expected<StoredTensor> ReadTensor(const Header& entry,
                                  std::span<const std::byte> data,
                                  const Place& place) {
  if (!entry.is_object()) return place.Broken("must be an object");
  StoredTensor tensor;
  tensor.name = place.tensor;
  const Expected<TensorType> type = ReadType(entry, place);
  if (!type) return tl::unexpected(type.error());
  tensor.type = *type;
  Expected<std::vector<std::int64_t>> shape = Counts(entry, "shape", place);
  if (!shape) return tl::unexpected(shape.error());
  const auto offsets = Counts(entry, "data_offsets", place);
  if (!offsets) return tl::unexpected(offsets.error());
  std::int64_t size = TensorTypeBytes(tensor.type);
  for (const std::int64_t count : *shape) {
    if (__builtin_mul_overflow(size, count, &size)) {
      return place.Broken("field 'shape' = " + ShapeText(*shape) +
                          ": more bytes than 2^63");
    }
  }
  const auto available = static_cast<std::int64_t>(data.size());
  const std::string shown = "field 'data_offsets' = " + ShapeText(*offsets);
  if (offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
    return place.Broken(shown + ": must be [begin, end], begin <= end");
  }
  if ((*offsets)[1] > available) {
    return place.Broken(shown + ": the file has " + std::to_string(available) +
                        " data bytes");
  }
  if ((*offsets)[1] - (*offsets)[0] != size) {
    return place.Broken(shown + ": shape " + ShapeText(*shape) + " of " +
                        TensorTypeName(tensor.type) + " takes " +
                        std::to_string(size) + " bytes");
  }
  tensor.shape = std::move(*shape);
  tensor.bytes = data.subspan(static_cast<std::size_t>((*offsets)[0]),
                              static_cast<std::size_t>(size));
  return tensor;
}

// Sorts by place in the file and refuses overlaps, holes and bytes behind.
Expected<void> CheckCover(std::vector<StoredTensor>& tensors,
                          std::span<const std::byte> data,
                          const std::string& file) {
  // An empty tensor sorts before the one that starts at the same byte.
  std::sort(tensors.begin(),
            tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return std::pair(a.bytes.data(), a.bytes.size()) <
                     std::pair(b.bytes.data(), b.bytes.size());
            });
  std::size_t covered = 0;
  const std::string* previous = nullptr;
  for (const StoredTensor& tensor : tensors) {
    const auto begin =
        static_cast<std::size_t>(tensor.bytes.data() - data.data());
    const Place place{file, tensor.name};
    if (begin < covered) {
      return place.Broken("begins at byte " + std::to_string(begin) +
                          ", inside tensor " + QuotedName(*previous));
    }
    if (begin > covered) {
      return place.Broken("begins at byte " + std::to_string(begin) +
                          ": bytes " + std::to_string(covered) +
                          " and on belong to no tensor");
    }
    covered = begin + tensor.bytes.size();
    previous = &tensor.name;
  }
  if (covered != data.size()) {
    return Place{file, ""}.Broken(
        "the tensors take " + std::to_string(covered) +
        " bytes, the file has " + std::to_string(data.size()) + " data bytes");
  }
  return {};
}

}  // namespace

const char* TensorTypeName(TensorType type) {
  for (const auto& [name, value] : kTypes) {
    if (value == type) return name;
  }
  return "unknown";
}

std::string ShapeText(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    // A hostile shape may have millions of entries.
    if (i == 8) return text + ", ...]";
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

std::string QuotedName(const std::string& name) { return Shown(Header(name)); }

Expected<SafetensorsFile> SafetensorsFile::Open(
    const std::filesystem::path& path) {
  Expected<MappedFile> mapped = MappedFile::Open(path);
  if (!mapped) return tl::unexpected(mapped.error());
  SafetensorsFile result;
  result.file_ = std::move(*mapped);
  Place place{path.string(), ""};
  const auto text = HeaderText(result.bytes(), place);
  if (!text) return tl::unexpected(text.error());
  const Expected<Header> header = ParseHeader(*text, place);
  if (!header) return tl::unexpected(header.error());
  const auto data = result.bytes().subspan(kLengthBytes + text->size());
  for (const auto& item : header->items()) {
    place.tensor = item.key();
    if (item.key() == kMetadata) {
      auto metadata = ReadMetadata(item.value(), place);
      if (!metadata) return tl::unexpected(metadata.error());
      result.metadata_ = std::move(*metadata);
      continue;
    }
    Expected<StoredTensor> tensor = ReadTensor(item.value(), data, place);
    if (!tensor) return tl::unexpected(tensor.error());
    result.tensors_.push_back(std::move(*tensor));
  }
  Expected<void> covered = CheckCover(result.tensors_, data, path.string());
  if (!covered) return tl::unexpected(covered.error());
  return result;
}

}  // namespace bitpact
