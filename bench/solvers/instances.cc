// SPDX-License-Identifier: Apache-2.0
#include "bench/solvers/instances.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "core/random.h"
#include "solvers/bqp_reader.h"
#include "solvers/opb_reader.h"
#include "solvers/qkp_reader.h"

namespace bitpact::bench {
namespace {

constexpr int kSamples = 100;
constexpr int kFactors = 4;
// q, k, v, o, gate, up, down of a Llama block, in 2^16 weights.
constexpr std::array<std::int64_t, 7> kWeights = {
    256, 64, 64, 256, 896, 896, 896};

using Matrix = std::vector<double>;  // n x n, row-major

std::vector<double> Damages(int units, RandomStream& stream) {
  std::vector<double> damage(static_cast<std::size_t>(units));
  for (double& d : damage) d = std::exp(0.8 * stream.Normal());
  return damage;
}

// Row m: the marginals of one sample over sqrt(kSamples), so that their
// products add up to the covariance.
Matrix Marginals(const std::vector<double>& damage, RandomStream& stream) {
  const std::size_t n = damage.size();
  std::vector<double> loading(n * kFactors);
  for (double& l : loading) l = stream.Normal();
  Matrix marginals(kSamples * n);
  for (std::size_t m = 0; m < kSamples; ++m) {
    std::array<double, kFactors> factor{};
    for (double& f : factor) f = stream.Normal();
    for (std::size_t i = 0; i < n; ++i) {
      double value = stream.Normal();
      // Half: the factors together carry as much variance as the noise.
      for (std::size_t f = 0; f < kFactors; ++f) {
        value += loading[i * kFactors + f] * factor[f] / 2.0;
      }
      marginals[m * n + i] = damage[i] * value;
    }
  }
  return marginals;
}

Matrix ShrunkCovariance(const std::vector<double>& damage,
                        double shrink,
                        RandomStream& stream) {
  const std::size_t n = damage.size();
  const Matrix marginals = Marginals(damage, stream);
  Matrix sum(n * n, 0.0);
  for (std::size_t m = 0; m < kSamples; ++m) {
    const double* marginal = marginals.data() + m * n;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        sum[i * n + j] += marginal[i] * marginal[j] / kSamples;
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) sum[i * n + j] *= 1.0 - shrink;
    }
  }
  return sum;
}

void AddNoise(double size, RandomStream& stream, Matrix& k) {
  const auto n = static_cast<std::size_t>(
      std::lround(std::sqrt(static_cast<double>(k.size()))));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const double noise = size * stream.Normal();
      k[i * n + j] += noise;
      k[j * n + i] += noise;
    }
  }
}

double MeanOffDiagonal(const Matrix& k, std::size_t n) {
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i != j) sum += std::abs(k[i * n + j]);
    }
  }
  return sum / static_cast<double>(n * (n - 1));
}

Matrix Interactions(const GeneratorSpec& spec,
                    const std::vector<double>& damage,
                    RandomStream& stream) {
  const std::size_t n = damage.size();
  Matrix k(n * n, 0.0);
  if (spec.kind == "random") {
    AddNoise(1.0, stream, k);
  } else {
    k = ShrunkCovariance(damage, spec.shrink, stream);
    if (spec.kind == "indefinite" || spec.kind == "onehot-indefinite") {
      AddNoise(0.5 * MeanOffDiagonal(k, n), stream, k);
    }
  }
  double linear = 0.0;
  double quadratic = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    linear += damage[i] / 2.0;
    for (std::size_t j = 0; j < n; ++j) {
      quadratic += std::abs(k[i * n + j]) / (i == j ? 2.0 : 4.0);
    }
  }
  for (double& value : k) value *= spec.ratio * linear / quadratic;
  return k;
}

struct Bits {
  int bits = 0;
  // Of the unit's damage and, for pairs, of its marginals; the widest option
  // of the two-way kinds does no damage at all.
  double damage = 0.0;
  double marginal = 0.0;
};

bool IsOneHot(const GeneratorSpec& spec) {
  return spec.kind.starts_with("onehot");
}

