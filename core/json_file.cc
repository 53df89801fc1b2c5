// SPDX-License-Identifier: Apache-2.0
#include "core/json_file.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/atomic_file.h"
#include "core/mapped_file.h"
#include "core/version.h"

namespace bitpact {
namespace {

// Values are quoted in messages; a long one is cut so that the line stays
// short. Arrays and objects are counted only: printing one is recursive, and a
// hostile file can nest them without end.
std::string Shown(const Json& value) {
  constexpr std::size_t kLongest = 60;
  if (value.is_array()) {
    return "array of " + std::to_string(value.size());
  }
  if (value.is_object()) {
    return "object of " + std::to_string(value.size());
  }
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::string Joined(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// The path of the first number JSON cannot hold; empty when there is none.
std::string NonFinitePath(const Json& value, const std::string& path) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return path.empty() ? "value" : path;
  }
  if (!value.is_structured()) return {};
  for (const auto& item : value.items()) {
    const std::string key = value.is_array() ? path + "[" + item.key() + "]"
                                             : Joined(path, item.key());
    std::string found = NonFinitePath(item.value(), key);
    if (!found.empty()) return found;
  }
  return {};
}

bool IsNumberChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' ||
         c == '-' || c == '.';
}

// Whether the word means a number that no double holds.
bool IsNonFinite(const std::string& word) {
  if (word == "NaN" || word == "nan" || word == "Infinity" ||
      word == "-Infinity" || word == "inf" || word == "-inf") {
    return true;
  }
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  return *end == '\0' && std::isinf(value);
}

// The text with such words between quotes; strings are left alone.
std::string QuoteNonFinite(std::string_view text) {
  std::string quoted;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
      i = std::min(i + 1, text.size());
      quoted += text.substr(start, i - start);
    } else if (IsNumberChar(text[i])) {
      while (i < text.size() && IsNumberChar(text[i])) ++i;
      const std::string word(text.substr(start, i - start));
      quoted += IsNonFinite(word) ? '"' + word + '"' : word;
    } else {
      quoted += text[i++];
    }
  }
  return quoted;
}

Expected<FileHeader> ReadHeader(const JsonReader& root) {
  FileHeader header;
  Expected<std::string> format = root.String("format");
  if (!format) return tl::unexpected(format.error());
  header.format = *format;
  const Expected<std::int64_t> version = root.Integer("version", 1, 1'000'000);
  if (!version) return tl::unexpected(version.error());
  header.version = static_cast<int>(*version);
  Expected<std::string> tool = root.String("tool_version");
  if (!tool) return tl::unexpected(tool.error());
  header.tool_version = *tool;
  if (root.Has("seed")) {
    const Expected<JsonReader> seed = root.Member("seed");
    if (!seed->json().is_number_unsigned()) {
      return tl::unexpected(seed->Violation("must be an unsigned integer"));
    }
    header.seed = seed->json().get<std::uint64_t>();
  }
  if (root.Has("inputs")) {
    const Expected<JsonReader> inputs = root.Member("inputs");
    if (!inputs->json().is_object()) {
      return tl::unexpected(inputs->Violation("must be an object"));
    }
    for (const auto& item : inputs->json().items()) {
      Expected<std::string> hash = inputs->String(item.key());
      if (!hash) return tl::unexpected(hash.error());
      header.inputs[item.key()] = *hash;
    }
  }
  return header;
}

}  // namespace

