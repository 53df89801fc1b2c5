// SPDX-License-Identifier: Apache-2.0
#include "solvers/result_file.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace bitpact {
namespace {

constexpr const char* kResultFormat = "bitpact.result";
constexpr const char* kPlanFormat = "bitpact.plan";
constexpr int kVersion = 1;

// JSON has no infinity; null says "not claimed".
Json FiniteOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json PlanUnits(const AllocationProblem& problem, const Assignment& assignment) {
  Json units = Json::array();
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const ProblemUnit& unit = problem.units[u];
    const ProblemOption& option =
        unit.options[static_cast<std::size_t>(assignment[u])];
    units.push_back({{"unit", unit.name},
                     {"option", assignment[u]},
                     {"name", option.name},
                     {"sizes", option.sizes}});
  }
  return units;
}

Json ResourceLines(const AllocationProblem& problem,
                   const Assignment& assignment) {
  Json lines = Json::array();
  const std::vector<std::int64_t> use = ResourceUse(problem, assignment);
  for (std::size_t k = 0; k < use.size(); ++k) {
    lines.push_back({{"name", problem.resources[k].name},
                     {"used", use[k]},
                     {"limit", problem.resources[k].limit}});
  }
  return lines;
}

// The number in the text of an option that was used; nothing when the result
// does not say.
template <typename T>
std::optional<T> UsedNumber(const SolveResult& result, const char* option) {
  const auto found = result.options.find(option);
  if (found == result.options.end()) return std::nullopt;
  const std::string& text = found->second.used;
  T value{};
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

void AddOptionsAndCurves(const SolveResult& result, Json& body) {
  Json options = Json::object();
  for (const auto& [name, use] : result.options) {
    options[name] = {{"asked", use.asked}, {"used", use.used}};
  }
  body["options"] = std::move(options);
  Json pool = Json::array();
  for (const ScoredPlan& plan : result.pool) {
    pool.push_back(
        {{"objective", plan.objective}, {"assignment", plan.assignment}});
  }
  body["pool"] = std::move(pool);
  Json trace = Json::array();
  for (const TracePoint& point : result.trace) {
    trace.push_back({{"time_s", point.time_s},
                     {"objective", FiniteOrNull(point.objective)},
                     {"bound", FiniteOrNull(point.bound)}});
  }
  body["trace"] = std::move(trace);
}

// The counts of a presolve by the names they have in the file.
struct CountField {
  const char* name;
  int PresolveCounts::*value;
};
constexpr auto kCountFields = std::to_array<CountField>({
    {"tied_units", &PresolveCounts::tied_units},
    {"fixed_units", &PresolveCounts::fixed_units},
    {"oversized_options", &PresolveCounts::oversized_options},
    {"dominated_options", &PresolveCounts::dominated_options},
    {"idle_resources", &PresolveCounts::idle_resources},
    {"divided_resources", &PresolveCounts::divided_resources},
    {"free_units", &PresolveCounts::free_units},
    {"binaries", &PresolveCounts::binaries},
});

void AddProof(const SolveResult& result, Json& body) {
  if (result.presolve) {
    Json counts = Json::object();
    for (const CountField& field : kCountFields) {
      counts[field.name] = (*result.presolve).*(field.value);
    }
    body["presolve"] = std::move(counts);
  }
  if (!result.root_certificate) return;
  const RootCertificate& root = *result.root_certificate;
  Json pairs = Json::array();
  for (const PairTerm& pair : root.group_pairs) {
    pairs.push_back({{"first", pair.first},
                     {"second", pair.second},
                     {"value", pair.value}});
  }
  body["root_certificate"] = {{"drops_dominated", root.drops_dominated},
                              {"bound", FiniteOrNull(root.bound)},
                              {"shift", root.shift},
                              {"group_pairs", std::move(pairs)},
                              {"multipliers", root.multipliers},
                              {"point", root.point}};
}

Expected<PresolveCounts> PresolveOf(const JsonReader& json) {
  PresolveCounts counts;
  for (const CountField& field : kCountFields) {
    const auto value =
        json.Integer(field.name, 0, std::numeric_limits<int>::max());
    if (!value) return tl::unexpected(value.error());
    counts.*(field.value) = static_cast<int>(*value);
  }
  return counts;
}

Expected<RootCertificate> CertificateOf(const JsonReader& json) {
  RootCertificate root;
  const Expected<bool> drops = json.Bool("drops_dominated");
  if (!drops) return tl::unexpected(drops.error());
  root.drops_dominated = *drops;
  const Expected<double> bound = json.Number("bound");
  if (!bound) return tl::unexpected(bound.error());
  root.bound = *bound;
  for (const auto& [name, values] :
       {std::pair("shift", &root.shift),
        std::pair("multipliers", &root.multipliers),
        std::pair("point", &root.point)}) {
    Expected<std::vector<double>> read = json.Numbers(name);
    if (!read) return tl::unexpected(read.error());
    *values = std::move(*read);
  }
  const auto pairs = json.Array("group_pairs");
  if (!pairs) return tl::unexpected(pairs.error());
  const auto most = static_cast<std::int64_t>(root.point.size()) - 1;
  for (const JsonReader& pair : *pairs) {
    const auto first = pair.Integer("first", 0, most);
    if (!first) return tl::unexpected(first.error());
    const auto second = pair.Integer("second", 0, most);
    if (!second) return tl::unexpected(second.error());
    const auto value = pair.Number("value");
    if (!value) return tl::unexpected(value.error());
    root.group_pairs.push_back(
        {static_cast<int>(*first), static_cast<int>(*second), *value});
  }
  return root;
}

// What a plan's file says about one unit: an option's name, index or both.
struct NamedChoice {
  std::string option;
  std::int64_t index = -1;
};

Expected<std::map<std::string, NamedChoice>> ChoicesOfResult(
    const JsonReader& root) {
  if (!root.Has("plan")) {
    return InvalidArgument("the result has no plan to start from");
  }
  const auto entries = root.Array("plan");
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string, NamedChoice> choices;
  for (const JsonReader& entry : *entries) {
    const auto unit = entry.String("unit");
    if (!unit) return tl::unexpected(unit.error());
    const auto name = entry.String("name");
    if (!name) return tl::unexpected(name.error());
    const auto index = entry.Integer("option");
    if (!index) return tl::unexpected(index.error());
    choices[*unit] = {*name, *index};
  }
  return choices;
}

Expected<std::map<std::string, NamedChoice>> ChoicesOfPlan(
    const JsonReader& root) {
  const auto entries = root.Array("units");
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string, NamedChoice> choices;
  for (const JsonReader& entry : *entries) {
    const auto unit = entry.String("name");
    if (!unit) return tl::unexpected(unit.error());
    const auto format = entry.String("format");
    if (!format) return tl::unexpected(format.error());
    choices[*unit] = {*format, -1};
  }
  return choices;
}

// -1 when the unit has no such option. The index decides between options of one
// name.
int FindOption(const ProblemUnit& unit, const NamedChoice& choice) {
  const auto index = static_cast<std::size_t>(choice.index);
  if (choice.index >= 0 && index < unit.options.size() &&
      unit.options[index].name == choice.option) {
    return static_cast<int>(index);
  }
  for (std::size_t o = 0; o < unit.options.size(); ++o) {
    if (unit.options[o].name == choice.option) return static_cast<int>(o);
  }
  return -1;
}

}  // namespace

