// SPDX-License-Identifier: Apache-2.0
#include "models/token_set.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/hash.h"
#include "core/mapped_file.h"

namespace bitpact {
namespace {

constexpr std::string_view kSeparator = "<|endoftext|>";

std::string_view Stripped(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The parts of a text, one a call.
class DocumentSplitter {
 public:
  explicit DocumentSplitter(std::string_view text) : text_(text) {}

  // Empty when there is no further part; empty parts are passed over.
  std::string_view Next() {
    while (next_ <= text_.size()) {
      const std::size_t end =
          std::min(text_.find(kSeparator, next_), text_.size());
      const std::string_view part = Stripped(text_.substr(next_, end - next_));
      next_ = end + kSeparator.size();
      if (!part.empty()) return part;
    }
    return {};
  }

 private:
  std::string_view text_;
  std::size_t next_ = 0;
};

// Options with every default filled in.
Expected<TokenSetOptions> Resolve(const TokenSetOptions& options,
                                  std::string_view text,
                                  int context) {
  TokenSetOptions used = options;
  if (used.mode == TextMode::kAuto) {
    used.mode = text.find(kSeparator) != std::string_view::npos
                    ? TextMode::kDocuments
                    : TextMode::kWindows;
  }
  if (used.window == 0) used.window = context;
  if (used.window < 1 || used.window > context) {
    return InvalidArgument(
        "window = " + std::to_string(used.window) +
        " violates 1 <= window <= context = " + std::to_string(context));
  }
  if (used.stride == 0) used.stride = used.window;
  if (used.stride < 1 || used.stride > used.window) {
    return InvalidArgument(
        "stride = " + std::to_string(used.stride) +
        " violates 1 <= stride <= window = " + std::to_string(used.window));
  }
  if (used.min_tokens < 2) {
    return InvalidArgument("min_tokens = " + std::to_string(used.min_tokens) +
                           " violates min_tokens >= 2");
  }
  if (used.max_predicted < 0) {
    return InvalidArgument(
        "max_predicted = " + std::to_string(used.max_predicted) +
        " violates max_predicted >= 0");
  }
  if (used.skip_documents < 0) {
    return InvalidArgument(
        "skip_documents = " + std::to_string(used.skip_documents) +
        " violates skip_documents >= 0");
  }
  return used;
}

bool Full(const TokenSet& set, const TokenSetOptions& options) {
  return options.max_predicted > 0 && set.predicted >= options.max_predicted;
}

void AddWindow(TokenSet& set, TokenWindow window) {
  set.predicted += window.predicted();
  set.windows.push_back(std::move(window));
}

TokenSet FromDocuments(std::string_view text,
                       const Tokenizer& tokenizer,
                       const TokenSetOptions& options) {
  TokenSet set;
  DocumentSplitter splitter(text);
  std::int64_t number = 0;
  std::int64_t too_short = 0;
  std::int64_t cut = 0;
  while (!Full(set, options)) {
    const std::string_view document = splitter.Next();
    if (document.empty()) break;
    if (number++ < options.skip_documents) continue;
    TokenWindow window;
    window.tokens = tokenizer.Encode(document);
    window.tokens.insert(window.tokens.begin(), tokenizer.bos_id());
    if (std::ssize(window.tokens) > options.window + 1) {
      window.tokens.resize(static_cast<std::size_t>(options.window) + 1);
      ++cut;
    }
    if (std::ssize(window.tokens) < options.min_tokens) {
      ++too_short;
      continue;
    }
    AddWindow(set, std::move(window));
    set.document_hashes.push_back(HashText(document));
  }
  set.description =
      std::to_string(set.windows.size()) + " documents, each BOS first, " +
      std::to_string(cut) + " cut at " + std::to_string(options.window) +
      " predicted tokens; " + std::to_string(options.skip_documents) +
      " left out in front, " + std::to_string(too_short) + " under " +
      std::to_string(options.min_tokens) + " tokens skipped; " +
      std::to_string(set.predicted) + " predicted tokens";
  return set;
}

TokenSet FromStream(const std::vector<int>& stream,
                    int bos,
                    const TokenSetOptions& options) {
  TokenSet set;
  const auto length = static_cast<std::size_t>(options.window);
  std::size_t predicted_end = 0;
  for (std::size_t begin = 0;
       predicted_end < stream.size() && !Full(set, options);
       begin += static_cast<std::size_t>(options.stride)) {
    const std::size_t end = std::min(begin + length, stream.size());
    TokenWindow window;
    window.tokens.reserve(end - begin + 1);
    window.tokens.push_back(bos);
    window.tokens.insert(window.tokens.end(),
                         stream.begin() + static_cast<std::ptrdiff_t>(begin),
                         stream.begin() + static_cast<std::ptrdiff_t>(end));
    window.first_predicted = static_cast<int>(predicted_end - begin) + 1;
    predicted_end = end;
    AddWindow(set, std::move(window));
  }
  set.description = std::to_string(set.windows.size()) + " windows of " +
                    std::to_string(options.window) +
                    " predicted tokens, BOS first, every " +
                    std::to_string(options.stride) + " tokens of the text; " +
                    std::to_string(set.predicted) + " predicted tokens";
  return set;
}

// The share of the text that the set's tokens make up is known in tokens only;
// the lines up to the same share of bytes, rounded up to a whole line, are
// taken for it.
void HashPassages(std::string_view text,
                  std::size_t stream_tokens,
                  TokenSet& set) {
  const double share =
      static_cast<double>(set.predicted) /
      static_cast<double>(std::max<std::size_t>(stream_tokens, 1));
  const double end = share * static_cast<double>(text.size());
  for (std::size_t at = 0; at < text.size() && static_cast<double>(at) < end;) {
    const std::size_t stop = std::min(text.find('\n', at), text.size());
    const std::string_view line = Stripped(text.substr(at, stop - at));
    if (line.size() >= kPassageBytes) {
      set.document_hashes.push_back(HashText(line));
    }
    at = stop + 1;
  }
}

std::string Fingerprint(const TokenSet& set) {
  std::vector<std::int32_t> numbers;
  for (const TokenWindow& window : set.windows) {
    numbers.push_back(static_cast<std::int32_t>(window.tokens.size()));
    numbers.push_back(window.first_predicted);
    numbers.insert(numbers.end(), window.tokens.begin(), window.tokens.end());
  }
  return HashBytes(std::as_bytes(std::span(numbers)));
}

}  // namespace

std::optional<SharedText> SharedDocument(const TokenSet& a, const TokenSet& b) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < a.document_hashes.size(); ++i) {
    places.emplace(a.document_hashes[i], i);
  }
  for (std::size_t i = 0; i < b.document_hashes.size(); ++i) {
    const auto found = places.find(b.document_hashes[i]);
    if (found != places.end()) return SharedText{found->second, i};
  }
  return std::nullopt;
}

