// SPDX-License-Identifier: Apache-2.0

// Runs solvers on generated or published instances and prints one line a run.
//
//   solver_bench --generate coop --units 224 --ratio 1 --seeds 20
//                --solvers branch-and-bound,anneal --time-limit 10
//   solver_bench --folder DATA/qkp --solvers anneal,tabu --seeds 10
//   --until-best
//
// --generate coop|coop-lowrank|indefinite|random|onehot|onehot-indefinite|
// separable,
// --units, --options, --ratio, --shrink; --folder with an index.csv, --filter;
// --solvers a,b; --time-limit seconds a run; --seeds: of the generator, or of
// the solver on published instances; --until-best: a run ends when it meets the
// best known value;
// --csv: comma-separated lines instead of the table; --write FOLDER: nothing is
// solved, every instance becomes a problem.json there.
//
// Gap: (objective - bound) / max(1e-9, |objective|). To target: seconds until
// the incumbent is within 1e-6 (relative, at least absolute) of the best known
// value, or, for generated instances, of the best of all solvers of this run.
// CPU seconds are the process's, all threads and the checker's work included:
// what to judge by when other programs share the machine.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include "bench/solvers/instances.h"
#include "core/atomic_file.h"
#include "solvers/plan_checker.h"
#include "solvers/problem_file.h"
#include "solvers/solver_factory.h"

namespace bitpact::bench {
namespace {

constexpr double kTargetTolerance = 1e-6;

struct Arguments {
  std::map<std::string, std::string> values;

  [[nodiscard]] bool Has(const std::string& key) const {
    return values.contains(key);
  }
  [[nodiscard]] std::string Text(const std::string& key,
                                 const std::string& otherwise) const {
    const auto found = values.find(key);
    return found == values.end() ? otherwise : found->second;
  }
  [[nodiscard]] double Number(const std::string& key, double otherwise) const {
    return Has(key) ? std::strtod(values.at(key).c_str(), nullptr) : otherwise;
  }
};

struct BenchRun {
  std::string solver;
  std::uint64_t seed = 1;
  double cpu_s = 0.0;
  SolveResult result;
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

double Target(double best) {
  return best + kTargetTolerance * std::max(1.0, std::abs(best));
}

// Seconds until the trace is at the target; NaN when it never is.
double TimeToTarget(const SolveResult& result, double best) {
  for (const TracePoint& point : result.trace) {
    if (point.objective <= Target(best)) return point.time_s;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

Expected<BenchRun> RunOne(const Instance& instance,
                          const std::string& name,
                          std::uint64_t seed,
                          const Arguments& arguments) {
  Expected<std::unique_ptr<Solver>> solver = MakeSolver(name);
  if (!solver) return tl::unexpected(solver.error());
  std::stop_source source;
  SolveOptions options;
  options.seed = seed;
  options.threads = static_cast<int>(arguments.Number("threads", 1));
  if ((*solver)->capabilities().time_limit) {
    options.time_limit_s = arguments.Number("time-limit", 10.0);
  }
  if (arguments.Has("until-best") && instance.best_known) {
    options.stop = source.get_token();
    options.on_incumbent = [&](const ScoredPlan& plan) {
      if (plan.objective <= Target(*instance.best_known)) source.request_stop();
    };
  }
  const double cpu_before = CpuSeconds();
  Expected<SolveResult> result =
      SolveAndCheck(**solver, instance.problem, options);
  const double cpu_s = CpuSeconds() - cpu_before;
  if (!result) return tl::unexpected(result.error());
  return BenchRun{name, seed, cpu_s, std::move(*result)};
}

void PrintHeader(bool csv) {
  if (csv) {
    std::puts(
        "instance,solver,seed,threads,status,objective,bound,gap,time_s,"
        "cpu_s,time_to_target_s,nodes");
    return;
  }
  std::printf("%-38s %-17s %5s %-9s %16s %16s %9s %9s %9s %9s %9s\n",
              "instance",
              "solver",
              "seed",
              "status",
              "objective",
              "bound",
              "gap %",
              "time s",
              "cpu s",
              "target s",
              "nodes");
}

void PrintRun(const Instance& instance,
              const BenchRun& run,
              double best,
              bool csv) {
  const SolveResult& r = run.result;
  const char* status = TerminationName(r.termination);
  const double to_target = TimeToTarget(r, best);
  if (csv) {
    std::printf("%s,%s,%llu,%s,%s,%.17g,%.17g,%.6g,%.6f,%.6f,%.6f,%lld\n",
                instance.name.c_str(),
                run.solver.c_str(),
                static_cast<unsigned long long>(run.seed),
                r.options.at("threads").used.c_str(),
                status,
                r.objective,
                r.bound,
                r.RelativeGap(),
                r.stats.time_s,
                run.cpu_s,
                to_target,
                static_cast<long long>(r.stats.nodes));
  } else {
    std::printf(
        "%-38s %-17s %5llu %-9s %16.8g %16.8g %9.4f %9.4f %9.4f %9.4f "
        "%9lld\n",
        instance.name.c_str(),
        run.solver.c_str(),
        static_cast<unsigned long long>(run.seed),
        status,
        r.objective,
        r.bound,
        100.0 * r.RelativeGap(),
        r.stats.time_s,
        run.cpu_s,
        to_target,
        static_cast<long long>(r.stats.nodes));
  }
  std::fflush(stdout);
}

// Of one solver over all its runs.
struct Summary {
  int runs = 0;
  int proven = 0;
  int hits = 0;
  std::vector<double> times;
  std::vector<double> cpu_times;
  std::vector<double> target_times;  // +infinity for a miss
};

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const double last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(share * last))];
}

void PrintSummaries(const std::map<std::string, Summary>& summaries) {
  for (const auto& [solver, s] : summaries) {
    std::printf(
        "# %s: %d runs, %d proven, %d at the target; seconds median %.4f max "
        "%.4f; cpu median %.4f 95%% %.4f max %.4f; to target median %.4f 90%% "
        "%.4f max %.4f\n",
        solver.c_str(),
        s.runs,
        s.proven,
        s.hits,
        Quantile(s.times, 0.5),
        Quantile(s.times, 1.0),
        Quantile(s.cpu_times, 0.5),
        Quantile(s.cpu_times, 0.95),
        Quantile(s.cpu_times, 1.0),
        Quantile(s.target_times, 0.5),
        Quantile(s.target_times, 0.9),
        Quantile(s.target_times, 1.0));
  }
}

void Count(const BenchRun& run, double best, Summary& summary) {
  const double to_target = TimeToTarget(run.result, best);
  ++summary.runs;
  summary.proven += run.result.termination == Termination::kOptimal ? 1 : 0;
  summary.hits += std::isnan(to_target) ? 0 : 1;
  summary.times.push_back(run.result.stats.time_s);
  summary.cpu_times.push_back(run.cpu_s);
  summary.target_times.push_back(std::isnan(to_target)
                                     ? std::numeric_limits<double>::infinity()
                                     : to_target);
}

Expected<std::vector<Instance>> MakeInstances(const Arguments& arguments) {
  if (arguments.Has("folder")) {
    return ReadFolder(arguments.Text("folder", ""),
                      arguments.Text("filter", ""));
  }
  std::vector<Instance> instances;
  const auto seeds = static_cast<std::uint64_t>(arguments.Number("seeds", 5));
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    instances.push_back(
        Generate({.kind = arguments.Text("generate", "coop"),
                  .units = static_cast<int>(arguments.Number("units", 224)),
                  .options = static_cast<int>(arguments.Number("options", 4)),
                  .ratio = arguments.Number("ratio", 1.0),
                  .shrink = arguments.Number("shrink", 0.5),
                  .seed = seed}));
  }
  return instances;
}

Expected<void> WriteInstances(const std::vector<Instance>& instances,
                              const std::filesystem::path& folder) {
  Expected<void> done = MakeWritableFolder(folder);
  for (const Instance& instance : instances) {
    if (!done) return done;
    done =
        WriteProblem(folder / (instance.name + ".json"), instance.problem, {});
  }
  return done;
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    std::string key = argv[i];
    key.erase(0, key.find_first_not_of('-'));
    const bool has_value = i + 1 < argc && argv[i + 1][0] != '-';
    arguments.values[key] = has_value ? argv[++i] : "";
  }
  return arguments;
}

