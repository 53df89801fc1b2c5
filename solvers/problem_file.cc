// SPDX-License-Identifier: Apache-2.0
#include "solvers/problem_file.h"

#include <limits>
#include <utility>
#include <vector>

#include "core/json_file.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.problem";
constexpr int kVersion = 2;
constexpr int kVersionWithoutFactors = 1;
constexpr std::int64_t kLargestIndex = std::numeric_limits<int>::max();

Json UnitsToJson(const AllocationProblem& problem) {
  Json units = Json::array();
  for (const ProblemUnit& unit : problem.units) {
    Json options = Json::array();
    for (const ProblemOption& option : unit.options) {
      options.push_back({{"name", option.name},
                         {"cost", option.cost},
                         {"sizes", option.sizes}});
    }
    units.push_back({{"name", unit.name}, {"options", std::move(options)}});
  }
  return units;
}

// An array of plain integers, each an index.
Expected<std::vector<int>> Indices(const JsonReader& reader,
                                   const std::string& key) {
  const Expected<std::vector<JsonReader>> items = reader.Array(key);
  if (!items) return tl::unexpected(items.error());
  std::vector<int> indices;
  indices.reserve(items->size());
  for (const JsonReader& item : *items) {
    const Expected<std::int64_t> index = item.AsInteger();
    if (!index) return tl::unexpected(index.error());
    if (*index < 0 || *index > kLargestIndex) {
      return tl::unexpected(item.Violation("must be an index"));
    }
    indices.push_back(static_cast<int>(*index));
  }
  return indices;
}

// The violation with the names of unit and option, which say more to people
// than the field's path.
tl::unexpected<Error> InOption(Error error,
                               const ProblemUnit& unit,
                               const ProblemOption& option) {
  error.message += " (unit '" + unit.name + "', option '" + option.name + "')";
  return tl::unexpected(std::move(error));
}

Expected<ProblemOption> ReadOption(const JsonReader& reader,
                                   const ProblemUnit& unit) {
  ProblemOption option;
  Expected<std::string> name = reader.String("name");
  if (!name) return tl::unexpected(name.error());
  option.name = std::move(*name);
  const Expected<double> cost = reader.Number("cost");
  if (!cost) return InOption(cost.error(), unit, option);
  option.cost = *cost;
  const Expected<std::vector<JsonReader>> sizes = reader.Array("sizes");
  if (!sizes) return InOption(sizes.error(), unit, option);
  for (const JsonReader& item : *sizes) {
    const Expected<std::int64_t> size = item.AsInteger();
    if (!size) return InOption(size.error(), unit, option);
    option.sizes.push_back(*size);
  }
  return option;
}

Expected<void> ReadUnits(const JsonReader& root, AllocationProblem& problem) {
  const Expected<std::vector<JsonReader>> units = root.Array("units");
  if (!units) return tl::unexpected(units.error());
  for (const JsonReader& item : *units) {
    ProblemUnit unit;
    Expected<std::string> name = item.String("name");
    if (!name) return tl::unexpected(name.error());
    unit.name = std::move(*name);
    const Expected<std::vector<JsonReader>> options = item.Array("options");
    if (!options) return tl::unexpected(options.error());
    for (const JsonReader& entry : *options) {
      Expected<ProblemOption> option = ReadOption(entry, unit);
      if (!option) return tl::unexpected(option.error());
      unit.options.push_back(std::move(*option));
    }
    problem.units.push_back(std::move(unit));
  }
  return {};
}

Expected<void> ReadResources(const JsonReader& root,
                             AllocationProblem& problem) {
  const Expected<std::vector<JsonReader>> resources = root.Array("resources");
  if (!resources) return tl::unexpected(resources.error());
  for (const JsonReader& item : *resources) {
    Expected<std::string> name = item.String("name");
    if (!name) return tl::unexpected(name.error());
    const Expected<std::int64_t> limit = item.Integer("limit");
    if (!limit) return tl::unexpected(limit.error());
    problem.resources.push_back({std::move(*name), *limit});
  }
  return {};
}

Expected<void> ReadPinsAndTies(const JsonReader& root,
                               AllocationProblem& problem) {
  if (root.Has("pins")) {
    const Expected<std::vector<JsonReader>> pins = root.Array("pins");
    if (!pins) return tl::unexpected(pins.error());
    for (const JsonReader& item : *pins) {
      const auto unit = item.Integer("unit", 0, kLargestIndex);
      if (!unit) return tl::unexpected(unit.error());
      const auto option = item.Integer("option", 0, kLargestIndex);
      if (!option) return tl::unexpected(option.error());
      problem.pins.push_back(
          {static_cast<int>(*unit), static_cast<int>(*option)});
    }
  }
  if (root.Has("ties")) {
    const Expected<std::vector<JsonReader>> ties = root.Array("ties");
    if (!ties) return tl::unexpected(ties.error());
    for (const JsonReader& item : *ties) {
      const Json& tie = item.json();
      const bool is_pair = tie.is_array() && tie.size() == 2 &&
                           tie[0].is_number_integer() &&
                           tie[1].is_number_integer();
      const auto in_range = [](const Json& index) {
        const auto value = index.get<std::int64_t>();
        return value >= 0 && value <= kLargestIndex;
      };
      if (!is_pair || !in_range(tie[0]) || !in_range(tie[1])) {
        return tl::unexpected(item.Violation("must be [unit, unit]"));
      }
      problem.ties.push_back({tie[0].get<int>(), tie[1].get<int>()});
    }
  }
  return {};
}

