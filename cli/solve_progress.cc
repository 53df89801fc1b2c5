// SPDX-License-Identifier: Apache-2.0
#include "cli/solve_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "cli/solve_report.h"
#include "core/progress.h"

namespace bitpact {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kQuiet{500};
constexpr milliseconds kTerminalInterval{200};
constexpr milliseconds kPlainInterval{10'000};

}  // namespace

std::string SolveProgressText(const std::string& label,
                              double seconds,
                              double objective,
                              double bound) {
  std::string text = label + " " + FormatDuration(seconds) + ": ";
  text += std::isfinite(objective) ? "incumbent " + FormatObjective(objective)
                                   : "no plan yet";
  if (!std::isfinite(bound)) return text + ", no bound yet";
  text += ", bound " + FormatObjective(bound);
  if (!std::isfinite(objective)) return text;
  const double gap = std::max(0.0, objective - bound);
  return text + ", gap " +
         FormatPercent(gap / std::max(1e-9, std::abs(objective)));
}

SolveProgress::SolveProgress(std::string label, bool is_enabled)
    : label_(std::move(label)),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()) {
  if (!is_enabled) return;
  drawer_ = std::jthread([this](const std::stop_token& end) { Run(end); });
}

SolveProgress::~SolveProgress() = default;

void SolveProgress::Update(const TracePoint& point) {
  const std::lock_guard lock(mutex_);
  objective_ = std::min(objective_, point.objective);
  bound_ = std::max(bound_, point.bound);
}

void SolveProgress::Run(const std::stop_token& end) {
  std::unique_lock lock(mutex_);
  milliseconds pause = is_terminal_ ? kQuiet : kPlainInterval;
  bool is_drawn = false;
  while (
      !wake_.wait_for(lock, end, pause, [&] { return end.stop_requested(); })) {
    pause = is_terminal_ ? kTerminalInterval : kPlainInterval;
    const std::chrono::duration<double> passed =
        std::chrono::steady_clock::now() - start_;
    const std::string text =
        SolveProgressText(label_, passed.count(), objective_, bound_);
    std::fprintf(stderr, is_terminal_ ? "\r%s\x1b[K" : "%s\n", text.c_str());
    is_drawn = true;
  }
  if (is_drawn && is_terminal_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace bitpact