int Main(int argc, char** argv) {
  const Arguments arguments = Parse(argc, argv);
  const Expected<std::vector<Instance>> instances = MakeInstances(arguments);
  if (!instances) {
    std::fprintf(stderr, "%s\n", instances.error().message.c_str());
    return 2;
  }
  if (arguments.Has("write")) {
    const Expected<void> done =
        WriteInstances(*instances, arguments.Text("write", ""));
    if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done ? 0 : 2;
  }
  std::vector<std::string> solvers;
  std::istringstream names(arguments.Text("solvers", "auto"));
  for (std::string name; std::getline(names, name, ',');) {
    solvers.push_back(name);
  }
  const bool csv = arguments.Has("csv");
  const auto seeds = static_cast<std::uint64_t>(
      arguments.Has("folder") ? arguments.Number("seeds", 1) : 1);
  std::map<std::string, Summary> summaries;
  PrintHeader(csv);
  for (const Instance& instance : *instances) {
    std::vector<BenchRun> runs;
    for (const std::string& solver : solvers) {
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        Expected<BenchRun> run = RunOne(instance, solver, seed, arguments);
        if (!run) {
          std::fprintf(stderr,
                       "%s: %s\n",
                       instance.name.c_str(),
                       run.error().message.c_str());
          continue;
        }
        runs.push_back(std::move(*run));
      }
    }
    double best =
        instance.best_known.value_or(std::numeric_limits<double>::infinity());
    for (const BenchRun& run : runs) {
      if (!instance.best_known) best = std::min(best, run.result.objective);
    }
    for (const BenchRun& run : runs) {
      PrintRun(instance, run, best, csv);
      Count(run, best, summaries[run.solver]);
    }
  }
  PrintSummaries(summaries);
  return 0;
}

}  // namespace
}  // namespace bitpact::bench

int main(int argc, char** argv) { return bitpact::bench::Main(argc, argv); }