std::vector<Bits> Ladder(const GeneratorSpec& spec) {
  if (!IsOneHot(spec)) return {{2, 1.0, 1.0}, {4, 0.0, 0.0}};
  std::vector<int> widths = {2, 3, 4, 8};
  if (spec.options == 5) widths = {2, 3, 4, 6, 8};
  std::vector<Bits> ladder;
  for (const int bits : widths) {
    ladder.push_back({bits, std::pow(4.0, 2 - bits), std::pow(2.0, 2 - bits)});
  }
  return ladder;
}

// Split by commas; no quoting in these files.
std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  std::string field;
  while (std::getline(stream, field, ',')) fields.push_back(field);
  return fields;
}

Expected<AllocationProblem> ReadAny(const std::filesystem::path& file) {
  if (file.extension() == ".txt") return ReadQkp(file);
  if (file.extension() == ".sparse") return ReadBqp(file);
  Expected<OpbProblem> opb = ReadOpb(file);
  if (!opb) return tl::unexpected(opb.error());
  return std::move(opb->problem);
}

// "coop-lowrank". The quadratic sum that `ratio` refers to is estimated from
// the pairs of 512 units evenly spread, all of them when there are no more.
Instance GenerateLowRank(const GeneratorSpec& spec) {
  // The same random numbers as "coop".
  RandomStream stream(spec.seed, "bench/solvers/coop");
  const std::vector<double> damage = Damages(spec.units, stream);
  const Matrix marginals = Marginals(damage, stream);
  const std::size_t n = damage.size();
  const auto covariance = [&](std::size_t i, std::size_t j) {
    double sum = 0.0;
    for (std::size_t m = 0; m < kSamples; ++m) {
      sum += marginals[m * n + i] * marginals[m * n + j] / kSamples;
    }
    return i == j ? sum : (1.0 - spec.shrink) * sum;
  };
  const std::size_t stride = (n + 511) / 512;
  double linear = 0.0;
  double diagonal = 0.0;
  double pairs = 0.0;
  double pairs_seen = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    linear += damage[i] / 2.0;
    diagonal += covariance(i, i) / 2.0;
    for (std::size_t j = 0; i % stride == 0 && j < n; j += stride) {
      if (i == j) continue;
      pairs += std::abs(covariance(i, j)) / 4.0;
      pairs_seen += 1.0;
    }
  }
  const double all = static_cast<double>(n) * static_cast<double>(n - 1);
  const double quadratic = diagonal + pairs * all / std::max(1.0, pairs_seen);
  const double scale = spec.ratio * linear / quadratic;
  AllocationProblem problem;
  problem.resources.push_back({"bytes", 0});
  PairFactor factor{.variables = {},
                    .rank = kSamples,
                    .scale = scale * (1.0 - spec.shrink) / kSamples,
                    .values = {}};
  factor.values.reserve(n * kSamples);
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t weights = kWeights[i % kWeights.size()] << 16U;
    problem.units.push_back(
        {"unit" + std::to_string(i),
         {{"2", damage[i] + scale * covariance(i, i), {weights / 4}},
          {"4", 0.0, {weights / 2}}}});
    factor.variables.push_back(static_cast<int>(2 * i));
    for (std::size_t m = 0; m < kSamples; ++m) {
      factor.values.push_back(marginals[m * n + i]);
    }
  }
  problem.pairs.AddFactor(std::move(factor));
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit = (range.least + range.greatest) / 2;
  std::ostringstream name;
  name << spec.kind << "-" << spec.units << "-ratio" << spec.ratio << "-shrink"
       << spec.shrink << "-seed" << spec.seed;
  return {name.str(), std::move(problem), std::nullopt};
}

Instance GenerateSeparable(const GeneratorSpec& spec) {
  RandomStream stream(spec.seed, "bench/solvers/" + spec.kind);
  const std::vector<double> damage = Damages(spec.units, stream);
  constexpr std::array<int, 6> kWidths = {2, 3, 4, 5, 6, 8};
  const auto options = static_cast<std::size_t>(std::clamp(spec.options, 2, 6));
  AllocationProblem problem;
  problem.resources.push_back({"bytes", 0});
  std::int64_t four_bits = 0;
  for (std::size_t i = 0; i < damage.size(); ++i) {
    const std::int64_t jitter = std::lround(1e5 * std::abs(stream.Normal()));
    const std::int64_t weights =
        (kWeights[i % kWeights.size()] << 16U) + 2 * jitter + 1;
    ProblemUnit unit{"unit" + std::to_string(i), {}};
    for (std::size_t o = 0; o < options; ++o) {
      unit.options.push_back({std::to_string(kWidths[o]),
                              damage[i] * std::pow(4.0, 2 - kWidths[o]),
                              {(weights * kWidths[o] + 7) / 8}});
    }
    problem.units.push_back(std::move(unit));
    four_bits += weights / 2;
  }
  problem.resources[0].limit = four_bits;
  std::ostringstream name;
  name << spec.kind << "-" << spec.units << "x" << options << "-seed"
       << spec.seed;
  return {name.str(), std::move(problem), std::nullopt};
}

}  // namespace

