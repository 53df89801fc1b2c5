// SPDX-License-Identifier: Apache-2.0
#include "estimators/mpi_ranks.h"

#include <cstdlib>
#include <initializer_list>
#include <vector>

#ifdef BITPACT_HAVE_MPI
#include "boost/serialization/string.hpp"
#include "estimators/mpi_connection.h"
#endif

namespace bitpact {
namespace {

int FromEnvironment(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && value >= 0 && value < (1 << 20)) {
      return static_cast<int>(value);
    }
  }
  return otherwise;
}

}  // namespace

LaunchedAs ReadLaunch() {
  LaunchedAs launch;
  launch.size = FromEnvironment({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, 1);
  launch.rank = FromEnvironment({"OMPI_COMM_WORLD_RANK", "PMI_RANK"}, 0);
  launch.size_on_this_machine =
      FromEnvironment({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}, 1);
  return launch.size > 1 ? launch : LaunchedAs{};
}

#ifdef BITPACT_HAVE_MPI

MpiRanks::MpiRanks(LaunchedAs launch) : launch_(launch) {}

Expected<std::unique_ptr<MpiRanks>> MpiRanks::Join() {
  std::unique_ptr<MpiRanks> ranks(new MpiRanks(ReadLaunch()));
  if (ranks->size() == 1) return ranks;
  try {
    // Only the thread that joins calls MPI.
    ranks->connection_.reset(new Connection{
        boost::mpi::environment(boost::mpi::threading::funneled, false), {}});
    ranks->launch_.rank = ranks->connection_->world.rank();
    ranks->launch_.size = ranks->connection_->world.size();
  } catch (const boost::mpi::exception& failure) {
    return Fail(ErrorCode::kUnavailable,
                std::string("MPI does not start: ") + failure.what());
  }
  return ranks;
}

MpiRanks::~MpiRanks() {
  if (!connection_ || !leads()) return;
  for (int rank = 1; rank < size(); ++rank) {
    try {
      connection_->world.send(rank, kMpiGoHome, std::vector<int>());
    } catch (const boost::mpi::exception&) {
      // It has gone already.
    }
  }
}

Expected<void> MpiRanks::Agree(const Expected<std::string>& mine) {
  if (!connection_) {
    if (!mine) return tl::unexpected(mine.error());
    return {};
  }
  std::vector<std::string> errors;
  std::vector<std::string> prints;
  try {
    const boost::mpi::communicator& world = connection_->world;
    boost::mpi::all_gather(
        world, mine ? std::string() : mine.error().message, errors);
    boost::mpi::all_gather(world, mine ? *mine : std::string(), prints);
  } catch (const boost::mpi::exception& failure) {
    return Fail(ErrorCode::kUnavailable, failure.what());
  }
  if (!mine) return tl::unexpected(mine.error());
  for (std::size_t rank = 0; rank < errors.size(); ++rank) {
    if (!errors[rank].empty()) {
      return Fail(ErrorCode::kUnavailable,
                  "rank " + std::to_string(rank) + ": " + errors[rank]);
    }
    if (prints[rank] != prints.front()) {
      return InvalidArgument("rank " + std::to_string(rank) +
                             " has another model, text or setting than rank 0");
    }
  }
  return {};
}

#else

struct MpiRanks::Connection {};

MpiRanks::MpiRanks(LaunchedAs launch) : launch_(launch) {}

Expected<std::unique_ptr<MpiRanks>> MpiRanks::Join() {
  const LaunchedAs launch = ReadLaunch();
  if (launch.size > 1) {
    return Fail(ErrorCode::kUnsupported,
                "mpirun started " + std::to_string(launch.size) +
                    " processes, but this build has no MPI "
                    "(-DBITPACT_WITH_MPI=ON with libboost-mpi-dev)");
  }
  return std::unique_ptr<MpiRanks>(new MpiRanks(launch));
}

MpiRanks::~MpiRanks() = default;

Expected<void> MpiRanks::Agree(const Expected<std::string>& mine) {
  if (!mine) return tl::unexpected(mine.error());
  return {};
}

#endif

}  // namespace bitpact
