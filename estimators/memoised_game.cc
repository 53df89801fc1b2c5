// SPDX-License-Identifier: Apache-2.0
#include "estimators/memoised_game.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/progress.h"

namespace bitpact {
namespace {

// Assignments evaluated between two writes: as many as take about this long, so
// that little is lost when a run breaks off, yet neighbours share their
// prefixes.
constexpr double kBatchSeconds = 10.0;
constexpr std::size_t kFirstBatch = 16;
constexpr std::size_t kFirstSharedBatch = 1024;
constexpr std::size_t kLargestBatch = 256;

class BatchSize {
 public:
  explicit BatchSize(std::size_t first) : next_(first) {}
  [[nodiscard]] std::size_t next() const { return next_; }
  // Since the last call, or the start.
  void Took(std::size_t size, std::size_t most) {
    const auto now = Clock::now();
    const std::chrono::duration<double> taken = now - last_;
    last_ = now;
    const double wanted = static_cast<double>(size) * kBatchSeconds /
                          std::max(taken.count(), 1e-3);
    next_ = static_cast<std::size_t>(std::clamp(
        wanted, 1.0, static_cast<double>(std::max<std::size_t>(most, 1))));
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::size_t next_;
  Clock::time_point last_ = Clock::now();
};

bool AllFinite(std::span<const double> values) {
  return std::ranges::all_of(values,
                             [](double value) { return std::isfinite(value); });
}

}  // namespace

MemoisedGame::MemoisedGame(ValueFunction& game, MemoisedGameOptions options)
    : game_(&game), options_(std::move(options)) {
  BITPACT_CHECK(options_.unit_names.empty() ||
                    std::ssize(options_.unit_names) == game.num_units(),
                "one name a unit");
}
MemoisedGame::~MemoisedGame() = default;

Expected<void> MemoisedGame::AttachFile(
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& key) {
  auto opened =
      EvaluationFile::Open(file, key, *game_, [&](EvaluationLine line) {
        const bool whole = !line.window;
        if (whole && known_.contains(line.assignment)) return;
        // A run that stops at losses that are not finite evaluates them again
        // and names them.
        const bool kept = Remember(std::move(line));
        recalled_ += whole && kept ? 1 : 0;
      });
  if (!opened) return tl::unexpected(opened.error());
  file_ = std::move(*opened);
  return {};
}

bool MemoisedGame::Remember(EvaluationLine line) {
  if (!AllFinite(line.loss)) {
    if (options_.on_non_finite == NonFiniteLoss::kStop) return false;
    const std::span<const double> tokens = game_->window_tokens();
    for (std::size_t i = 0; i < line.loss.size(); ++i) {
      const std::size_t window =
          line.window ? static_cast<std::size_t>(*line.window) : i;
      line.loss[i] = kStandInLoss * tokens[window];
    }
    ++non_finite_;
  }
  if (line.window) {
    known_windows_[{*line.window, std::move(line.assignment)}] =
        line.loss.front();
  } else {
    known_[std::move(line.assignment)] = std::move(line.loss);
  }
  return true;
}

Error MemoisedGame::NonFiniteError(const EvaluationLine& line) const {
  constexpr int kNamed = 4;
  std::size_t bad = 0;
  while (std::isfinite(line.loss[bad])) ++bad;
  const int window = line.window.value_or(static_cast<int>(bad));
  std::string text =
      "the loss of assignment " + AssignmentText(line.assignment) + " is " +
      std::to_string(line.loss[bad]) + " in window " + std::to_string(window);
  int lowered = 0;
  for (std::size_t u = 0; u < options_.unit_names.size(); ++u) {
    if (line.assignment[u] == 0) continue;
    if (++lowered > kNamed) continue;
    text += (lowered == 1 ? " (lowered: " : ", ") + options_.unit_names[u];
  }
  if (lowered > kNamed) {
    text += " and " + std::to_string(lowered - kNamed) + " more";
  }
  if (lowered > 0) text += ")";
  return {ErrorCode::kInvalidArgument,
          text + "; --on-nan inf counts it as infinitely bad and goes on"};
}

Expected<void> MemoisedGame::Keep(std::vector<EvaluationLine> batch) {
  if (file_) {
    Expected<void> written = file_->Append(batch);
    if (!written) return written;
  }
  const std::span<const double> tokens = game_->window_tokens();
  std::optional<Error> stop;
  for (EvaluationLine& line : batch) {
    if (line.window) {
      token_evaluations_ += tokens[static_cast<std::size_t>(*line.window)];
    } else {
      ++evaluations_;
      token_evaluations_ += std::accumulate(tokens.begin(), tokens.end(), 0.0);
    }
    if (!stop && !AllFinite(line.loss) &&
        options_.on_non_finite == NonFiniteLoss::kStop) {
      stop = NonFiniteError(line);
    }
    Remember(std::move(line));
  }
  if (stop) return tl::unexpected(*stop);
  return {};
}

Expected<void> MemoisedGame::StreamMissing(
    std::span<const FormatAssignment> missing) {
  Progress progress("evaluating coalitions",
                    static_cast<std::int64_t>(missing.size()));
  std::vector<EvaluationLine> waiting;
  auto kept_at = std::chrono::steady_clock::time_point();
  const Expected<void> done =
      game_->Stream(missing, [&](std::size_t place, Evaluation value) {
        const bool finite = AllFinite(value.window_loss);
        waiting.push_back({missing[place], {}, std::move(value.window_loss)});
        progress.Advance();
        // Slow answers are on the disk at once, fast ones do not wait for it.
        const auto now = std::chrono::steady_clock::now();
        if (finite && now - kept_at < std::chrono::seconds(1)) {
          return Expected<void>();
        }
        kept_at = now;
        return Keep(std::exchange(waiting, {}));
      });
  // What arrived before an error is not lost.
  const Expected<void> kept = Keep(std::move(waiting));
  return done ? kept : done;
}

Expected<void> MemoisedGame::EvaluateMissing(
    std::span<const FormatAssignment> missing) {
  if (game_->streams()) return StreamMissing(missing);
  Progress progress("evaluating coalitions",
                    static_cast<std::int64_t>(missing.size()));
  BatchSize size(kFirstBatch);
  while (!missing.empty()) {
    const auto batch = missing.first(std::min(size.next(), missing.size()));
    Expected<std::vector<Evaluation>> values = game_->Evaluate(batch);
    if (!values) return tl::unexpected(values.error());
    std::vector<EvaluationLine> lines;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      lines.push_back({batch[i], {}, std::move((*values)[i].window_loss)});
    }
    const Expected<void> kept = Keep(std::move(lines));
    if (!kept) return kept;
    progress.Advance(static_cast<std::int64_t>(batch.size()));
    size.Took(batch.size(), kLargestBatch);
    missing = missing.subspan(batch.size());
  }
  return {};
}

// In batches of whole windows, so that each shares its prefixes.
Expected<void> MemoisedGame::AskMissing(
    std::span<const WindowQuestion> missing) {
  Progress progress("evaluating windows",
                    static_cast<std::int64_t>(missing.size()));
  // Ranks share a batch, so each needs some windows of it.
  BatchSize size(game_->streams() ? kFirstSharedBatch : kFirstBatch);
  while (!missing.empty()) {
    std::size_t end = std::min(size.next(), missing.size());
    while (end < missing.size() &&
           missing[end].window == missing[end - 1].window) {
      ++end;
    }
    const auto batch = missing.first(end);
    const Expected<std::vector<double>> sums = game_->EvaluateWindows(batch);
    if (!sums) return tl::unexpected(sums.error());
    std::vector<EvaluationLine> lines;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      lines.push_back({batch[i].assignment, batch[i].window, {(*sums)[i]}});
    }
    const Expected<void> kept = Keep(std::move(lines));
    if (!kept) return kept;
    progress.Advance(static_cast<std::int64_t>(end));
    size.Took(end, missing.size());
    missing = missing.subspan(end);
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
    results.push_back(
        MakeEvaluation(known_.at(assignment), game_->window_tokens()));
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
  Expected<void> done;
  if (game_->streams() && !game_->runs_windows_alone()) {
    // Whole assignments are evaluated anyway, so all of them is kept.
    std::set<FormatAssignment> whole;
    for (const WindowQuestion& question : missing) {
      whole.insert(question.assignment);
    }
    done = EvaluateMissing(
        std::vector<FormatAssignment>(whole.begin(), whole.end()));
  } else {
    done = AskMissing(missing);
  }
  if (!done) return tl::unexpected(done.error());
  std::vector<double> sums;
  sums.reserve(questions.size());
  for (const WindowQuestion& question : questions) {
    sums.push_back(*Find(question));
  }
  return sums;
}

}  // namespace bitpact