FileHeader ResultHeader(const SolveResult& result, const ResultSource& source) {
  return {.format = kResultFormat,
          .version = kVersion,
          .tool_version = {},
          .seed = UsedNumber<std::uint64_t>(result, "seed"),
          .inputs = source.inputs};
}

Json ResultBody(const AllocationProblem& problem,
                const SolveResult& result,
                const ResultSource& source) {
  Json body = Json::object();
  if (!source.instance.empty()) body["instance"] = source.instance;
  body["solver"] = result.solver;
  body["termination"] = TerminationName(result.termination);
  body["limit"] = LimitName(result.limit);
  body["detail"] = result.detail;
  body["objective"] = FiniteOrNull(result.objective);
  body["bound"] = FiniteOrNull(result.bound);
  body["absolute_gap"] = FiniteOrNull(result.AbsoluteGap());
  body["relative_gap"] = FiniteOrNull(result.RelativeGap());
  if (source.maximises) {
    body["published"] = {{"sense", "maximise"},
                         {"objective", FiniteOrNull(-result.objective)},
                         {"bound", FiniteOrNull(-result.bound)}};
  }
  body["time_s"] = result.stats.time_s;
  body["time_to_best_s"] = result.stats.time_to_best_s;
  body["nodes"] = result.stats.nodes;
  body["iterations"] = result.stats.iterations;
  const auto threads = UsedNumber<int>(result, "threads");
  if (threads) body["threads"] = *threads;
  if (result.HasIncumbent()) {
    body["resources"] = ResourceLines(problem, result.incumbent);
    body["plan"] = PlanUnits(problem, result.incumbent);
  }
  AddProof(result, body);
  AddOptionsAndCurves(result, body);
  return body;
}

