// SPDX-License-Identifier: Apache-2.0
#include "tests/solvers/problem_generator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/random.h"

namespace bitpact::testing {
namespace {

double Coefficient(RandomStream& stream, bool whole_numbers, double scale) {
  return whole_numbers ? static_cast<double>(stream.UniformInt(5) - 2)
                       : scale * stream.Normal();
}

// A factor over most variables, and one of the other sign over every other.
void AddFactors(const RandomProblemSpec& spec,
                RandomStream& stream,
                AllocationProblem& problem) {
  if (spec.factor_rank == 0) return;
  for (const bool is_negative : {false, true}) {
    if (is_negative && !spec.negative_factors) continue;
    PairFactor factor;
    factor.rank = spec.factor_rank;
    factor.scale = is_negative ? -0.5 : 0.25;
    for (int v = 0; v < spec.units * spec.options; ++v) {
      if (is_negative ? v % 2 == 1 : v % 5 == 4) continue;
      factor.variables.push_back(v);
      for (int r = 0; r < spec.factor_rank; ++r) {
        factor.values.push_back(stream.Normal());
      }
    }
    problem.pairs.AddFactor(std::move(factor));
  }
}

void AddPins(const RandomProblemSpec& spec,
             RandomStream& stream,
             AllocationProblem& problem) {
  for (int i = 0; i < spec.pins; ++i) {
    // A unit may come up twice; contradictions are avoided by the first pin.
    const int unit = static_cast<int>(stream.UniformInt(spec.units));
    const int option = static_cast<int>(stream.UniformInt(spec.options));
    const bool is_new = std::none_of(
        problem.pins.begin(), problem.pins.end(), [&](const Pin& p) {
          return p.unit == unit;
        });
    if (is_new) problem.pins.push_back({unit, option});
  }
  for (int i = 0; i < spec.ties; ++i) {
    const int a = static_cast<int>(stream.UniformInt(spec.units));
    const int b = static_cast<int>(stream.UniformInt(spec.units));
    problem.ties.push_back({a, b});
    if (!Validate(problem)) problem.ties.pop_back();
  }
}

void AddLimits(const RandomProblemSpec& spec, AllocationProblem& problem) {
  for (int k = 0; k < spec.resources; ++k) {
    const SizeRange range = ComputeSizeRange(problem, k);
    problem.resources[static_cast<std::size_t>(k)].limit =
        range.least + static_cast<std::int64_t>(std::floor(
                          spec.tightness *
                          static_cast<double>(range.greatest - range.least)));
  }
}

// Odometer over all assignments; false after the last.
bool Next(const AllocationProblem& problem, Assignment& plan) {
  for (std::size_t u = plan.size(); u-- > 0;) {
    if (++plan[u] < static_cast<int>(problem.units[u].options.size())) {
      return true;
    }
    plan[u] = 0;
  }
  return false;
}

bool Obeys(const AllocationProblem& problem, const Assignment& plan) {
  for (std::size_t k = 0; k < problem.resources.size(); ++k) {
    std::int64_t use = 0;
    for (std::size_t u = 0; u < plan.size(); ++u) {
      use +=
          problem.units[u].options[static_cast<std::size_t>(plan[u])].sizes[k];
    }
    if (use > problem.resources[k].limit) return false;
  }
  const auto option = [&](int unit) {
    return plan[static_cast<std::size_t>(unit)];
  };
  return std::all_of(
             problem.pins.begin(),
             problem.pins.end(),
             [&](const Pin& p) { return option(p.unit) == p.option; }) &&
         std::all_of(
             problem.ties.begin(), problem.ties.end(), [&](const Tie& t) {
               return option(t.first) == option(t.second);
             });
}

// A dense table of pair coefficients, row-major over variables.
class Evaluator {
 public:
  explicit Evaluator(const AllocationProblem& problem) : problem_(problem) {
    for (const ProblemUnit& unit : problem.units) {
      first_.push_back(count_);
      count_ += unit.options.size();
    }
    pairs_.assign(count_ * count_, 0.0);
    std::vector<std::size_t> unit_of;
    for (std::size_t u = 0; u < problem.units.size(); ++u) {
      unit_of.insert(unit_of.end(), problem.units[u].options.size(), u);
    }
    for (const PairFactor& factor : problem.pairs.factors()) {
      AddFactor(factor, unit_of);
    }
    problem.pairs.ForEachListed([&](int i, int j, double value) {
      pairs_[static_cast<std::size_t>(i) * count_ +
             static_cast<std::size_t>(j)] += value;
      pairs_[static_cast<std::size_t>(j) * count_ +
             static_cast<std::size_t>(i)] += value;
    });
  }

  [[nodiscard]] double operator()(const Assignment& plan) const {
    long double sum = problem_.constant;
    for (std::size_t u = 0; u < plan.size(); ++u) {
      const auto option = static_cast<std::size_t>(plan[u]);
      sum += problem_.units[u].options[option].cost;
      for (std::size_t w = 0; w < u; ++w) {
        sum += pairs_[(first_[u] + option) * count_ + first_[w] +
                      static_cast<std::size_t>(plan[w])];
      }
    }
    return static_cast<double>(sum);
  }

