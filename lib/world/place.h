#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gcg {

/// Where a process stands among those that train one run together, as its launcher says.
struct RankPlace {
  std::int64_t rank = 0;
  std::int64_t ranks = 1;
  std::int64_t local_rank = 0;  ///< among those of this host
  std::string address;          ///< of the host where they find one another
  std::uint16_t port = 0;
  bool launcher_hosts = false;  ///< the launcher listens there, else rank 0
};

/// From the environment: of gcg_run --processes and of torchrun (RANK, WORLD_SIZE, LOCAL_RANK,
/// MASTER_ADDR, MASTER_PORT), of srun (SLURM_PROCID ...) or of Open MPI (OMPI_COMM_WORLD_RANK ...);
/// MASTER_ADDR and MASTER_PORT go before what the latter two give. UsageError: there is none of
/// them, or something is missing.
RankPlace rank_place();

/// How ranks exchange what a step needs.
enum class Exchange {
  nearest,  ///< through memory that they share where all are on one host, else through the network
  network   ///< through the network, wherever they are
};

/// What GCG_EXCHANGE asks for: "network", or nearest where it is not set. UsageError: another word.
Exchange wanted_exchange();

/// The variables that rank_place() reads of torchrun, "NAME=value".
std::vector<std::string> place_variables(const RankPlace& place);

/// The GPU of a process, as CUDA_VISIBLE_DEVICES is to name it: the one of the process's number on
/// its host among those that are `visible` (the variable; empty: all), or the only one, which its
/// launcher has chosen. UsageError: more processes than GPUs.
std::string gpu_of(const std::string& visible, std::int64_t local_rank);

}  // namespace gcg
