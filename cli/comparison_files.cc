// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison_files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>

#include "cli/gnuplot.h"
#include "cli/solve_report.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"
#include "core/json_file.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

std::string Printed(const char* format, double value) {
  if (!std::isfinite(value)) return "";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string Quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

double Median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::infinity();
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Json RunJson(const ComparedRun& run) {
  const auto number = [](double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  };
  Json json = {
      {"instance", run.instance}, {"solver", run.solver}, {"seed", run.seed}};
  if (!run.result) {
    json["reason"] = run.reason;
    return json;
  }
  const SolveResult& r = *run.result;
  json["status"] = TerminationName(r.termination);
  json["limit"] = LimitName(r.limit);
  json["detail"] = r.detail;
  json["objective"] = number(r.objective);
  json["bound"] = number(r.bound);
  json["relative_gap"] = number(r.RelativeGap());
  json["time_s"] = r.stats.time_s;
  json["time_to_best_s"] = number(r.stats.time_to_best_s);
  json["time_to_target_s"] = number(run.time_to_target_s);
  json["time_to_proof_s"] = number(run.time_to_proof_s);
  json["primal_integral_s"] = number(run.primal_integral_s);
  json["nodes"] = r.stats.nodes;
  Json trace = Json::array();
  for (const TracePoint& point : r.trace) {
    trace.push_back(
        {point.time_s, number(point.objective), number(point.bound)});
  }
  json["trace"] = std::move(trace);
  return json;
}

// times[s][p] of one of the times, p over instances and seeds.
std::vector<std::vector<double>> TimesBySolver(const Comparison& comparison,
                                               double ComparedRun::*time) {
  std::vector<std::vector<double>> times;
  for (const std::string& solver : comparison.solvers) {
    times.emplace_back();
    for (const ComparedRun& run : comparison.runs) {
      if (run.solver == solver) times.back().push_back(run.*time);
    }
  }
  return times;
}

// One block a solver, as gnuplot's `index` counts them; each curve begins at
// ratio 1 and ends at the right border.
std::string ProfileData(const std::vector<Profile>& profiles, double border) {
  std::string text =
      "# tau  rho(tau): share of problems solved within tau times the best "
      "solver's time\n";
  for (const Profile& profile : profiles) {
    text += "# " + profile.solver + "\n";
    double share = 0.0;
    if (profile.steps.empty() || profile.steps.front().ratio > 1.0) {
      text += "1 0\n";
    }
    for (const ProfilePoint& step : profile.steps) {
      share = step.share;
      text += Printed("%.9g", step.ratio) + " " + Printed("%.9g", share) + "\n";
    }
    text += Printed("%.9g", border) + " " + Printed("%.9g", share) + "\n\n\n";
  }
  return text;
}

// Later curves are thinner, so that one on top of another hides none.
double WidthOf(std::size_t curve, std::size_t curves) {
  return 2.0 + std::min(6.0, 1.2 * static_cast<double>(curves - 1 - curve));
}

std::string ProfileScript(const std::string& name,
                          const std::string& title,
                          const std::vector<Profile>& profiles,
                          double border) {
  std::ostringstream script;
  script << "# gnuplot " << name << ".gp draws " << name << ".svg and " << name
         << ".png\n"
         << "set logscale x 2\n"
         << "set xrange [1:" << border << "]\n"
         << "set yrange [0:1.03]\n"
         << "set ytics 0.1\n"
         << "set format x '%.10g'\n"
         << "set grid lc rgb '#dddddd' lt 1\n"
         << "set border 3\nset tics nomirror out\n"
         << "set xlabel 'time, as a multiple of the fastest solver on the "
            "problem'\n"
         << "set ylabel 'share of problems'\n"
         << "set title '" << title << "'\n"
         << "set key outside right center Left reverse\n";
  // Colours that colour-blind people tell apart (Okabe & Ito), then dashes.
  constexpr std::array<const char*, 7> kColours = {"#0072b2",
                                                   "#d55e00",
                                                   "#009e73",
                                                   "#cc79a7",
                                                   "#e69f00",
                                                   "#56b4e9",
                                                   "#000000"};
  script << "plot_all = \"plot ";
  for (std::size_t s = 0; s < profiles.size(); ++s) {
    script << (s == 0 ? "" : ", ") << "'" << name << ".dat' index " << s
           << " with steps lw " << WidthOf(s, profiles.size()) << " lc rgb '"
           << kColours[s % kColours.size()] << "' dt "
           << 1 + s / kColours.size() << " title '" << profiles[s].solver
           << "'";
  }
  script << "\"\n"
         << "set terminal svg size 900,540 font 'sans,14' background 'white'\n"
         << "set output '" << name << ".svg'\neval plot_all\n"
         << "set terminal pngcairo size 1350,810 font 'sans,18'\n"
         << "set output '" << name << ".png'\neval plot_all\nunset output\n";
  return script.str();
}

// Draws one profile; false when gnuplot is not there or fails.
Expected<bool> DrawProfile(const fs::path& folder,
                           const std::string& name,
                           const std::string& title,
                           const std::vector<Profile>& profiles) {
  double border = 2.0;
  for (const Profile& profile : profiles) {
    for (const ProfilePoint& step : profile.steps) {
      border = std::max(border, std::exp2(std::ceil(std::log2(step.ratio))));
    }
  }
  border *= 2.0;
  Expected<void> done = WriteFileAtomically(folder / (name + ".dat"),
                                            ProfileData(profiles, border));
  if (done) {
    done = WriteFileAtomically(folder / (name + ".gp"),
                               ProfileScript(name, title, profiles, border));
  }
  if (!done) return tl::unexpected(done.error());
  return RunGnuplot(folder, name + ".gp");
}

bool HasSteps(const std::vector<Profile>& profiles) {
  return std::any_of(profiles.begin(), profiles.end(), [](const Profile& p) {
    return !p.steps.empty();
  });
}

}  // namespace