Instance Generate(const GeneratorSpec& spec) {
  if (spec.kind == "separable") return GenerateSeparable(spec);
  if (spec.kind == "coop-lowrank") return GenerateLowRank(spec);
  RandomStream stream(spec.seed, "bench/solvers/" + spec.kind);
  const std::vector<double> damage = Damages(spec.units, stream);
  const Matrix k = Interactions(spec, damage, stream);
  const std::vector<Bits> ladder = Ladder(spec);
  const std::size_t n = damage.size();
  AllocationProblem problem;
  problem.resources.push_back({"bytes", 0});
  std::int64_t four_bits = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t weights = kWeights[i % kWeights.size()] << 16U;
    ProblemUnit unit{"unit" + std::to_string(i), {}};
    for (const Bits& bits : ladder) {
      unit.options.push_back({std::to_string(bits.bits),
                              bits.damage * damage[i] +
                                  bits.marginal * bits.marginal * k[i * n + i],
                              {weights * bits.bits / 8}});
    }
    problem.units.push_back(std::move(unit));
    four_bits += weights / 2;
  }
  PairBlock block;
  std::vector<std::pair<std::size_t, double>> marginals;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t o = 0; o < ladder.size(); ++o) {
      if (ladder[o].marginal == 0.0) continue;
      block.variables.push_back(static_cast<int>(i * ladder.size() + o));
      marginals.emplace_back(i, ladder[o].marginal);
    }
  }
  for (std::size_t a = 0; a < marginals.size(); ++a) {
    for (std::size_t b = a + 1; b < marginals.size(); ++b) {
      const auto& [i, mi] = marginals[a];
      const auto& [j, mj] = marginals[b];
      block.values.push_back(i == j ? 0.0 : 2.0 * mi * mj * k[i * n + j]);
    }
  }
  problem.pairs.AddBlock(std::move(block));
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit =
      IsOneHot(spec) ? four_bits : (range.least + range.greatest) / 2;
  std::ostringstream name;
  name << spec.kind << "-" << spec.units;
  if (IsOneHot(spec)) name << "x" << ladder.size();
  name << "-ratio" << spec.ratio << "-shrink" << spec.shrink << "-seed"
       << spec.seed;
  return {name.str(), std::move(problem), std::nullopt};
}

Expected<std::vector<Instance>> ReadFolder(const std::filesystem::path& folder,
                                           const std::string& filter) {
  std::ifstream index(folder / "index.csv");
  std::string line;
  if (!std::getline(index, line)) {
    return Fail(ErrorCode::kNotFound,
                (folder / "index.csv").string() + ": cannot be read");
  }
  std::map<std::string, std::size_t> column;
  for (const std::string& name : Fields(line))
    column.emplace(name, column.size());
  const char* best =
      column.contains("best_known") ? "best_known" : "opb_objective(min)";
  if (!column.contains("file") || !column.contains(best)) {
    return InvalidArgument((folder / "index.csv").string() +
                           ": no column 'file' or no best known value");
  }
  std::vector<Instance> instances;
  while (std::getline(index, line)) {
    const std::vector<std::string> fields = Fields(line);
    if (fields.size() < column.size()) continue;
    const std::string& name = fields[column["file"]];
    if (name.find(filter) == std::string::npos) continue;
    const std::filesystem::path file =
        column.contains("set") ? folder / fields[column["set"]] / name
                               : folder / name;
    Expected<AllocationProblem> problem = ReadAny(file);
    if (!problem) return tl::unexpected(problem.error());
    const std::string& text = fields[column[best]];
    double value = 0.0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (file.extension() == ".txt") value = -value;
    instances.push_back({name, std::move(*problem), value});
  }
  return instances;
}

}  // namespace bitpact::bench
