// SPDX-License-Identifier: Apache-2.0
#include "estimators/memoised_game.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/atomic_file.h"
#include "core/json_file.h"
#include "core/mapped_file.h"
#include "core/progress.h"
#include "core/version.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.evaluations";
constexpr int kVersion = 1;
// Assignments evaluated between two writes: as many as take about this long, so
// that little is lost when a run breaks off, yet neighbours share their
// prefixes.
constexpr double kBatchSeconds = 10.0;
constexpr std::size_t kFirstBatch = 16;
constexpr std::size_t kLargestBatch = 256;

std::size_t NextBatch(std::size_t size, double seconds) {
  const double wanted =
      static_cast<double>(size) * kBatchSeconds / std::max(seconds, 1e-3);
  return static_cast<std::size_t>(
      std::clamp(wanted, 1.0, static_cast<double>(kLargestBatch)));
}

std::string OptionsText(const FormatAssignment& assignment) {
  std::string text;
  for (const int option : assignment) {
    text += static_cast<char>('0' + option);
  }
  return text;
}

Error LineError(const std::filesystem::path& file,
                std::size_t line,
                const std::string& what) {
  return {ErrorCode::kDataLoss,
          file.string() + ": line " + std::to_string(line) + ": " + what};
}

struct LogLine {
  FormatAssignment assignment;
  std::optional<int> window;  // unset: all windows
  std::vector<double> nll;
};

Expected<LogLine> ParseLine(std::string_view text, const ValueFunction& game) {
  const Json value = Json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("options") ||
      !value["options"].is_string() || !value.contains("nll") ||
      !value["nll"].is_array()) {
    return Fail(ErrorCode::kDataLoss, "not an evaluation");
  }
  LogLine line;
  for (const char digit : value["options"].get<std::string>()) {
    const int option = digit - '0';
    if (option < 0 || option >= game.num_options()) {
      return Fail(ErrorCode::kDataLoss,
                  "field 'options' names option " + std::to_string(option));
    }
    line.assignment.push_back(option);
  }
  const auto windows = static_cast<std::int64_t>(game.window_tokens().size());
  if (value.contains("window")) {
    const Json& window = value["window"];
    if (!window.is_number_unsigned() || window.get<std::int64_t>() >= windows) {
      return Fail(ErrorCode::kDataLoss, "field 'window' is out of range");
    }
    line.window = window.get<int>();
  }
  for (const Json& item : value["nll"]) {
    if (!item.is_number() || !std::isfinite(item.get<double>())) {
      return Fail(ErrorCode::kDataLoss, "field 'nll' is not a list of numbers");
    }
    line.nll.push_back(item.get<double>());
  }
  if (std::ssize(line.assignment) != game.num_units() ||
      std::ssize(line.nll) != (line.window ? 1 : windows)) {
    return Fail(ErrorCode::kDataLoss, "wrong number of units or windows");
  }
  return line;
}

Expected<void> CheckKey(const std::filesystem::path& file,
                        const Json& found,
                        const std::map<std::string, std::string>& key) {
  if (!found.is_object() || found.value("format", "") != kFormat ||
      !found.contains("key") || !found["key"].is_object()) {
    return InvalidArgument(file.string() + ": field 'format': must be \"" +
                           kFormat + "\"");
  }
  for (const auto& [field, value] : key) {
    const Json& theirs =
        found["key"].contains(field) ? found["key"][field] : Json(nullptr);
    if (theirs != value) {
      return InvalidArgument(
          file.string() + ": field 'key." + field + "' = " + theirs.dump() +
          ": these evaluations are of another game (this one has \"" + value +
          "\"); use another output folder or delete the file");
    }
  }
  return {};
}

}  // namespace

