// SPDX-License-Identifier: Apache-2.0
#include "estimators/mpi_game.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/check.h"

#ifdef BITPACT_HAVE_MPI
#include "boost/serialization/string.hpp"
#include "boost/serialization/vector.hpp"
#include "estimators/mpi_connection.h"
#endif

namespace bitpact {

struct MpiGame::Chunk {
  int tag = 0;
  std::size_t begin = 0;  // of the assignments or questions
  std::size_t end = 0;
  std::vector<int> message;
};

MpiGame::MpiGame(MpiRanks& ranks, const ValueFunction& game)
    : ranks_(&ranks), game_(&game) {
  BITPACT_CHECK(ranks.size() > 1 && ranks.leads(), "rank 0 of several");
}

Expected<std::vector<Evaluation>> MpiGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  std::vector<Evaluation> results(assignments.size());
  const Expected<void> done =
      Stream(assignments, [&](std::size_t place, Evaluation value) {
        results[place] = std::move(value);
        return Expected<void>();
      });
  if (!done) return tl::unexpected(done.error());
  return results;
}

#ifdef BITPACT_HAVE_MPI
namespace {

namespace mpi = boost::mpi;

// Chunks a rank gets over the run when all take equally long: enough that none
// waits long for the last one, few enough that neighbours share prefixes.
constexpr std::size_t kChunksPerRank = 8;
constexpr std::size_t kLargestChunk = 32;

// MPI's own waiting spins; evaluations take far longer than this.
mpi::status WaitForMessage(const mpi::communicator& world, int source) {
  while (true) {
    const auto status = world.iprobe(source, mpi::any_tag);
    if (status) return *status;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

Expected<std::vector<double>> Answer(ValueFunction& game,
                                     int tag,
                                     const std::vector<int>& message) {
  const auto units = static_cast<std::size_t>(game.num_units());
  std::vector<double> sums;
  if (tag == kMpiWindows) {
    std::vector<WindowQuestion> questions;
    for (auto at = message.begin(); at != message.end();) {
      const auto end = at + static_cast<std::ptrdiff_t>(units) + 1;
      questions.push_back({*at, FormatAssignment(at + 1, end)});
      at = end;
    }
    return game.EvaluateWindows(questions);
  }
  std::vector<FormatAssignment> assignments;
  for (auto at = message.begin(); at != message.end();) {
    const auto end = at + static_cast<std::ptrdiff_t>(units);
    assignments.emplace_back(at, end);
    at = end;
  }
  const auto values = game.Evaluate(assignments);
  if (!values) return tl::unexpected(values.error());
  for (const Evaluation& value : *values) {
    sums.insert(sums.end(), value.window_loss.begin(), value.window_loss.end());
  }
  return sums;
}

}  // namespace

Expected<void> MpiGame::Share(std::span<const Chunk> chunks,
                              const ChunkTaker& take) {
  const mpi::communicator& world = ranks_->connection()->world;
  std::vector<const Chunk*> at_rank(static_cast<std::size_t>(ranks_->size()));
  std::size_t next = 0;
  int under_way = 0;
  std::optional<Error> error;
  const auto send_next = [&](int rank) {
    at_rank[static_cast<std::size_t>(rank)] = nullptr;
    if (next == chunks.size() || error) return;
    const Chunk& chunk = chunks[next++];
    world.send(rank, chunk.tag, chunk.message);
    at_rank[static_cast<std::size_t>(rank)] = &chunk;
    ++under_way;
  };
  try {
    for (int rank = 1; rank < ranks_->size(); ++rank) send_next(rank);
    while (under_way > 0) {
      const mpi::status status = WaitForMessage(world, mpi::any_source);
      const int rank = status.source();
      --under_way;
      if (status.tag() == kMpiSums) {
        std::vector<double> sums;
        world.recv(rank, kMpiSums, sums);
        const Chunk& chunk = *at_rank[static_cast<std::size_t>(rank)];
        const Expected<void> taken = take(chunk, sums);
        if (!taken && !error) error = taken.error();
      } else {
        std::string message;
        world.recv(rank, kMpiFailure, message);
        if (!error) {
          error = {ErrorCode::kUnavailable,
                   "rank " + std::to_string(rank) + ": " + message};
        }
      }
      send_next(rank);
    }
  } catch (const mpi::exception& failure) {
    return Fail(ErrorCode::kUnavailable, failure.what());
  }
  if (error) return tl::unexpected(*error);
  return {};
}

Expected<void> MpiGame::Stream(std::span<const FormatAssignment> assignments,
                               const Taker& take) {
  const auto players = static_cast<std::size_t>(ranks_->size() - 1);
  const std::size_t step = std::clamp<std::size_t>(
      assignments.size() / (players * kChunksPerRank), 1, kLargestChunk);
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < assignments.size(); i += step) {
    Chunk chunk{kMpiAssignments, i, std::min(i + step, assignments.size()), {}};
    for (std::size_t j = chunk.begin; j < chunk.end; ++j) {
      chunk.message.insert(
          chunk.message.end(), assignments[j].begin(), assignments[j].end());
    }
    chunks.push_back(std::move(chunk));
  }
  const std::size_t windows = window_tokens().size();
  return Share(
      chunks, [&](const Chunk& chunk, const std::vector<double>& sums) {
        BITPACT_CHECK(sums.size() == (chunk.end - chunk.begin) * windows,
                      "a sum a window");
        auto at = sums.begin();
        for (std::size_t j = chunk.begin; j < chunk.end; ++j) {
          const auto end = at + static_cast<std::ptrdiff_t>(windows);
          Expected<void> taken =
              take(j, MakeEvaluation({at, end}, window_tokens()));
          if (!taken) return taken;
          at = end;
        }
        return Expected<void>();
      });
}

Expected<std::vector<double>> MpiGame::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < questions.size();) {
    Chunk chunk{kMpiWindows, i, i, {}};
    // The questions of a window share their prefixes.
    while (chunk.end < questions.size() &&
           questions[chunk.end].window == questions[i].window) {
      const WindowQuestion& question = questions[chunk.end++];
      chunk.message.push_back(question.window);
      chunk.message.insert(chunk.message.end(),
                           question.assignment.begin(),
                           question.assignment.end());
    }
    i = chunk.end;
    chunks.push_back(std::move(chunk));
  }
  std::vector<double> results(questions.size());
  const Expected<void> done =
      Share(chunks, [&](const Chunk& chunk, const std::vector<double>& sums) {
        BITPACT_CHECK(sums.size() == chunk.end - chunk.begin,
                      "a sum a question");
        std::ranges::copy(
            sums, results.begin() + static_cast<std::ptrdiff_t>(chunk.begin));
        return Expected<void>();
      });
  if (!done) return tl::unexpected(done.error());
  return results;
}

