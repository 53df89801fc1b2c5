// SPDX-License-Identifier: Apache-2.0
#include "solvers/text_scanner.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace bitpact {
namespace {

// Longest piece of a bad token that an error shows.
constexpr std::size_t kMostShown = 40;

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' ||
         c == '\f';
}

}  // namespace

Expected<TextScanner> TextScanner::Open(const std::filesystem::path& file) {
  std::error_code failure;
  const bool is_file = std::filesystem::is_regular_file(file, failure);
  const std::uintmax_t bytes =
      is_file ? std::filesystem::file_size(file, failure) : 0;
  std::ifstream stream(file, std::ios::binary);
  if (!is_file || failure || !stream.is_open()) {
    return Fail(ErrorCode::kNotFound, file.string() + ": cannot be opened");
  }
  if (bytes > kMostBytes) {
    return InvalidArgument(file.string() + ": " + std::to_string(bytes) +
                           " bytes; the most is " + std::to_string(kMostBytes));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  if (stream.bad()) {
    return Fail(ErrorCode::kUnavailable, file.string() + ": cannot be read");
  }
  return TextScanner(file.string(), std::move(text).str());
}

void TextScanner::SkipSpace() {
  while (at_ < text_.size() && IsSpace(text_[at_])) {
    line_ += text_[at_] == '\n' ? 1 : 0;
    ++at_;
  }
}

std::string_view TextScanner::Peek() {
  if (failed()) return {};
  SkipSpace();
  std::size_t end = at_;
  if (end < text_.size() && text_[end] == ';') {
    ++end;
  } else {
    while (end < text_.size() && !IsSpace(text_[end]) && text_[end] != ';') {
      ++end;
    }
  }
  return std::string_view(text_).substr(at_, end - at_);
}

std::string_view TextScanner::Next() {
  const std::string_view token = Peek();
  at_ += token.size();
  return token;
}

void TextScanner::SkipLine() {
  while (at_ < text_.size() && text_[at_] != '\n') ++at_;
}

std::int64_t TextScanner::Number(std::string_view what,
                                 std::int64_t least,
                                 std::int64_t greatest) {
  const std::string_view token = Next();
  if (token.empty()) {
    FailHere(ErrorCode::kDataLoss, "ends before " + std::string(what));
    return least;
  }
  return ToNumber(token, what, least, greatest);
}

std::int64_t TextScanner::ToNumber(std::string_view token,
                                   std::string_view what,
                                   std::int64_t least,
                                   std::int64_t greatest) {
  std::string_view digits = token;
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') {
    digits.remove_prefix(1);
  }
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, failure] = std::from_chars(digits.data(), end, value);
  if (failure != std::errc() || stop != end || value < least ||
      value > greatest) {
    FailHere(ErrorCode::kInvalidArgument,
             std::string(what) + " = '" +
                 std::string(token.substr(0, kMostShown)) +
                 "' is not a whole number within " + std::to_string(least) +
                 " and " + std::to_string(greatest));
    return least;
  }
  return value;
}

void TextScanner::FailHere(ErrorCode code, const std::string& what) {
  if (failed()) return;
  error_ = {code, name_ + ":" + std::to_string(line_) + ": " + what};
}

}  // namespace bitpact