// An append-only file that is flushed to the disk after every batch.
class MemoisedGame::LogFile {
 public:
  LogFile(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  ~LogFile() { ::close(descriptor_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  static Expected<std::unique_ptr<LogFile>> Open(
      const std::filesystem::path& path, std::int64_t keep_bytes) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    // Two runs that append to one file would mix their lines.
    if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 ||
        ::ftruncate(descriptor, keep_bytes) != 0 ||
        ::lseek(descriptor, 0, SEEK_END) < 0) {
      const int code = errno;
      if (descriptor >= 0) ::close(descriptor);
      return Fail(
          ErrorCode::kUnavailable,
          path.string() + ": cannot write: " +
              (code == EWOULDBLOCK ? std::string("another run is using it")
                                   : std::generic_category().message(code)));
    }
    return std::make_unique<LogFile>(path, descriptor);
  }

  Expected<void> Append(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::write(descriptor_, text.data(), text.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return SystemFailure();
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::fdatasync(descriptor_) != 0) return SystemFailure();
    return {};
  }

 private:
  [[nodiscard]] tl::unexpected<Error> SystemFailure() const {
    return Fail(ErrorCode::kUnavailable,
                path_.string() + ": cannot write: " +
                    std::generic_category().message(errno));
  }

  std::filesystem::path path_;
  int descriptor_;
};

MemoisedGame::MemoisedGame(ValueFunction& game) : game_(&game) {}
MemoisedGame::~MemoisedGame() = default;

Expected<std::int64_t> MemoisedGame::RecallFile(
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& key) {
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
      auto parsed = ParseLine(text, *game_);
      if (!parsed) {
        return tl::unexpected(LineError(file, line, parsed.error().message));
      }
      if (parsed->window) {
        known_windows_[{*parsed->window, std::move(parsed->assignment)}] =
            parsed->nll.front();
      } else {
        recalled_ += known_.emplace(std::move(parsed->assignment),
                                    std::move(parsed->nll))
                             .second
                         ? 1
                         : 0;
      }
    }
    good_bytes += static_cast<std::int64_t>(end) + 1;
    rest.remove_prefix(end + 1);
  }
  return good_bytes;
}

Expected<void> MemoisedGame::AttachFile(
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& key) {
  std::int64_t good_bytes = 0;
  if (std::filesystem::exists(file)) {
    const Expected<std::int64_t> recalled = RecallFile(file, key);
    if (!recalled) return tl::unexpected(recalled.error());
    good_bytes = *recalled;
  }
  if (good_bytes == 0) {
    const Json header = {{"format", kFormat},
                         {"version", kVersion},
                         {"tool_version", kToolVersion},
                         {"key", key}};
    const std::string text = header.dump() + "\n";
    Expected<void> started = WriteFileAtomically(file, text);
    if (!started) return started;
    good_bytes = static_cast<std::int64_t>(text.size());
  }
  Expected<std::unique_ptr<LogFile>> log = LogFile::Open(file, good_bytes);
  if (!log) return tl::unexpected(log.error());
  log_ = std::move(*log);
  return {};
}

Expected<void> MemoisedGame::EvaluateMissing(
    std::span<const FormatAssignment> missing) {
  Progress progress("evaluating coalitions",
                    static_cast<std::int64_t>(missing.size()));
  std::size_t size = kFirstBatch;
  while (!missing.empty()) {
    const auto batch = missing.first(std::min(size, missing.size()));
    const auto start = std::chrono::steady_clock::now();
    Expected<std::vector<Evaluation>> values = game_->Evaluate(batch);
    if (!values) return tl::unexpected(values.error());
    std::string lines;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Json line = {{"options", OptionsText(batch[i])},
                         {"nll", (*values)[i].window_nll}};
      lines += line.dump() + "\n";
      known_[batch[i]] = std::move((*values)[i].window_nll);
    }
    evaluations_ += static_cast<std::int64_t>(batch.size());
    const std::span<const double> tokens = game_->window_tokens();
    token_evaluations_ += static_cast<double>(batch.size()) *
                          std::accumulate(tokens.begin(), tokens.end(), 0.0);
    if (log_) {
      Expected<void> written = log_->Append(lines);
      if (!written) return written;
    }
    progress.Advance(static_cast<std::int64_t>(batch.size()));
    size = NextBatch(
        batch.size(),
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count());
    missing = missing.subspan(batch.size());
  }
  return {};
}