Expected<void> ReadPairs(const JsonReader& root, AllocationProblem& problem) {
  if (root.Has("pair_terms")) {
    const Expected<std::vector<JsonReader>> terms = root.Array("pair_terms");
    if (!terms) return tl::unexpected(terms.error());
    for (const JsonReader& item : *terms) {
      const Json& term = item.json();
      const auto is_index = [](const Json& value) {
        return value.is_number_integer() && value.get<std::int64_t>() >= 0 &&
               value.get<std::int64_t>() <= kLargestIndex;
      };
      if (!term.is_array() || term.size() != 3 || !is_index(term[0]) ||
          !is_index(term[1]) || !term[2].is_number()) {
        return tl::unexpected(
            item.Violation("must be [variable, variable, value]"));
      }
      problem.pairs.Add(
          term[0].get<int>(), term[1].get<int>(), term[2].get<double>());
    }
  }
  if (root.Has("pair_blocks")) {
    const Expected<std::vector<JsonReader>> blocks = root.Array("pair_blocks");
    if (!blocks) return tl::unexpected(blocks.error());
    for (const JsonReader& item : *blocks) {
      PairBlock block;
      Expected<std::vector<int>> variables = Indices(item, "variables");
      if (!variables) return tl::unexpected(variables.error());
      Expected<std::vector<double>> values = item.Numbers("values");
      if (!values) return tl::unexpected(values.error());
      block.variables = std::move(*variables);
      block.values = std::move(*values);
      problem.pairs.AddBlock(std::move(block));
    }
  }
  return {};
}

Expected<PairFactor> ReadFactor(const JsonReader& reader) {
  PairFactor factor;
  Expected<std::vector<int>> variables = Indices(reader, "variables");
  if (!variables) return tl::unexpected(variables.error());
  const Expected<std::int64_t> rank = reader.Integer("rank");
  if (!rank) return tl::unexpected(rank.error());
  if (*rank < 1 || *rank > kLargestIndex) {
    return tl::unexpected(reader.Violation("rank must be an index >= 1"));
  }
  const Expected<double> scale = reader.Number("scale");
  if (!scale) return tl::unexpected(scale.error());
  Expected<std::vector<double>> values = reader.Numbers("values");
  if (!values) return tl::unexpected(values.error());
  factor.variables = std::move(*variables);
  factor.rank = static_cast<int>(*rank);
  factor.scale = *scale;
  factor.values = std::move(*values);
  return factor;
}

Expected<void> ReadFactors(const JsonReader& root, AllocationProblem& problem) {
  if (!root.Has("pair_factors")) return {};
  const Expected<std::vector<JsonReader>> items = root.Array("pair_factors");
  if (!items) return tl::unexpected(items.error());
  for (const JsonReader& item : *items) {
    Expected<PairFactor> factor = ReadFactor(item);
    if (!factor) return tl::unexpected(factor.error());
    problem.pairs.AddFactor(std::move(*factor));
  }
  return {};
}

Json FactorsToJson(const PairTerms& pairs) {
  Json factors = Json::array();
  for (const PairFactor& factor : pairs.factors()) {
    factors.push_back({{"variables", factor.variables},
                       {"rank", factor.rank},
                       {"scale", factor.scale},
                       {"values", factor.values}});
  }
  return factors;
}

}  // namespace

Expected<void> WriteProblem(const std::filesystem::path& file,
                            const AllocationProblem& problem,
                            const std::map<std::string, std::string>& inputs) {
  Json body = {{"constant", problem.constant}};
  Json resources = Json::array();
  for (const Resource& resource : problem.resources) {
    resources.push_back({{"name", resource.name}, {"limit", resource.limit}});
  }
  body["resources"] = std::move(resources);
  body["units"] = UnitsToJson(problem);
  Json pins = Json::array();
  for (const Pin& pin : problem.pins) {
    pins.push_back({{"unit", pin.unit}, {"option", pin.option}});
  }
  body["pins"] = std::move(pins);
  Json ties = Json::array();
  for (const Tie& tie : problem.ties) ties.push_back({tie.first, tie.second});
  body["ties"] = std::move(ties);
  Json terms = Json::array();
  for (const PairTerm& term : problem.pairs.terms()) {
    terms.push_back({term.first, term.second, term.value});
  }
  body["pair_terms"] = std::move(terms);
  Json blocks = Json::array();
  for (const PairBlock& block : problem.pairs.blocks()) {
    blocks.push_back(
        {{"variables", block.variables}, {"values", block.values}});
  }
  body["pair_blocks"] = std::move(blocks);
  const bool has_factors = !problem.pairs.factors().empty();
  if (has_factors) body["pair_factors"] = FactorsToJson(problem.pairs);
  return WriteJsonFile(
      file,
      {.format = kFormat,
       .version = has_factors ? kVersion : kVersionWithoutFactors,
       .tool_version = {},
       .seed = {},
       .inputs = inputs},
      body);
}

Expected<AllocationProblem> ReadProblem(const std::filesystem::path& file) {
  const Expected<JsonFile> json = JsonFile::Read(file, kFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  const JsonReader root = json->root();
  AllocationProblem problem;
  const Expected<double> constant = root.Number("constant");
  if (!constant) return tl::unexpected(constant.error());
  problem.constant = *constant;
  for (const auto& read :
       {ReadResources, ReadUnits, ReadPinsAndTies, ReadPairs, ReadFactors}) {
    const Expected<void> done = read(root, problem);
    if (!done) return tl::unexpected(done.error());
  }
  const Expected<void> valid = Validate(problem);
  if (!valid) {
    return Fail(valid.error().code,
                file.string() + ": " + valid.error().message);
  }
  return problem;
}

}  // namespace bitpact