 private:
  void AddFactor(const PairFactor& factor,
                 const std::vector<std::size_t>& unit_of) {
    const auto rank = static_cast<std::size_t>(factor.rank);
    for (std::size_t a = 0; a < factor.variables.size(); ++a) {
      for (std::size_t b = 0; b < factor.variables.size(); ++b) {
        const auto i = static_cast<std::size_t>(factor.variables[a]);
        const auto j = static_cast<std::size_t>(factor.variables[b]);
        if (unit_of[i] == unit_of[j]) continue;
        for (std::size_t r = 0; r < rank; ++r) {
          pairs_[i * count_ + j] += 2.0 * factor.scale *
                                    factor.values[a * rank + r] *
                                    factor.values[b * rank + r];
        }
      }
    }
  }

  const AllocationProblem& problem_;
  std::size_t count_ = 0;
  std::vector<std::size_t> first_;
  std::vector<double> pairs_;
};

// K of LadderProblem, units x units.
std::vector<double> Interactions(const LadderSpec& spec, RandomStream& stream) {
  const auto n = static_cast<std::size_t>(spec.units);
  const std::size_t rank = n / 2 + 2;
  std::vector<double> k(n * n, 0.0);
  std::vector<double> factor(n * rank);
  for (double& entry : factor) entry = stream.Normal();
  const double scale = spec.ratio / static_cast<double>(n);
  for (std::size_t u = 0; u < n; ++u) {
    for (std::size_t w = u; w < n; ++w) {
      double value = 0.0;
      if (spec.is_convex) {
        for (std::size_t r = 0; r < rank; ++r) {
          value += factor[u * rank + r] * factor[w * rank + r];
        }
      } else if (u != w) {
        value = 3.0 * stream.Normal();
      }
      k[u * n + w] = k[w * n + u] = scale * value;
    }
  }
  return k;
}

}  // namespace

AllocationProblem RandomProblem(const RandomProblemSpec& spec,
                                std::uint64_t seed) {
  RandomStream stream(seed, "tests/random_problem");
  AllocationProblem problem;
  problem.constant = Coefficient(stream, spec.whole_numbers, 1.0);
  for (int k = 0; k < spec.resources; ++k) {
    problem.resources.push_back({"resource" + std::to_string(k), 0});
  }
  for (int u = 0; u < spec.units; ++u) {
    ProblemUnit unit{"unit" + std::to_string(u), {}};
    for (int o = 0; o < spec.options; ++o) {
      ProblemOption option{"option" + std::to_string(o),
                           Coefficient(stream, spec.whole_numbers, 1.0),
                           {}};
      for (int k = 0; k < spec.resources; ++k) {
        option.sizes.push_back(stream.UniformInt(spec.whole_numbers ? 4 : 40));
      }
      unit.options.push_back(std::move(option));
    }
    problem.units.push_back(std::move(unit));
  }
  const int variables = spec.units * spec.options;
  for (int i = 0; i < variables; ++i) {
    for (int j = i + 1; j < variables; ++j) {
      if (i / spec.options == j / spec.options) continue;
      if (stream.Uniform() >= spec.pair_density) continue;
      problem.pairs.Add(
          i, j, Coefficient(stream, spec.whole_numbers, spec.pair_scale));
    }
  }
  AddFactors(spec, stream, problem);
  AddPins(spec, stream, problem);
  AddLimits(spec, problem);
  return problem;
}

AllocationProblem CoopProblem(const CoopSpec& spec, std::uint64_t seed) {
  constexpr int kSamples = 100;
  constexpr int kFactors = 4;
  constexpr std::array<std::int64_t, 7> kSizes = {16, 4, 4, 16, 56, 56, 56};
  RandomStream stream(seed, "tests/coop_problem");
  const auto n = static_cast<std::size_t>(spec.units);
  std::vector<double> damage(n);
  for (double& d : damage) d = std::exp(0.8 * stream.Normal());
  std::vector<double> loading(n * kFactors);
  for (double& l : loading) l = stream.Normal();
  std::vector<double> sample(static_cast<std::size_t>(kSamples) * n);
  for (int m = 0; m < kSamples; ++m) {
    std::array<double, kFactors> factor{};
    for (double& f : factor) f = stream.Normal();
    for (std::size_t i = 0; i < n; ++i) {
      double value = stream.Normal();
      for (std::size_t f = 0; f < kFactors; ++f) {
        value += loading[i * kFactors + f] * factor[f] / 2.0;
      }
      sample[static_cast<std::size_t>(m) * n + i] = damage[i] * value;
    }
  }
  std::vector<double> k(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (std::size_t m = 0; m < kSamples; ++m) {
        sum += sample[m * n + i] * sample[m * n + j];
      }
      k[i * n + j] = (i == j ? 1.0 : 0.5) * sum / kSamples;
    }
  }
  double linear_sum = 0.0;
  double quadratic_sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    linear_sum += damage[i] / 2.0;
    for (std::size_t j = 0; j < n; ++j) {
      quadratic_sum += std::abs(k[i * n + j]) / (i == j ? 2.0 : 4.0);
    }
  }
  const double scale = spec.ratio * linear_sum / quadratic_sum;
  AllocationProblem problem;
  problem.resources.push_back({"bytes", 0});
  PairBlock block;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t size = spec.equal_sizes ? 16 : kSizes[i % kSizes.size()];
    problem.units.push_back(
        {"unit" + std::to_string(i),
         {{"low", damage[i] + scale * k[i * n + i], {2 * size}},
          {"high", 0.0, {4 * size}}}});
    block.variables.push_back(static_cast<int>(2 * i));
    for (std::size_t j = i + 1; j < n; ++j) {
      block.values.push_back(2.0 * scale * k[i * n + j]);
    }
  }
  problem.pairs.AddBlock(std::move(block));
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit =
      range.least + static_cast<std::int64_t>(
                        spec.budget_share *
                        static_cast<double>(range.greatest - range.least));
  return problem;
}