Expected<void> WriteSolveResult(const std::filesystem::path& file,
                                const AllocationProblem& problem,
                                const SolveResult& result,
                                const ResultSource& source) {
  return WriteJsonFile(
      file, ResultHeader(result, source), ResultBody(problem, result, source));
}

Expected<StoredProof> ReadStoredProof(const std::filesystem::path& file) {
  const Expected<JsonFile> json = JsonFile::Read(file, kResultFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  StoredProof proof;
  if (json->root().Has("presolve")) {
    const auto member = json->root().Member("presolve");
    if (!member) return tl::unexpected(member.error());
    const Expected<PresolveCounts> counts = PresolveOf(*member);
    if (!counts) return tl::unexpected(counts.error());
    proof.presolve = *counts;
  }
  if (json->root().Has("root_certificate")) {
    const auto member = json->root().Member("root_certificate");
    if (!member) return tl::unexpected(member.error());
    Expected<RootCertificate> root = CertificateOf(*member);
    if (!root) return tl::unexpected(root.error());
    proof.root_certificate = std::move(*root);
  }
  return proof;
}

Expected<Assignment> ReadWarmStart(const std::filesystem::path& file,
                                   const AllocationProblem& problem) {
  const Expected<Json> peeked = ParseJsonFile(file);
  if (!peeked) return tl::unexpected(peeked.error());
  const bool is_plan = peeked->is_object() && peeked->contains("format") &&
                       peeked->at("format") == kPlanFormat;
  const Expected<JsonFile> json =
      JsonFile::Read(file, is_plan ? kPlanFormat : kResultFormat, kVersion);
  if (!json) return tl::unexpected(json.error());
  const auto fail = [&](const std::string& what) {
    return InvalidArgument(file.string() + ": " + what);
  };
  const auto choices =
      is_plan ? ChoicesOfPlan(json->root()) : ChoicesOfResult(json->root());
  if (!choices) return fail(choices.error().message);
  Assignment assignment;
  for (const ProblemUnit& unit : problem.units) {
    const auto found = choices->find(unit.name);
    if (found == choices->end()) {
      return fail("does not name the problem's unit '" + unit.name + "'");
    }
    const int option = FindOption(unit, found->second);
    if (option < 0) {
      return fail("gives unit '" + unit.name + "' the option '" +
                  found->second.option + "', which the problem does not have");
    }
    assignment.push_back(option);
  }
  return assignment;
}

}  // namespace bitpact
