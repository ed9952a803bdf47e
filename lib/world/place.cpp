#include "world/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"

namespace gcg {

namespace {

constexpr std::string_view kAgentHosts = "TORCHELASTIC_USE_AGENT_STORE";

std::optional<std::string> variable(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::string needed(std::string_view name, std::string_view remedy) {
  const std::optional<std::string> value = variable(name);
  if (!value) {
    throw UsageError("--world auto", fmt::format("the environment has no {}", name), remedy);
  }
  return *value;
}

std::int64_t number(std::string_view name, std::int64_t low, std::int64_t high) {
  const std::string text = needed(name, "start it by gcg_run --processes, srun or mpirun");
  const std::optional<std::int64_t> value = whole_number_text<std::int64_t>(text);
  if (!value || *value < low || *value > high) {
    throw UsageError("--world auto",
                     fmt::format("{}={} is not a number from {} to {}", name, text, low, high),
                     "start it by gcg_run --processes, srun or mpirun");
  }
  return *value;
}

RankPlace numbered(std::string_view rank, std::string_view ranks, std::string_view local_rank) {
  RankPlace place;
  place.ranks = number(ranks, 1, 65536);
  place.rank = number(rank, 0, place.ranks - 1);
  place.local_rank = number(local_rank, 0, place.ranks - 1);
  return place;
}

/// The same for all processes of a job, another one for most other jobs.
std::uint16_t port_of(std::string_view job) {
  const Digest digest = sha256(job);
  return static_cast<std::uint16_t>(20000 + (digest[0] * 256 + digest[1]) % 10000);
}

/// "node[3-5,8],other" begins with node3.
std::string first_host(const std::string& hosts) {
  const std::size_t bracket = hosts.find('[');
  const std::size_t comma = hosts.find(',');
  if (bracket == std::string::npos || comma < bracket) {
    return hosts.substr(0, comma);
  }
  return hosts.substr(0, bracket) +
         hosts.substr(bracket + 1, hosts.find_first_of(",-]", bracket) - bracket - 1);
}

constexpr const char* kOneHost = "127.0.0.1";

RankPlace of_torchrun() {
  RankPlace place = numbered("RANK", "WORLD_SIZE", "LOCAL_RANK");
  place.address = needed("MASTER_ADDR", "name the host of rank 0 in it");
  place.port = static_cast<std::uint16_t>(number("MASTER_PORT", 1, 65535));
  place.launcher_hosts = variable(kAgentHosts) == "True";
  return place;
}

/// MASTER_ADDR and MASTER_PORT, or what the launcher tells of the job.
void meet_at(RankPlace& place, const std::string& address, const std::string& job) {
  place.address = variable("MASTER_ADDR").value_or(address);
  if (place.address.empty()) {
    needed("MASTER_ADDR", "the ranks are on several hosts: name that of rank 0 in it (mpirun -x)");
  }
  place.port = variable("MASTER_PORT") ? static_cast<std::uint16_t>(number("MASTER_PORT", 1, 65535))
                                       : port_of(job);
}

RankPlace of_slurm() {
  RankPlace place = numbered("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID");
  const std::string hosts =
      variable("SLURM_STEP_NODELIST").value_or(variable("SLURM_JOB_NODELIST").value_or(""));
  const bool one_host = variable("SLURM_STEP_NUM_NODES") == "1";
  meet_at(place, one_host ? kOneHost : first_host(hosts),
          fmt::format("slurm {} {}", variable("SLURM_JOB_ID").value_or(""),
                      variable("SLURM_STEP_ID").value_or("")));
  return place;
}

RankPlace of_open_mpi() {
  RankPlace place =
      numbered("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK");
  const bool one_host = number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, 65536) == place.ranks;
  meet_at(
      place, one_host ? kOneHost : "",
      "mpi " +
          variable("PMIX_NAMESPACE").value_or(variable("OMPI_MCA_ess_base_jobid").value_or("")));
  return place;
}

}  // namespace

RankPlace rank_place() {
  if (variable("RANK") && variable("WORLD_SIZE")) {
    return of_torchrun();
  }
  // mpirun under Slurm sets both; its ranks are then those of Open MPI.
  if (variable("OMPI_COMM_WORLD_RANK")) {
    return of_open_mpi();
  }
  if (variable("SLURM_PROCID")) {
    return of_slurm();
  }
  throw UsageError("--world auto", "the environment tells of no srun, mpirun or torchrun",
                   "start it by one of them, or use --processes N on one machine");
}

Exchange wanted_exchange() {
  const std::string word = variable("GCG_EXCHANGE").value_or("");
  if (!word.empty() && word != "network") {
    throw UsageError("GCG_EXCHANGE", fmt::format("'{}' is no way to exchange", word),
                     "set it to network, or leave it unset");
  }
  return word.empty() ? Exchange::nearest : Exchange::network;
}

std::string gpu_of(const std::string& visible, std::int64_t local_rank) {
  if (visible.empty()) {
    return fmt::format("{}", local_rank);
  }
  std::vector<std::string> gpus;
  for (std::size_t begin = 0; begin <= visible.size();) {
    const std::size_t comma = std::min(visible.find(',', begin), visible.size());
    gpus.push_back(visible.substr(begin, comma - begin));
    begin = comma + 1;
  }
  if (gpus.size() == 1) {
    return visible;
  }
  if (local_rank >= std::ssize(gpus)) {
    throw UsageError(
        "--device cuda",
        fmt::format("process {} of this host has no GPU among {}", local_rank, visible),
        "start one process for each GPU");
  }
  return gpus[static_cast<std::size_t>(local_rank)];
}

std::vector<std::string> place_variables(const RankPlace& place) {
  return {fmt::format("RANK={}", place.rank),
          fmt::format("WORLD_SIZE={}", place.ranks),
          fmt::format("LOCAL_RANK={}", place.local_rank),
          fmt::format("MASTER_ADDR={}", place.address),
          fmt::format("MASTER_PORT={}", place.port),
          fmt::format("{}={}", kAgentHosts, place.launcher_hosts ? "True" : "False")};
}

}  // namespace gcg