AllocationProblem LadderProblem(const LadderSpec& spec, std::uint64_t seed) {
  RandomStream stream(seed, "tests/ladder_problem");
  const auto n = static_cast<std::size_t>(spec.units);
  const std::vector<double> k = Interactions(spec, stream);
  AllocationProblem problem;
  problem.resources.push_back({"bytes", 0});
  std::vector<double> strength;  // 2^-o, one a variable
  for (std::size_t u = 0; u < n; ++u) {
    ProblemUnit unit{"unit" + std::to_string(u), {}};
    const double damage = std::exp(0.8 * stream.Normal());
    const std::int64_t size = 4 + stream.UniformInt(40);
    for (int o = 0; o < spec.options[u % spec.options.size()]; ++o) {
      strength.push_back(std::exp2(-o));
      const double noise = 1.0 + spec.cost_noise * stream.Normal();
      const double share = strength.back() * strength.back();
      unit.options.push_back({"option" + std::to_string(o),
                              share * (damage * noise + k[u * n + u]),
                              {size * (o + 2)}});
    }
    problem.units.push_back(std::move(unit));
  }
  const std::vector<int> first = problem.FirstVariables();
  const auto reach = spec.reach > 0 ? static_cast<std::size_t>(spec.reach) : n;
  for (std::size_t u = 0; u < n; ++u) {
    for (std::size_t w = u + 1; w < std::min(n, u + reach + 1); ++w) {
      for (int i = first[u]; i < first[u + 1]; ++i) {
        for (int j = first[w]; j < first[w + 1]; ++j) {
          const double noise = 1.0 + spec.pair_noise * stream.Normal();
          problem.pairs.Add(i,
                            j,
                            2.0 * k[u * n + w] * noise *
                                strength[static_cast<std::size_t>(i)] *
                                strength[static_cast<std::size_t>(j)]);
        }
      }
    }
  }
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit =
      range.least +
      static_cast<std::int64_t>(
          spec.tightness * static_cast<double>(range.greatest - range.least));
  return problem;
}

BruteForceAnswer SolveByBruteForce(const AllocationProblem& problem) {
  const Evaluator evaluate(problem);
  BruteForceAnswer answer;
  Assignment plan(problem.units.size(), 0);
  do {
    if (!Obeys(problem, plan)) continue;
    const double objective = evaluate(plan);
    if (!answer.plan || objective < answer.objective) {
      answer.plan = plan;
      answer.objective = objective;
    }
    if (!answer.worst || objective > answer.worst_objective) {
      answer.worst = plan;
      answer.worst_objective = objective;
    }
  } while (Next(problem, plan));
  return answer;
}

std::vector<double> FeasibleObjectives(const AllocationProblem& problem) {
  const Evaluator evaluate(problem);
  std::vector<double> objectives;
  Assignment plan(problem.units.size(), 0);
  do {
    if (Obeys(problem, plan)) objectives.push_back(evaluate(plan));
  } while (Next(problem, plan));
  std::sort(objectives.begin(), objectives.end());
  return objectives;
}

std::string Describe(const LadderSpec& spec, std::uint64_t seed) {
  return "seed " + std::to_string(seed) + ": " + std::to_string(spec.units) +
         " ladders, " + (spec.is_convex ? "convex" : "indefinite") +
         ", ratio " + std::to_string(spec.ratio) + ", noise " +
         std::to_string(spec.cost_noise) + " and " +
         std::to_string(spec.pair_noise);
}

std::string Describe(const RandomProblemSpec& spec, std::uint64_t seed) {
  return "seed " + std::to_string(seed) + ": " + std::to_string(spec.units) +
         " units x " + std::to_string(spec.options) + " options, " +
         std::to_string(spec.resources) + " resources";
}

}  // namespace bitpact::testing