std::string ComparisonCsv(const Comparison& comparison) {
  std::string text =
      "instance,solver,seed,status,limit,objective,bound,relative_gap,time_s,"
      "time_to_best_s,time_to_target_s,time_to_proof_s,primal_integral_s,nodes,"
      "reason\n";
  for (const ComparedRun& run : comparison.runs) {
    text += Quoted(run.instance) + "," + run.solver + "," +
            std::to_string(run.seed) + ",";
    if (run.result) {
      const SolveResult& r = *run.result;
      text +=
          std::string(TerminationName(r.termination)) + "," +
          LimitName(r.limit) + "," + Printed("%.17g", r.objective) + "," +
          Printed("%.17g", r.bound) + "," + Printed("%.6g", r.RelativeGap()) +
          "," + Printed("%.6f", r.stats.time_s) + "," +
          (r.HasIncumbent() ? Printed("%.6f", r.stats.time_to_best_s) : "") +
          "," + Printed("%.6f", run.time_to_target_s) + "," +
          Printed("%.6f", run.time_to_proof_s) + "," +
          Printed("%.6f", run.primal_integral_s) + "," +
          std::to_string(r.stats.nodes) + ",";
    } else {
      text += "none,,,,,,,,,,,";
    }
    text += Quoted(run.reason) + "\n";
  }
  return text;
}

