// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TEXT_SCANNER_H_
#define BITPACT_SOLVERS_TEXT_SCANNER_H_

// Tokens between white space, with their line, from a file that may be hostile:
// what the readers of published formats have in common. Remembers the first
// error; after it nothing is read any more.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/error.h"

namespace bitpact {

class TextScanner {
 public:
  // Reads the whole file: kNotFound, kUnavailable, or kInvalidArgument above
  // kMostBytes.
  static Expected<TextScanner> Open(const std::filesystem::path& file);
  static constexpr std::uintmax_t kMostBytes = std::uintmax_t{1} << 30U;

  // The next token; empty at the end or after an error. A ';' is a token of its
  // own.
  std::string_view Next();
  // The token that Next would return.
  [[nodiscard]] std::string_view Peek();
  // Skips the rest of the line.
  void SkipLine();
  [[nodiscard]] bool AtEnd() { return Peek().empty(); }

  // The next token as a whole number within the range; `least` and an error
  // naming file, line, value and range when it is not one.
  std::int64_t Number(std::string_view what,
                      std::int64_t least,
                      std::int64_t greatest);
  // A token taken with Next as a whole number, by the same rule. A leading '+'
  // is allowed.
  std::int64_t ToNumber(std::string_view token,
                        std::string_view what,
                        std::int64_t least,
                        std::int64_t greatest);

  // Notes "file:line: what", unless there is an error already.
  void FailHere(ErrorCode code, const std::string& what);
  [[nodiscard]] bool failed() const { return !error_.message.empty(); }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  TextScanner(std::string name, std::string text)
      : name_(std::move(name)), text_(std::move(text)) {}
  void SkipSpace();

  std::string name_;
  std::string text_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
  Error error_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TEXT_SCANNER_H_