Expected<std::vector<Evaluation>> MemoisedGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  // Sorted and without repetition: neighbours share the longest prefixes.
  std::vector<FormatAssignment> missing;
  for (const FormatAssignment& assignment : assignments) {
    if (!known_.contains(assignment)) missing.push_back(assignment);
  }
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  const Expected<void> done = EvaluateMissing(missing);
  if (!done) return tl::unexpected(done.error());
  std::vector<Evaluation> results;
  results.reserve(assignments.size());
  for (const FormatAssignment& assignment : assignments) {
    const std::vector<double>& nll = known_.at(assignment);
    results.push_back({MeanLoss(nll, game_->window_tokens()), nll});
  }
  return results;
}

const double* MemoisedGame::Find(const WindowQuestion& question) const {
  const auto whole = known_.find(question.assignment);
  if (whole != known_.end()) {
    return &whole->second[static_cast<std::size_t>(question.window)];
  }
  const auto found =
      known_windows_.find({question.window, question.assignment});
  return found == known_windows_.end() ? nullptr : &found->second;
}

// In batches of whole windows, so that each shares its prefixes.
Expected<void> MemoisedGame::AskMissing(
    std::span<const WindowQuestion> missing) {
  Progress progress("evaluating windows",
                    static_cast<std::int64_t>(missing.size()));
  std::size_t size = kFirstBatch;
  while (!missing.empty()) {
    std::size_t end = std::min(size, missing.size());
    while (end < missing.size() &&
           missing[end].window == missing[end - 1].window) {
      ++end;
    }
    const auto batch = missing.first(end);
    const auto start = std::chrono::steady_clock::now();
    const Expected<std::vector<double>> sums = game_->EvaluateWindows(batch);
    if (!sums) return tl::unexpected(sums.error());
    std::string lines;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const WindowQuestion& question = batch[i];
      const Json line = {{"options", OptionsText(question.assignment)},
                         {"window", question.window},
                         {"nll", Json::array({(*sums)[i]})}};
      lines += line.dump() + "\n";
      known_windows_[{question.window, question.assignment}] = (*sums)[i];
      token_evaluations_ +=
          game_->window_tokens()[static_cast<std::size_t>(question.window)];
    }
    if (log_) {
      Expected<void> written = log_->Append(lines);
      if (!written) return written;
    }
    progress.Advance(static_cast<std::int64_t>(end));
    const std::chrono::duration<double> taken =
        std::chrono::steady_clock::now() - start;
    size = std::max<std::size_t>(
        1,
        static_cast<std::size_t>(static_cast<double>(end) * kBatchSeconds /
                                 std::max(taken.count(), 1e-3)));
    missing = missing.subspan(end);
  }
  return {};
}

Expected<std::vector<double>> MemoisedGame::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  const auto key = [](const WindowQuestion& question) {
    return std::tie(question.window, question.assignment);
  };
  std::vector<WindowQuestion> missing;
  for (const WindowQuestion& question : questions) {
    if (Find(question) == nullptr) missing.push_back(question);
  }
  std::ranges::sort(missing, {}, key);
  const auto repeated = std::ranges::unique(missing, {}, key);
  missing.erase(repeated.begin(), repeated.end());
  const Expected<void> done = AskMissing(missing);
  if (!done) return tl::unexpected(done.error());
  std::vector<double> sums;
  sums.reserve(questions.size());
  for (const WindowQuestion& question : questions) {
    sums.push_back(*Find(question));
  }
  return sums;
}

}  // namespace bitpact
