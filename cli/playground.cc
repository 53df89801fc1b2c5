// SPDX-License-Identifier: Apache-2.0
#include "cli/playground.h"

#include <algorithm>
#include <utility>

#include "cli/pipeline.h"
#include "core/hash.h"
#include "estimators/model_game.h"
#include "estimators/mpi_game.h"
#include "estimators/outside_game.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

}  // namespace

Expected<ProductPrecision> UsedProducts(const MeasureOptions& options) {
  const Expected<ProductPrecision> asked =
      ParseProductPrecision(options.products);
  if (!asked || IsAvailable(*asked)) return asked;
  return ProductPrecision::kFloat32;
}

std::string ProductsText(const MeasureOptions& options) {
  std::string used(NameOf(*UsedProducts(options)));
  if (used == options.products) return used;
  return used + " (asked " + options.products + ", which this processor lacks)";
}

std::string UnitsFingerprint(const std::vector<Unit>& units) {
  std::string text;
  for (const Unit& unit : units) {
    text += unit.name + "\n";
    for (const UnitMatrix& matrix : unit.matrices) text += matrix.tensor + ";";
  }
  return HashText(text);
}

std::string FormatsText(const std::vector<FormatRule>& formats) {
  std::string text;
  for (const FormatRule& rule : formats) {
    text += (text.empty() ? "" : ",") + FormatName(rule.base) +
            (rule.fit_group_size ? "-fit" : "");
  }
  return text;
}

namespace {

// Name and, where they matter, options.
std::string QuantizerKey(const Playground& play,
                         const MeasureOptions& options) {
  std::string key = play.quantizer->name();
  if (play.quantizer->needs_hessian()) {
    key += " " + OptionsText(options.quantizer_options);
  }
  const bool rows = std::ranges::any_of(
      play.formats, [](const FormatRule& rule) { return rule.base.row_mix(); });
  if (rows) key += RankingText(options.quantizer_options);
  return key;
}

Expected<std::int64_t> GameMemory(const std::string& text) {
  const Expected<Budget> size = ParseBudget(text);
  if (!size || size->kind != BudgetKind::kModelBytes || size->value > 1e18) {
    return InvalidArgument("--game-memory '" + text +
                           "' is not a size in bytes such as 500MB or 2GiB");
  }
  return static_cast<std::int64_t>(size->value);
}

Expected<void> AddModelGame(const Model& model,
                            const TokenSet& calibration,
                            const MeasureOptions& options,
                            Playground& play) {
  const Expected<LossKind> loss = ParseLossKind(options.value);
  if (!loss) return tl::unexpected(loss.error());
  const Expected<std::int64_t> memory = GameMemory(options.game_memory);
  if (!memory) return tl::unexpected(memory.error());
  const Expected<ProductPrecision> products = UsedProducts(options);
  if (!products) return tl::unexpected(products.error());
  auto game = ModelGame::Create(
      model,
      play.units,
      play.formats,
      *play.quantizer,
      calibration,
      {.loss = *loss, .memory_bytes = *memory, .products = *products});
  if (!game) return tl::unexpected(game.error());
  play.game = std::move(*game);
  play.key["tokens"] = calibration.fingerprint;
  if (*products != ProductPrecision::kFloat32) {
    play.key["products"] = NameOf(*products);
  }
  play.key["value"] = options.value;
  play.key["quantizer"] = QuantizerKey(play, options);
  return {};
}

Expected<void> AddOutsideGame(const MeasureOptions& options, Playground& play) {
  std::vector<std::string> names;
  for (const FormatRule& rule : play.formats) {
    names.push_back(OptionName(rule));
  }
  auto game = OutsideGame::Create(play.units, names, options.outside);
  if (!game) return tl::unexpected(game.error());
  play.key["value"] = "outside " + options.outside.command;
  play.key["program"] = (*game)->program_name();
  std::string windows;
  for (const double tokens : (*game)->window_tokens()) {
    windows += std::to_string(tokens) + " ";
  }
  play.key["tokens"] = HashText(windows);
  play.game = std::move(*game);
  return {};
}

}  // namespace

Expected<void> ValidateGame(const MeasureOptions& options) {
  const Expected<LossKind> loss = ParseLossKind(options.value);
  if (!loss) return tl::unexpected(loss.error());
  const Expected<ProductPrecision> products = UsedProducts(options);
  if (!products) return tl::unexpected(products.error());
  if (options.on_nan != "stop" && options.on_nan != "inf") {
    return InvalidArgument("--on-nan '" + options.on_nan +
                           "' is not one of: stop, inf");
  }
  const Expected<std::int64_t> memory = GameMemory(options.game_memory);
  if (!memory) return tl::unexpected(memory.error());
  if (options.outside.command.empty()) return {};
  return Validate(options.outside);
}

Expected<Playground> MakeGame(const Model& model,
                              const TokenSet& calibration,
                              const MeasureOptions& options) {
  const Expected<Granularity> granularity =
      ParseGranularity(options.granularity);
  if (!granularity) return tl::unexpected(granularity.error());
  Playground play;
  play.units = MakeUnits(model, *granularity);
  play.formats = CandidateFormats(options);
  for (const FormatRule& format : play.formats) {
    const Expected<void> divides = CheckGroupSize(play.units, format);
    if (!divides) return tl::unexpected(divides.error());
  }
  auto quantizer = MakeQuantizer(options.quantizer, options.quantizer_options);
  if (!quantizer) return tl::unexpected(quantizer.error());
  play.quantizer = std::move(*quantizer);
  play.key = {{"model", model.fingerprint()},
              {"formats", FormatsText(play.formats)},
              {"units", UnitsFingerprint(play.units)}};
  play.outside = !options.outside.command.empty();
  const Expected<void> made =
      play.outside ? AddOutsideGame(options, play)
                   : AddModelGame(model, calibration, options, play);
  if (!made) return tl::unexpected(made.error());
  return play;
}

Expected<void> RememberGame(Playground& playground,
                            const MeasureOptions& options,
                            const fs::path& log_file,
                            MpiRanks* ranks) {
  std::error_code ignored;
  if (options.resume && !fs::exists(log_file, ignored)) {
    return InvalidArgument("--resume: " + log_file.string() +
                           " does not exist, so there is no run to go on with");
  }
  MemoisedGameOptions remember;
  if (options.on_nan == "inf") {
    remember.on_non_finite = NonFiniteLoss::kInfinite;
  }
  for (const Unit& unit : playground.units) {
    remember.unit_names.push_back(unit.name);
  }
  ValueFunction* game = playground.game.get();
  if (ranks != nullptr && ranks->size() > 1) {
    playground.spread = std::make_unique<MpiGame>(*ranks, *game);
    game = playground.spread.get();
  }
  playground.memo = std::make_unique<MemoisedGame>(*game, std::move(remember));
  return playground.memo->AttachFile(log_file, playground.key);
}

Expected<Playground> MakePlayground(const Model& model,
                                    const TokenSet& calibration,
                                    const MeasureOptions& options,
                                    const fs::path& log_file) {
  Expected<Playground> play = MakeGame(model, calibration, options);
  if (!play) return play;
  const Expected<void> done = RememberGame(*play, options, log_file, nullptr);
  if (!done) return tl::unexpected(done.error());
  return play;
}

}  // namespace bitpact
