// SPDX-License-Identifier: Apache-2.0
#include "solvers/model_writers.h"

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#ifdef BITPACT_HAVE_GLPK
#include "glpk.h"
#endif
#include "gtest/gtest.h"
#include "solvers/linearization.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

// Three two-way units, one resource, a constant, a pair of each sign.
AllocationProblem SmallProblem() {
  AllocationProblem problem;
  problem.constant = 0.5;
  problem.resources = {{"bytes", 5}};
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back({"unit" + std::to_string(u),
                             {{"a", 0.0, {0}}, {"b", -1.0 - u, {u + 2}}}});
  }
  problem.pairs.Add(1, 3, 0.1);
  problem.pairs.Add(3, 5, -2.0);
  return problem;
}

TEST(WriteLp, WritesTheQuadraticFormInBrackets) {
  const QuadraticModel model = MakeQuadraticModel(Reduce(SmallProblem()));
  std::ostringstream out;
  WriteLp(model.linear, model.products, out);
  EXPECT_EQ(out.str(),
            "Minimize\n"
            " obj: - 1 c0 - 2 c1 - 3 c2 + 0.5 cst + [ + 0.20000000000000001 "
            "c0 * c1 - 4 c1 * c2 ] / 2\n"
            "Subject To\n"
            " r0: + 2 c0 + 3 c1 + 4 c2 <= 5\n"
            "Bounds\n"
            " cst = 1\n"
            " 0 <= c0 <= 1\n"
            " 0 <= c1 <= 1\n"
            " 0 <= c2 <= 1\n"
            "Generals\n"
            " c0 c1 c2\n"
            "End\n");
}

TEST(WriteMps, WritesTheQuadraticFormAsOneTriangle) {
  const QuadraticModel model = MakeQuadraticModel(Reduce(SmallProblem()));
  std::ostringstream out;
  WriteMps(model.linear, model.products, out);
  EXPECT_EQ(out.str(),
            "NAME bitpact FREE\n"
            "ROWS\n"
            " N obj\n"
            " L r0\n"
            "COLUMNS\n"
            "    MARKO 'MARKER' 'INTORG'\n"
            "    c0 obj -1\n"
            "    c0 r0 2\n"
            "    c1 obj -2\n"
            "    c1 r0 3\n"
            "    c2 obj -3\n"
            "    c2 r0 4\n"
            "    MARKE 'MARKER' 'INTEND'\n"
            "    cst obj 0.5\n"
            "RHS\n"
            "    rhs r0 5\n"
            "BOUNDS\n"
            " LO bnd c0 0\n"
            " UP bnd c0 1\n"
            " LO bnd c1 0\n"
            " UP bnd c1 1\n"
            " LO bnd c2 0\n"
            " UP bnd c2 1\n"
            " FX bnd cst 1\n"
            "QUADOBJ\n"
            "    c0 c1 0.10000000000000001\n"
            "    c1 c2 -2\n"
            "ENDATA\n");
}

TEST(WriteMps, WritesRangesAndFreeUppers) {
  MilpModel milp;
  milp.columns = {{.cost = 1.0, .upper = INFINITY}};
  milp.rows = {{1.0, 3.0, {0}, {2.0}}, {1.0, INFINITY, {0}, {1.0}}};
  std::ostringstream out;
  WriteMps(milp, {}, out);
  EXPECT_NE(out.str().find(" L r0\n G r1\n"), std::string::npos);
  EXPECT_NE(out.str().find("RANGES\n    rng r0 2\n"), std::string::npos);
  EXPECT_NE(out.str().find(" PL bnd c0\n"), std::string::npos);
}

#ifdef BITPACT_HAVE_GLPK
enum class Format { kLp, kMps };

// The optimum that GLPK finds in the written file, constant included.
double OptimumOfFile(const MilpModel& milp, Format format) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() /
      ("bitpact_writer_" + std::to_string(getpid()));
  {
    std::ofstream out(file);
    format == Format::kLp ? WriteLp(milp, {}, out) : WriteMps(milp, {}, out);
  }
  glp_term_out(GLP_OFF);
  glp_prob* problem = glp_create_prob();
  const int failed =
      format == Format::kLp
          ? glp_read_lp(problem, nullptr, file.c_str())
          : glp_read_mps(problem, GLP_MPS_FILE, nullptr, file.c_str());
  EXPECT_EQ(failed, 0);
  std::filesystem::remove(file);
  glp_iocp control;
  glp_init_iocp(&control);
  control.presolve = GLP_ON;
  EXPECT_EQ(glp_intopt(problem, &control), 0);
  EXPECT_EQ(glp_mip_status(problem), GLP_OPT);
  const double optimum = glp_mip_obj_val(problem);
  glp_delete_prob(problem);
  return optimum;
}

TEST(ModelWriters, FilesReadBackHaveTheSameOptimum) {
  int compared = 0;
  for (const RandomProblemSpec& spec :
       {RandomProblemSpec{.units = 6},
        RandomProblemSpec{.units = 4, .options = 3, .resources = 2},
        RandomProblemSpec{.units = 4, .resources = 0}}) {
    for (std::uint64_t seed = 500; seed < 504; ++seed) {
      const AllocationProblem problem = RandomProblem(spec, seed);
      const auto judge = testing::SolveByBruteForce(problem);
      const ReducedProblem reduced = Reduce(problem);
      if (!judge.plan || reduced.NumGroups() == 0) continue;
      for (const LinearForm form :
           {LinearForm::kMcCormick, LinearForm::kGlover, LinearForm::kRlt}) {
        const MilpModel milp = Linearize(form, reduced).milp;
        const double tolerance = 1e-6 * (1.0 + std::abs(judge.objective));
        EXPECT_NEAR(
            OptimumOfFile(milp, Format::kLp), judge.objective, tolerance)
            << Describe(spec, seed);
        EXPECT_NEAR(
            OptimumOfFile(milp, Format::kMps), judge.objective, tolerance)
            << Describe(spec, seed);
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 18);
}
#endif

}  // namespace
}  // namespace bitpact
