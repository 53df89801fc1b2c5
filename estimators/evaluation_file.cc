// SPDX-License-Identifier: Apache-2.0
#include "estimators/evaluation_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/atomic_file.h"
#include "core/json_file.h"
#include "core/mapped_file.h"
#include "core/version.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.evaluations";
constexpr int kVersion = 2;
Error LineError(const std::filesystem::path& file,
                std::size_t line,
                const std::string& what) {
  return {ErrorCode::kDataLoss,
          file.string() + ": line " + std::to_string(line) + ": " + what};
}

// The options of a line; empty when a character names none of the game's.
FormatAssignment ParseOptions(const std::string& text, int num_options) {
  FormatAssignment assignment;
  for (const char c : text) {
    int option = 0;
    while (option < num_options &&
           AssignmentText(std::span(&option, 1))[0] != c) {
      ++option;
    }
    if (option == num_options) return {};
    assignment.push_back(option);
  }
  return assignment;
}

Expected<EvaluationLine> ParseLine(std::string_view text,
                                   const ValueFunction& game) {
  const Json value = Json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("options") ||
      !value["options"].is_string() || !value.contains("loss") ||
      !value["loss"].is_array()) {
    return Fail(ErrorCode::kDataLoss, "not an evaluation");
  }
  const std::string options = value["options"].get<std::string>();
  EvaluationLine line;
  line.assignment = ParseOptions(options, game.num_options());
  if (line.assignment.empty()) {
    return Fail(ErrorCode::kDataLoss,
                "field 'options' = \"" + options + "\": options are 0 to " +
                    std::to_string(game.num_options() - 1));
  }
  const auto windows = std::ssize(game.window_tokens());
  if (value.contains("window")) {
    const Json& window = value["window"];
    if (!window.is_number_unsigned() || window.get<std::int64_t>() >= windows) {
      return Fail(ErrorCode::kDataLoss, "field 'window' is out of range");
    }
    line.window = window.get<int>();
  }
  for (const Json& item : value["loss"]) {
    if (item.is_null()) {
      line.loss.push_back(std::numeric_limits<double>::infinity());
    } else if (item.is_number() && std::isfinite(item.get<double>())) {
      line.loss.push_back(item.get<double>());
    } else {
      return Fail(ErrorCode::kDataLoss,
                  "field 'loss' is not a list of numbers");
    }
  }
  if (std::ssize(line.assignment) != game.num_units() ||
      std::ssize(line.loss) != (line.window ? 1 : windows)) {
    return Fail(ErrorCode::kDataLoss, "wrong number of units or windows");
  }
  return line;
}

std::string LineText(const EvaluationLine& line) {
  Json json = {{"options", AssignmentText(line.assignment)}};
  if (line.window) json["window"] = *line.window;
  json["loss"] = line.loss;  // NaN and infinity become null
  return json.dump() + "\n";
}

Expected<void> CheckKey(const std::filesystem::path& file,
                        const Json& found,
                        const EvaluationFile::Key& key) {
  if (!found.is_object() || found.value("format", "") != kFormat ||
      !found.contains("key") || !found["key"].is_object()) {
    return InvalidArgument(file.string() + ": field 'format': must be \"" +
                           kFormat + "\"");
  }
  if (found.value("version", 0) != kVersion) {
    return Fail(ErrorCode::kUnsupported,
                file.string() + ": field 'version' = " +
                    (found.contains("version") ? found["version"].dump()
                                               : std::string("null")) +
                    ": this program reads and writes version " +
                    std::to_string(kVersion) +
                    "; use another output folder or delete the file");
  }
  Json theirs = found["key"];
  Json ours = key;
  // A field that one of the two lacks differs too.
  for (const auto& [field, value] : theirs.items()) ours[field];
  for (const auto& [field, value] : ours.items()) {
    if (theirs[field] != value) {
      return InvalidArgument(
          file.string() + ": field 'key." + field +
          "' = " + theirs[field].dump() +
          ": these evaluations are of another game (this one has " +
          value.dump() + "); use another output folder or delete the file");
    }
  }
  return {};
}

// Hands over what the file holds; returns the bytes up to its last whole line.
Expected<std::int64_t> Recall(const std::filesystem::path& file,
                              const EvaluationFile::Key& key,
                              const ValueFunction& game,
                              const EvaluationFile::Taker& take) {
  const Expected<MappedFile> mapped = MappedFile::Open(file);
  if (!mapped) return tl::unexpected(mapped.error());
  std::string_view rest(reinterpret_cast<const char*>(mapped->bytes().data()),
                        mapped->bytes().size());
  std::int64_t good_bytes = 0;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // cut short by a crash
    const std::string_view text = rest.substr(0, end);
    if (line == 1) {
      const Expected<void> same =
          CheckKey(file, Json::parse(text, nullptr, false), key);
      if (!same) return tl::unexpected(same.error());
    } else {
      auto parsed = ParseLine(text, game);
      if (!parsed) {
        return tl::unexpected(LineError(file, line, parsed.error().message));
      }
      take(std::move(*parsed));
    }
    good_bytes += static_cast<std::int64_t>(end) + 1;
    rest.remove_prefix(end + 1);
  }
  return good_bytes;
}

tl::unexpected<Error> WriteFailure(const std::filesystem::path& path,
                                   int code) {
  return Fail(
      ErrorCode::kUnavailable,
      path.string() + ": cannot write: " +
          (code == EWOULDBLOCK ? std::string("another run is using it")
                               : std::generic_category().message(code)));
}

Expected<void> AppendText(const std::filesystem::path& path,
                          int descriptor,
                          std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return WriteFailure(path, errno);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fdatasync(descriptor) != 0) return WriteFailure(path, errno);
  return {};
}

}  // namespace

EvaluationFile::EvaluationFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

EvaluationFile::~EvaluationFile() { ::close(descriptor_); }

Expected<std::unique_ptr<EvaluationFile>> EvaluationFile::Open(
    const std::filesystem::path& path,
    const Key& key,
    const ValueFunction& game,
    const Taker& take) {
  std::int64_t good_bytes = 0;
  if (std::filesystem::exists(path)) {
    const Expected<std::int64_t> recalled = Recall(path, key, game, take);
    if (!recalled) return tl::unexpected(recalled.error());
    good_bytes = *recalled;
  }
  if (good_bytes == 0) {
    const Json header = {{"format", kFormat},
                         {"version", kVersion},
                         {"tool_version", kToolVersion},
                         {"key", key}};
    const std::string text = header.dump() + "\n";
    const Expected<void> started = WriteFileAtomically(path, text);
    if (!started) return tl::unexpected(started.error());
    good_bytes = static_cast<std::int64_t>(text.size());
  }
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  // Two runs that append to one file would mix their lines.
  if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 ||
      ::ftruncate(descriptor, good_bytes) != 0 ||
      ::lseek(descriptor, 0, SEEK_END) < 0) {
    const int code = errno;
    if (descriptor >= 0) ::close(descriptor);
    return WriteFailure(path, code);
  }
  return std::unique_ptr<EvaluationFile>(new EvaluationFile(path, descriptor));
}

Expected<void> EvaluationFile::Append(std::span<const EvaluationLine> lines) {
  std::string text;
  for (const EvaluationLine& line : lines) text += LineText(line);
  return AppendText(path_, descriptor_, text);
}

}  // namespace bitpact
