// SPDX-License-Identifier: Apache-2.0
#include "core/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <utility>

namespace bitpact {
namespace {

constexpr double kQuietSeconds = 0.5;
constexpr double kTerminalInterval = 0.1;
constexpr double kPlainInterval = 10.0;
constexpr int kBarWidth = 24;

std::atomic<bool> enabled{true};

double Seconds(std::chrono::steady_clock::duration span) {
  return std::chrono::duration<double>(span).count();
}

}  // namespace

std::string FormatDuration(double seconds) {
  std::array<char, 48> text{};
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (seconds < 0.0995) {
    std::snprintf(text.data(), text.size(), "%.0f ms", 1e3 * seconds);
  } else if (seconds < 59.95) {  // more would print as "60.0 s"
    std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  } else if (whole < 3600) {
    std::snprintf(text.data(),
                  text.size(),
                  "%lld min %02lld s",
                  static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  } else {
    std::snprintf(text.data(),
                  text.size(),
                  "%lld h %02lld min",
                  static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60));
  }
  return text.data();
}

Progress::Progress(std::string label, std::int64_t total)
    : label_(std::move(label)),
      total_(std::max<std::int64_t>(total, 1)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_draw_(start_) {}

Progress::~Progress() {
  const std::lock_guard lock(mutex_);
  if (drawn_) Draw(true);
}

void Progress::SetEnabled(bool value) { enabled = value; }

void Progress::Advance(std::int64_t amount) {
  const std::lock_guard lock(mutex_);
  done_ = std::min(done_ + amount, total_);
  const auto now = Clock::now();
  if (Seconds(now - start_) < kQuietSeconds) return;
  const double interval = terminal_ ? kTerminalInterval : kPlainInterval;
  if (Seconds(now - last_draw_) < interval) return;
  last_draw_ = now;
  Draw(false);
}

void Progress::Draw(bool last) {
  if (!enabled) return;
  drawn_ = true;
  const double elapsed = Seconds(Clock::now() - start_);
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const std::string left =
      last          ? "took " + FormatDuration(elapsed)
      : share > 0.0 ? FormatDuration(elapsed * (1 - share) / share) + " left"
                    : "";
  if (!terminal_) {
    std::fprintf(
        stderr, "%s: %3.0f%%, %s\n", label_.c_str(), 100 * share, left.c_str());
    return;
  }
  const auto filled = static_cast<int>(std::lround(share * kBarWidth));
  const std::string bar =
      std::string(static_cast<std::size_t>(filled), '#') +
      std::string(static_cast<std::size_t>(kBarWidth - filled), '.');
  std::fprintf(stderr,
               "\r%s [%s] %3.0f%%  %s\x1b[K%s",
               label_.c_str(),
               bar.c_str(),
               100 * share,
               left.c_str(),
               last ? "\n" : "");
}

}  // namespace bitpact