Expected<TokenSet> MakeTokenSet(std::string_view text,
                                const std::string& name,
                                const Tokenizer& tokenizer,
                                int context,
                                const TokenSetOptions& options) {
  const Expected<TokenSetOptions> used = Resolve(options, text, context);
  if (!used) return tl::unexpected(used.error());
  if (Stripped(text).empty()) {
    return InvalidArgument(name + ": the text is empty");
  }
  if (tokenizer.bos_id() < 0) {
    return InvalidArgument(name + ": the tokenizer has no BOS token");
  }
  TokenSet set;
  if (used->mode == TextMode::kDocuments) {
    set = FromDocuments(text, tokenizer, *used);
    if (set.windows.empty()) {
      return InvalidArgument(
          name + ": no document behind the first " +
          std::to_string(used->skip_documents) + " has min_tokens = " +
          std::to_string(used->min_tokens) + " tokens (BOS counted)");
    }
  } else {
    const std::vector<int> stream = tokenizer.Encode(text);
    if (std::ssize(stream) < used->window) {
      return InvalidArgument(
          name + ": the text has " + std::to_string(stream.size()) +
          " tokens, one window predicts " + std::to_string(used->window));
    }
    set = FromStream(stream, tokenizer.bos_id(), *used);
    HashPassages(text, stream.size(), set);
  }
  set.fingerprint = Fingerprint(set);
  return set;
}

TokenSet TakeWindows(const TokenSet& set, std::span<const int> windows) {
  BITPACT_CHECK(!windows.empty(), "at least one window");
  TokenSet part;
  for (const int window : windows) {
    const TokenWindow& taken = set.windows.at(static_cast<std::size_t>(window));
    part.windows.push_back(taken);
    part.predicted += taken.predicted();
  }
  part.document_hashes = set.document_hashes;
  part.fingerprint = Fingerprint(part);
  part.description = std::to_string(windows.size()) + " windows of " +
                     std::to_string(set.windows.size()) + ": " +
                     set.description;
  return part;
}

Expected<TokenSet> ReadTokenSet(const std::filesystem::path& file,
                                const Tokenizer& tokenizer,
                                int context,
                                const TokenSetOptions& options) {
  const Expected<MappedFile> mapped = MappedFile::Open(file);
  if (!mapped) return tl::unexpected(mapped.error());
  const std::string_view text(
      reinterpret_cast<const char*>(mapped->bytes().data()),
      mapped->bytes().size());
  return MakeTokenSet(text, file.string(), tokenizer, context, options);
}

}  // namespace bitpact
