// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_TOKEN_SET_H_
#define BITPACT_MODELS_TOKEN_SET_H_

// Text as windows of tokens, with every choice that changes a perplexity
// stated.
//
// * The text is split at every `<|endoftext|>`; each part, stripped of white
//   space at both ends, is a document. Documents never see each other.
// * Every window starts with BOS. BOS is never predicted; the first predicted
//   token is the first one behind it. A window of `window` tokens is what the
//   model runs, BOS counted; it predicts as many, so the set holds one token
//   more for it, which is predicted and never run.
// * Documents mode (the text has a separator, or is forced): a document is one
//   window, cut at `window` predicted tokens. Documents under `min_tokens`
//   (BOS counted) are skipped.
// * Windows mode (no separator): the text as it is, separators included, is one
//   stream, cut into windows of `window` predicted tokens that start every
//   `stride` tokens; a token is predicted in the first window that holds it.
//   stride = window: windows do not overlap. The last window is shorter.
// * Windows are taken in the text's order; the set ends with the window that
//   reaches `max_predicted` predicted tokens (0: no limit).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "models/tokenizer.h"

namespace bitpact {

enum class TextMode : std::uint8_t { kAuto, kDocuments, kWindows };

struct TokenSetOptions {
  TextMode mode = TextMode::kAuto;
  int window = 0;                  // 1..context; 0: the model's context
  int stride = 0;                  // 1..window; 0: window. Windows mode only
  int min_tokens = 16;             // >= 2, BOS counted. Documents mode only
  std::int64_t max_predicted = 0;  // >= 0
  // From the front, counted before short ones are skipped. Documents mode only.
  std::int64_t skip_documents = 0;
};

struct TokenWindow {
  std::vector<int> tokens;  // BOS first; at most `window` + 1
  // Index into `tokens` of the first predicted one, >= 1.
  int first_predicted = 1;
  [[nodiscard]] std::int64_t predicted() const {
    return static_cast<std::int64_t>(tokens.size()) - first_predicted;
  }
};

struct TokenSet {
  std::vector<TokenWindow> windows;  // not empty
  // Of what the windows were cut from, in the text's order, to find text that
  // two sets share (SharedDocument): of every document taken, stripped and
  // whole, also where a window cuts it; of running text, of every line of at
  // least kPassageBytes bytes, stripped, from its start to where the set ends.
  std::vector<std::string> document_hashes;
  std::int64_t predicted = 0;  // sum over windows
  // Of the token ids and borders: two sets with the same fingerprint give the
  // same loss.
  std::string fingerprint;
  // One line for reports: how the text became windows.
  std::string description;
};

// Shorter lines of running text stand in many texts by chance.
inline constexpr std::size_t kPassageBytes = 160;

// A document, or a line of running text, that stands in both sets.
struct SharedText {
  std::size_t first = 0;   // index into document_hashes of one
  std::size_t second = 0;  // and of the other
};
// The first of `b` that also stands in `a`. O(n log n).
std::optional<SharedText> SharedDocument(const TokenSet& a, const TokenSet& b);

// The windows at distinct indices, at least one, in the order given. Keeps all
// document_hashes: what a document was cut into is not recorded.
TokenSet TakeWindows(const TokenSet& set, std::span<const int> windows);

// context: the model's. name: the file, for messages.
// kInvalidArgument: empty text, no document of min_tokens, a text shorter than
// a window, an option out of range, a tokenizer without BOS. Ids are below the
// tokenizer's vocab_size, which Tokenizer::Load holds against the model's.
// Encodes no more documents than it takes.
Expected<TokenSet> MakeTokenSet(std::string_view text,
                                const std::string& name,
                                const Tokenizer& tokenizer,
                                int context,
                                const TokenSetOptions& options);

Expected<TokenSet> ReadTokenSet(const std::filesystem::path& file,
                                const Tokenizer& tokenizer,
                                int context,
                                const TokenSetOptions& options);

}  // namespace bitpact

#endif  // BITPACT_MODELS_TOKEN_SET_H_
