// SPDX-License-Identifier: Apache-2.0
#include "estimators/outside_game.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/json_file.h"
#include "core/line_process.h"

namespace bitpact {
namespace {

constexpr const char* kProtocol = "bitpact.value_function";

std::string Shown(const std::string& line) {
  constexpr std::size_t kMost = 200;
  return "'" + line.substr(0, kMost) +
         (line.size() > kMost ? "...' (cut)" : "'");
}

// JSON as Python writes it: NaN and Infinity outside of strings become null.
Json ParseLoosely(const std::string& line) {
  Json value = Json::parse(line, nullptr, false);
  if (!value.is_discarded()) return value;
  std::string mended;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) quoted = !quoted;
    std::size_t skip = 0;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (!quoted && skip == 0 && line.compare(i, word.size(), word) == 0) {
        skip = word.size();
      }
    }
    mended += skip > 0 ? std::string("null") : std::string(1, line[i]);
    i += std::max<std::size_t>(skip, 1);
  }
  return Json::parse(mended, nullptr, false);
}

std::optional<double> NumberOrNull(const Json& value) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (value.is_number()) return value.get<double>();
  return std::nullopt;
}

}  // namespace

class OutsideGame::Worker {
 public:
  std::unique_ptr<LineProcess> process;  // null: not running
};

Expected<void> Validate(const OutsideGameOptions& options) {
  if (options.command.empty()) {
    return InvalidArgument("--value-function: a command, e.g. 'python3 f.py'");
  }
  constexpr int kMostWorkers = 1024;
  if (options.workers < 1 || options.workers > kMostWorkers) {
    return InvalidArgument(
        "--workers = " + std::to_string(options.workers) +
        " violates 1 <= --workers <= " + std::to_string(kMostWorkers));
  }
  if (!(options.answer_timeout_s > 0.0)) {
    return InvalidArgument(
        "--answer-timeout = " + std::to_string(options.answer_timeout_s) +
        " violates --answer-timeout > 0");
  }
  return {};
}