std::string ComparisonTable(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows = {{"instance",
                                                 "solver",
                                                 "seed",
                                                 "status",
                                                 "objective",
                                                 "bound",
                                                 "gap",
                                                 "best s",
                                                 "target s",
                                                 "proof s",
                                                 "integral s",
                                                 "nodes"}};
  std::string notes;
  for (const ComparedRun& run : comparison.runs) {
    std::vector<std::string> row = {
        run.instance, run.solver, std::to_string(run.seed)};
    if (!run.result) {
      row.emplace_back("none");
      notes += run.instance + ", " + run.solver + ": " + run.reason + "\n";
    } else {
      const SolveResult& r = *run.result;
      row.insert(
          row.end(),
          {TerminationName(r.termination),
           FormatObjective(r.objective),
           FormatObjective(r.bound),
           FormatPercent(r.RelativeGap()),
           r.HasIncumbent() ? Printed("%.3f", r.stats.time_to_best_s) : "-",
           OrDash(Printed("%.3f", run.time_to_target_s)),
           OrDash(Printed("%.3f", run.time_to_proof_s)),
           OrDash(Printed("%.4f", run.primal_integral_s)),
           std::to_string(r.stats.nodes)});
    }
    rows.push_back(std::move(row));
  }
  return RenderTable(rows) +
         (notes.empty() ? "" : "\nwithout a result:\n" + notes);
}

std::string ComparisonSummary(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows = {{"solver",
                                                 "runs",
                                                 "at target",
                                                 "proven",
                                                 "median target s",
                                                 "median proof s",
                                                 "mean integral s"}};
  for (const std::string& solver : comparison.solvers) {
    int runs = 0;
    int at_target = 0;
    int proven = 0;
    double integral = 0.0;
    std::vector<double> target_times;
    std::vector<double> proof_times;
    for (const ComparedRun& run : comparison.runs) {
      if (run.solver != solver || !run.result) continue;
      ++runs;
      at_target += std::isfinite(run.time_to_target_s) ? 1 : 0;
      proven += std::isfinite(run.time_to_proof_s) ? 1 : 0;
      integral += run.primal_integral_s;
      target_times.push_back(run.time_to_target_s);
      proof_times.push_back(run.time_to_proof_s);
    }
    rows.push_back(
        {solver,
         std::to_string(runs),
         std::to_string(at_target),
         std::to_string(proven),
         OrDash(Printed("%.4f", Median(target_times))),
         OrDash(Printed("%.4f", Median(proof_times))),
         runs == 0 ? "-" : OrDash(Printed("%.4f", integral / runs))});
  }
  return RenderTable(rows);
}

Expected<std::string> WriteComparison(const fs::path& folder,
                                      const Comparison& comparison) {
  Expected<void> done =
      WriteFileAtomically(folder / "runs.csv", ComparisonCsv(comparison));
  if (!done) return tl::unexpected(done.error());
  Json runs = Json::array();
  for (const ComparedRun& run : comparison.runs) runs.push_back(RunJson(run));
  done = WriteJsonFile(folder / "comparison.json",
                       {.format = "bitpact.comparison",
                        .version = 1,
                        .tool_version = {},
                        .seed = {},
                        .inputs = {}},
                       {{"time_limit_s", comparison.time_limit_s},
                        {"target_delta", comparison.delta},
                        {"solvers", comparison.solvers},
                        {"runs", std::move(runs)}});
  if (!done) return tl::unexpected(done.error());
  bool are_drawn = true;
  const std::string limit =
      ", time limit " + Printed("%g", comparison.time_limit_s) + " s";
  const auto draw = [&](const std::string& name,
                        const std::string& title,
                        double ComparedRun::*time) -> Expected<void> {
    const std::vector<Profile> profiles = PerformanceProfiles(
        comparison.solvers, TimesBySolver(comparison, time));
    if (!HasSteps(profiles)) return {};
    const Expected<bool> drawn = DrawProfile(folder, name, title, profiles);
    if (!drawn) return tl::unexpected(drawn.error());
    are_drawn = are_drawn && *drawn;
    return {};
  };
  const std::string delta = Printed("%g", comparison.delta);
  done = draw("profile-target",
              "Time to a plan within " + delta + " of the best" + limit,
              &ComparedRun::time_to_target_s);
  if (done) {
    done = draw("profile-proof",
                "Time to a proven optimum" + limit,
                &ComparedRun::time_to_proof_s);
  }
  if (!done) return tl::unexpected(done.error());
  if (are_drawn) return std::string();
  return NoPicturesNote(folder, "profile-target.gp");
}

}  // namespace bitpact