Expected<void> ServeMpiGame(MpiRanks& ranks, ValueFunction& game) {
  const mpi::communicator& world = ranks.connection()->world;
  try {
    while (true) {
      const mpi::status status = WaitForMessage(world, 0);
      std::vector<int> message;
      world.recv(0, status.tag(), message);
      if (status.tag() == kMpiGoHome) return {};
      const auto sums = Answer(game, status.tag(), message);
      if (sums) {
        world.send(0, kMpiSums, *sums);
      } else {
        world.send(0, kMpiFailure, sums.error().message);
      }
    }
  } catch (const mpi::exception& failure) {
    return Fail(ErrorCode::kUnavailable, failure.what());
  }
}

#else

Expected<void> MpiGame::Share(std::span<const Chunk>, const ChunkTaker&) {
  return Fail(ErrorCode::kUnsupported, "this build has no MPI");
}

Expected<void> MpiGame::Stream(std::span<const FormatAssignment>,
                               const Taker&) {
  return Fail(ErrorCode::kUnsupported, "this build has no MPI");
}

Expected<std::vector<double>> MpiGame::EvaluateWindows(
    std::span<const WindowQuestion>) {
  return Fail(ErrorCode::kUnsupported, "this build has no MPI");
}

Expected<void> ServeMpiGame(MpiRanks&, ValueFunction&) {
  return Fail(ErrorCode::kUnsupported, "this build has no MPI");
}

#endif

}  // namespace bitpact