OutsideGame::OutsideGame(std::string greeting, OutsideGameOptions options)
    : greeting_(std::move(greeting)), options_(std::move(options)) {
  for (int i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
}

OutsideGame::~OutsideGame() = default;

Expected<std::unique_ptr<OutsideGame>> OutsideGame::Create(
    const std::vector<Unit>& units,
    const std::vector<std::string>& option_names,
    const OutsideGameOptions& options) {
  BITPACT_CHECK(!units.empty() && !option_names.empty(), "an empty game");
  const Expected<void> valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  Json described = Json::array();
  for (const Unit& unit : units) {
    Json matrices = Json::array();
    for (const UnitMatrix& matrix : unit.matrices) {
      matrices.push_back({{"tensor", matrix.tensor},
                          {"rows", matrix.rows},
                          {"cols", matrix.cols}});
    }
    described.push_back({{"name", unit.name}, {"matrices", matrices}});
  }
  const Json greeting = {{"protocol", kProtocol},
                         {"version", kProtocolVersion},
                         {"options", option_names},
                         {"units", described}};
  std::unique_ptr<OutsideGame> game(new OutsideGame(greeting.dump(), options));
  game->num_units_ = static_cast<int>(units.size());
  game->num_options_ = static_cast<int>(option_names.size());
  const Expected<void> awake = game->Wake(*game->workers_.front());
  if (!awake) return tl::unexpected(awake.error());
  return game;
}

Expected<void> OutsideGame::ReadGreeting(const std::string& line) {
  const auto refused = [&](ErrorCode code, const std::string& rule) {
    return Fail(code,
                "value function '" + options_.command + "' greets with " +
                    Shown(line) + ": " + rule);
  };
  const Json value = ParseLoosely(line);
  if (!value.is_object() || value.value("protocol", Json()) != kProtocol) {
    return refused(ErrorCode::kInvalidArgument,
                   "must be an object whose \"protocol\" is \"" +
                       std::string(kProtocol) + "\"");
  }
  if (value.value("version", Json()) != kProtocolVersion) {
    return refused(
        ErrorCode::kUnsupported,
        "this program speaks version " + std::to_string(kProtocolVersion));
  }
  const Json name = value.value("name", Json(""));
  const Json windows = value.value("window_tokens", Json::array({1.0}));
  bool good = name.is_string() && windows.is_array() && !windows.empty();
  std::vector<double> tokens;
  for (const Json& item : good ? windows : Json::array()) {
    good = good && item.is_number() && item.get<double>() > 0.0;
    if (good) tokens.push_back(item.get<double>());
  }
  if (!good) {
    return refused(ErrorCode::kInvalidArgument,
                   "\"name\" is text, \"window_tokens\" a list of numbers > 0");
  }
  if (window_tokens_.empty()) {
    window_tokens_ = std::move(tokens);
    name_ = name.get<std::string>();
  } else if (tokens != window_tokens_ || name != name_) {
    return refused(ErrorCode::kInvalidArgument,
                   "another worker of the same command said otherwise");
  }
  return {};
}

Expected<void> OutsideGame::Wake(Worker& worker) {
  if (worker.process) return {};
  auto started = LineProcess::Start(options_.command);
  if (!started) return tl::unexpected(started.error());
  const std::chrono::duration<double> patience(options_.answer_timeout_s);
  LineProcess::Answer answer;
  if ((*started)->Write(greeting_, patience)) {
    answer = (*started)->Read(patience);
  }
  if (answer.outcome == LineProcess::Outcome::kTimedOut) {
    return Fail(ErrorCode::kUnavailable,
                "value function '" + options_.command +
                    "' did not greet within --answer-timeout");
  }
  if (answer.outcome == LineProcess::Outcome::kEnded) {
    return Fail(ErrorCode::kUnavailable,
                "value function '" + options_.command +
                    "' ended before its greeting (" + (*started)->End() + ")");
  }
  static std::mutex greeting_mutex;
  const std::lock_guard lock(greeting_mutex);
  const Expected<void> understood = ReadGreeting(answer.line);
  if (!understood) return understood;
  worker.process = std::move(*started);
  return {};
}

Expected<Evaluation> OutsideGame::ParseAnswer(const std::string& line,
                                              std::size_t id) const {
  const auto refused = [&](const std::string& rule) {
    return InvalidArgument("value function '" + options_.command +
                           "' answers " + Shown(line) + ": " + rule);
  };
  const Json value = ParseLoosely(line);
  if (!value.is_object()) return refused("not a JSON object");
  if (value.contains("error")) return refused("it reports an error");
  if (value.value("id", Json()) != id) {
    return refused("\"id\" must be " + std::to_string(id));
  }
  if (value.contains("loss") == value.contains("window_loss")) {
    return refused("must hold either \"loss\" or \"window_loss\"");
  }
  std::vector<double> sums;
  if (value.contains("loss")) {
    const std::optional<double> loss = NumberOrNull(value["loss"]);
    if (!loss) return refused("\"loss\" must be a number or null");
    if (window_tokens_.size() != 1) {
      return refused("\"window_loss\" must hold the sums of " +
                     std::to_string(window_tokens_.size()) + " windows");
    }
    sums = {*loss * window_tokens_.front()};
  } else {
    const Json& list = value["window_loss"];
    for (const Json& item : list.is_array() ? list : Json::array()) {
      const std::optional<double> sum = NumberOrNull(item);
      if (sum) sums.push_back(*sum);
    }
    if (!list.is_array() || sums.size() != window_tokens_.size() ||
        list.size() != sums.size()) {
      return refused("\"window_loss\" must hold the sums of " +
                     std::to_string(window_tokens_.size()) + " windows");
    }
  }
  return MakeEvaluation(std::move(sums), window_tokens_);
}

Expected<Evaluation> OutsideGame::Ask(Worker& worker,
                                      const FormatAssignment& assignment,
                                      std::size_t id) {
  const std::string question = Json{{"id", id}, {"options", assignment}}.dump();
  const std::chrono::duration<double> patience(options_.answer_timeout_s);
  std::string why;
  for (int attempt = 0; attempt <= kMostRestarts; ++attempt) {
    const Expected<void> awake = Wake(worker);
    if (!awake) return tl::unexpected(awake.error());
    LineProcess::Answer answer;
    if (worker.process->Write(question, patience)) {
      answer = worker.process->Read(patience);
    }
    if (answer.outcome == LineProcess::Outcome::kLine) {
      return ParseAnswer(answer.line, id);
    }
    why = answer.outcome == LineProcess::Outcome::kTimedOut
              ? "was silent for --answer-timeout = " +
                    std::to_string(options_.answer_timeout_s) + " s"
              : "died (" + worker.process->End() + ")";
    worker.process.reset();
  }
  return Fail(ErrorCode::kUnavailable,
              "value function '" + options_.command + "' " + why + ", " +
                  std::to_string(kMostRestarts + 1) +
                  " times, at the question " + Shown(question));
}

Expected<std::vector<Evaluation>> OutsideGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  std::vector<Evaluation> results(assignments.size());
  const Expected<void> done =
      Stream(assignments, [&](std::size_t place, Evaluation value) {
        results[place] = std::move(value);
        return Expected<void>();
      });
  if (!done) return tl::unexpected(done.error());
  return results;
}

Expected<void> OutsideGame::Stream(
    std::span<const FormatAssignment> assignments, const Taker& take) {
  std::mutex mutex;  // of the three below, and of `take`
  std::size_t next = 0;
  std::optional<std::pair<std::size_t, Error>> first_error;
  const auto work = [&](Worker& worker) {
    std::unique_lock lock(mutex);
    while (next < assignments.size() && !first_error) {
      const std::size_t place = next++;
      lock.unlock();
      Expected<Evaluation> value = Ask(worker, assignments[place], place);
      lock.lock();
      const Expected<void> taken =
          value ? take(place, std::move(*value))
                : Expected<void>(tl::unexpected(value.error()));
      if (!taken && (!first_error || place < first_error->first)) {
        first_error = {place, taken.error()};
      }
    }
  };
  {
    // Workers wait for other processes, so they are no matter of --threads.
    std::vector<std::jthread> threads;
    for (std::size_t w = 1; w < std::min(workers_.size(), assignments.size());
         ++w) {
      threads.emplace_back(work, std::ref(*workers_[w]));
    }
    work(*workers_.front());
  }
  if (first_error) return tl::unexpected(first_error->second);
  return {};
}

}  // namespace bitpact
