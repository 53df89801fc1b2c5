// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_NAME_PATTERN_H_
#define BITPACT_MODELS_NAME_PATTERN_H_

// A regular expression from a stranger's file, matched against names at their
// start (Python's re.match, which the writers of such files use). By PCRE2,
// whose work can be limited: a pattern such as "(a*)*b" takes an error, not a
// lifetime or the stack.

#include <memory>
#include <string>

#include "core/error.h"

namespace bitpact {

class NamePattern {
 public:
  // Bytes of a pattern, and steps and nested calls of one match, at most.
  static constexpr std::size_t kMostBytes = 4096;
  static constexpr std::uint32_t kMostSteps = 100'000;
  static constexpr std::uint32_t kMostDepth = 1000;

  // kInvalidArgument: no regular expression, or longer than kMostBytes; says
  // where and why.
  static Expected<NamePattern> Compile(const std::string& pattern);

  // Whether the name starts with a match. kUnsupported: that would take more
  // than the limits. Thread-safe.
  [[nodiscard]] Expected<bool> MatchesStartOf(const std::string& name) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_NAME_PATTERN_H_
