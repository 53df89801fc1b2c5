// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_JSON_FILE_H_
#define BITPACT_CORE_JSON_FILE_H_

// Every arrow of bitpact's data flow is a versioned JSON file:
//
//   { "format": "bitpact.plan", "version": 1, "tool_version": "0.1.0",
//     "seed": 7, "inputs": {"model": "xxh3:..."}, ...body }
//
// Readers refuse another format or a newer version, and every later error names
// the file, the field's path ("units[3].bits") and the value met.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "nlohmann/json.hpp"

namespace bitpact {

// Keeps the order in which fields were written, so that files diff well.
using Json = nlohmann::ordered_json;

struct FileHeader {
  std::string format;  // e.g. "bitpact.plan"
  int version = 1;     // raised when an old reader would misunderstand the file
  std::string tool_version;  // filled in when written
  std::optional<std::uint64_t> seed;
  // What the content was computed from: role -> fingerprint (core/hash.h).
  std::map<std::string, std::string> inputs;
};

// Writes header fields first, then the members of `body` (an object),
// atomically. Doubles are printed with enough digits to read back the same
// bits. NaN and infinity have no JSON form: kInternal names the field.
Expected<void> WriteJsonFile(const std::filesystem::path& path,
                             const FileHeader& header,
                             const Json& body);

// The same as text, for standard output.
Expected<std::string> JsonFileText(const FileHeader& header, const Json& body);

// A value inside a file that remembers where it is.
class JsonReader {
 public:
  JsonReader(const Json* value, std::string file, std::string path);

  // Members of an object. kInvalidArgument when absent or of another kind.
  [[nodiscard]] Expected<JsonReader> Member(const std::string& key) const;
  [[nodiscard]] bool Has(const std::string& key) const;
  [[nodiscard]] Expected<std::vector<JsonReader>> Array(
      const std::string& key) const;
  [[nodiscard]] Expected<double> Number(const std::string& key) const;
  // An integer within [least, greatest].
  [[nodiscard]] Expected<std::int64_t> Integer(
      const std::string& key,
      std::int64_t least = std::numeric_limits<std::int64_t>::min(),
      std::int64_t greatest = std::numeric_limits<std::int64_t>::max()) const;
  [[nodiscard]] Expected<std::string> String(const std::string& key) const;
  [[nodiscard]] Expected<bool> Bool(const std::string& key) const;
  [[nodiscard]] Expected<std::vector<double>> Numbers(
      const std::string& key) const;

  // This value itself.
  [[nodiscard]] Expected<double> AsNumber() const;
  [[nodiscard]] Expected<std::string> AsString() const;
  [[nodiscard]] Expected<std::int64_t> AsInteger() const;

  // kInvalidArgument "file: field = value: rule".
  [[nodiscard]] Error Violation(const std::string& rule) const;
  [[nodiscard]] const Json& json() const { return *value_; }

 private:
  const Json* value_;
  std::string file_;
  std::string path_;
};

class JsonFile {
 public:
  // kNotFound, kDataLoss (not JSON: line and column are named),
  // kInvalidArgument (another format), kUnsupported (a newer version).
  static Expected<JsonFile> Read(const std::filesystem::path& path,
                                 const std::string& format,
                                 int newest_version);

  [[nodiscard]] const FileHeader& header() const { return header_; }
  // Valid as long as this object.
  [[nodiscard]] JsonReader root() const { return {&body_, file_, ""}; }

 private:
  std::string file_;
  FileHeader header_;
  Json body_;
};

// Parses JSON that is not ours (a model's config.json) with the same errors.
// NaN, Infinity and numbers beyond double (1e999), which other tools write
// although JSON has none, become strings, so that whoever reads the field names
// it in the error.
Expected<Json> ParseJsonFile(const std::filesystem::path& path);

}  // namespace bitpact

#endif  // BITPACT_CORE_JSON_FILE_H_