Expected<std::string> JsonFileText(const FileHeader& header, const Json& body) {
  Json whole = {{"format", header.format},
                {"version", header.version},
                {"tool_version", kToolVersion}};
  if (header.seed) whole["seed"] = *header.seed;
  if (!header.inputs.empty()) whole["inputs"] = header.inputs;
  for (const auto& item : body.items()) whole[item.key()] = item.value();
  const std::string bad = NonFinitePath(whole, "");
  if (!bad.empty()) {
    return Fail(ErrorCode::kInternal,
                "field '" + bad + "' is not finite and has no JSON form");
  }
  return whole.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Expected<void> WriteJsonFile(const std::filesystem::path& path,
                             const FileHeader& header,
                             const Json& body) {
  const Expected<std::string> text = JsonFileText(header, body);
  if (!text) {
    return Fail(text.error().code, path.string() + ": " + text.error().message);
  }
  return WriteFileAtomically(path, *text);
}

JsonReader::JsonReader(const Json* value, std::string file, std::string path)
    : value_(value), file_(std::move(file)), path_(std::move(path)) {}

Error JsonReader::Violation(const std::string& rule) const {
  return {ErrorCode::kInvalidArgument,
          file_ + ": field '" + path_ + "' = " + Shown(*value_) + ": " + rule};
}

bool JsonReader::Has(const std::string& key) const {
  return value_->is_object() && value_->contains(key) &&
         !value_->at(key).is_null();
}

Expected<JsonReader> JsonReader::Member(const std::string& key) const {
  if (!value_->is_object()) {
    return tl::unexpected(Violation("must be an object"));
  }
  const auto found = value_->find(key);
  if (found == value_->end()) {
    return InvalidArgument(file_ + ": field '" + Joined(path_, key) +
                           "' is missing");
  }
  return JsonReader(&*found, file_, Joined(path_, key));
}

Expected<std::vector<JsonReader>> JsonReader::Array(
    const std::string& key) const {
  const Expected<JsonReader> member = Member(key);
  if (!member) return tl::unexpected(member.error());
  if (!member->json().is_array()) {
    return tl::unexpected(member->Violation("must be an array"));
  }
  std::vector<JsonReader> items;
  items.reserve(member->json().size());
  for (std::size_t i = 0; i < member->json().size(); ++i) {
    items.emplace_back(&member->json()[i],
                       file_,
                       member->path_ + "[" + std::to_string(i) + "]");
  }
  return items;
}

Expected<double> JsonReader::AsNumber() const {
  if (!value_->is_number()) {
    return tl::unexpected(Violation("must be a number"));
  }
  return value_->get<double>();
}

Expected<std::string> JsonReader::AsString() const {
  if (!value_->is_string()) {
    return tl::unexpected(Violation("must be a string"));
  }
  return value_->get<std::string>();
}

Expected<std::int64_t> JsonReader::AsInteger() const {
  const bool too_large =
      value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!value_->is_number_integer() || too_large) {
    return tl::unexpected(Violation("must be an integer below 2^63"));
  }
  return value_->get<std::int64_t>();
}

Expected<double> JsonReader::Number(const std::string& key) const {
  const Expected<JsonReader> member = Member(key);
  if (!member) return tl::unexpected(member.error());
  return member->AsNumber();
}

Expected<std::int64_t> JsonReader::Integer(const std::string& key,
                                           std::int64_t least,
                                           std::int64_t greatest) const {
  const Expected<JsonReader> member = Member(key);
  if (!member) return tl::unexpected(member.error());
  Expected<std::int64_t> value = member->AsInteger();
  if (!value) return value;
  if (*value < least || *value > greatest) {
    return tl::unexpected(member->Violation("must be within " +
                                            std::to_string(least) + " and " +
                                            std::to_string(greatest)));
  }
  return value;
}

Expected<std::string> JsonReader::String(const std::string& key) const {
  const Expected<JsonReader> member = Member(key);
  if (!member) return tl::unexpected(member.error());
  return member->AsString();
}

Expected<bool> JsonReader::Bool(const std::string& key) const {
  const Expected<JsonReader> member = Member(key);
  if (!member) return tl::unexpected(member.error());
  if (!member->json().is_boolean()) {
    return tl::unexpected(member->Violation("must be true or false"));
  }
  return member->json().get<bool>();
}

Expected<std::vector<double>> JsonReader::Numbers(
    const std::string& key) const {
  const Expected<std::vector<JsonReader>> items = Array(key);
  if (!items) return tl::unexpected(items.error());
  std::vector<double> values;
  values.reserve(items->size());
  for (const JsonReader& item : *items) {
    const Expected<double> value = item.AsNumber();
    if (!value) return tl::unexpected(value.error());
    values.push_back(*value);
  }
  return values;
}

Expected<Json> ParseJsonFile(const std::filesystem::path& path) {
  const Expected<MappedFile> file = MappedFile::Open(path);
  if (!file) return tl::unexpected(file.error());
  const std::string_view text(
      reinterpret_cast<const char*>(file->bytes().data()),
      file->bytes().size());
  try {
    return Json::parse(text);
  } catch (const Json::exception& failure) {
    // Only now, as it costs a copy of the text.
    Json mended = Json::parse(QuoteNonFinite(text), nullptr, false);
    if (!mended.is_discarded()) return mended;
    return Fail(ErrorCode::kDataLoss,
                path.string() + ": not valid JSON: " + failure.what());
  }
}

Expected<JsonFile> JsonFile::Read(const std::filesystem::path& path,
                                  const std::string& format,
                                  int newest_version) {
  Expected<Json> body = ParseJsonFile(path);
  if (!body) return tl::unexpected(body.error());
  JsonFile file;
  file.file_ = path.string();
  file.body_ = std::move(*body);
  Expected<FileHeader> header = ReadHeader(file.root());
  if (!header) return tl::unexpected(header.error());
  file.header_ = std::move(*header);
  if (file.header_.format != format) {
    return InvalidArgument(file.file_ + ": field 'format' = \"" +
                           file.header_.format + "\": must be \"" + format +
                           "\"");
  }
  if (file.header_.version > newest_version) {
    return Fail(
        ErrorCode::kUnsupported,
        file.file_ +
            ": field 'version' = " + std::to_string(file.header_.version) +
            ": this bitpact reads up to " + std::to_string(newest_version));
  }
  return file;
}

}  // namespace bitpact
