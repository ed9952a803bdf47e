// Where a process stands, by what each launcher puts into the environment.
#include "world/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "base/throws.h"
#include "base/variable.h"

namespace gcg {
namespace {

using ::testing::HasSubstr;

/// These variables, and no others of a launcher, as long as it lives.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& variables) {
    clear();
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Environment() { clear(); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void clear() {
    for (const char* name : {"RANK",
                             "WORLD_SIZE",
                             "LOCAL_RANK",
                             "MASTER_ADDR",
                             "MASTER_PORT",
                             "TORCHELASTIC_USE_AGENT_STORE",
                             "SLURM_PROCID",
                             "SLURM_NTASKS",
                             "SLURM_LOCALID",
                             "SLURM_STEP_NODELIST",
                             "SLURM_JOB_NODELIST",
                             "SLURM_STEP_NUM_NODES",
                             "SLURM_JOB_ID",
                             "SLURM_STEP_ID",
                             "OMPI_COMM_WORLD_RANK",
                             "OMPI_COMM_WORLD_SIZE",
                             "OMPI_COMM_WORLD_LOCAL_RANK",
                             "OMPI_COMM_WORLD_LOCAL_SIZE",
                             "PMIX_NAMESPACE",
                             "OMPI_MCA_ess_base_jobid"}) {
      ::unsetenv(name);
    }
  }
};

const std::map<std::string, std::string> kSlurm{
    {"SLURM_PROCID", "5"},         {"SLURM_NTASKS", "8"},
    {"SLURM_LOCALID", "1"},        {"SLURM_STEP_NODELIST", "gpu[07-08,11],big1"},
    {"SLURM_STEP_NUM_NODES", "4"}, {"SLURM_JOB_ID", "4711"},
    {"SLURM_STEP_ID", "0"}};

std::map<std::string, std::string> with(std::map<std::string, std::string> variables,
                                        const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

TEST(RankPlace, OfSrun) {
  const Environment environment(kSlurm);
  const RankPlace place = rank_place();
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.ranks, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.address, "gpu07");
  EXPECT_GE(place.port, 20000);
  EXPECT_FALSE(place.launcher_hosts);
}

TEST(RankPlace, JobsOfSlurmMeetAtPortsOfTheirOwn) {
  std::uint16_t first = 0;
  {
    const Environment environment(kSlurm);
    first = rank_place().port;
    EXPECT_EQ(rank_place().port, first);
  }
  const Environment environment(with(kSlurm, "SLURM_JOB_ID", "4712"));
  EXPECT_NE(rank_place().port, first);
}

TEST(RankPlace, FirstHostOfAList) {
  for (const auto& [list, first] : std::map<std::string, std::string>{
           {"a", "a"}, {"a,b[1-2]", "a"}, {"n[3,5]", "n3"}, {"n[12]", "n12"}, {"n[1-4]", "n1"}}) {
    const Environment environment(with(kSlurm, "SLURM_STEP_NODELIST", list));
    EXPECT_EQ(rank_place().address, first) << list;
  }
  const Environment environment(with(kSlurm, "SLURM_STEP_NUM_NODES", "1"));
  EXPECT_EQ(rank_place().address, "127.0.0.1");
}

TEST(RankPlace, OfOpenMpi) {
  std::map<std::string, std::string> mpi{{"OMPI_COMM_WORLD_RANK", "1"},
                                         {"OMPI_COMM_WORLD_SIZE", "2"},
                                         {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                         {"PMIX_NAMESPACE", "123"}};
  {
    const Environment environment(mpi);
    const RankPlace place = rank_place();
    EXPECT_EQ(place.rank, 1);
    EXPECT_EQ(place.ranks, 2);
    EXPECT_EQ(place.address, "127.0.0.1");
  }
  mpi["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  {
    const Environment environment(mpi);
    GCG_EXPECT_ERROR(rank_place(), HasSubstr("MASTER_ADDR"));
  }
  const Environment environment(with(with(mpi, "MASTER_ADDR", "head"), "MASTER_PORT", "4000"));
  EXPECT_EQ(rank_place().address, "head");
  EXPECT_EQ(rank_place().port, 4000);
}

TEST(RankPlace, IsReadBackFromTheVariablesOfItsOwnLauncher) {
  RankPlace place{3, 4, 3, "127.0.0.1", 5000, true};
  std::map<std::string, std::string> variables;
  for (const std::string& variable : place_variables(place)) {
    const std::size_t equals = variable.find('=');
    variables[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  variables.insert(kSlurm.begin(), kSlurm.end());  // within an allocation
  const Environment environment(variables);
  const RankPlace found = rank_place();
  EXPECT_EQ(found.rank, 3);
  EXPECT_EQ(found.ranks, 4);
  EXPECT_EQ(found.port, 5000);
  EXPECT_TRUE(found.launcher_hosts);
}

TEST(RankPlace, OneGpuForEachProcessOfAHost) {
  EXPECT_EQ(gpu_of("", 3), "3");
  EXPECT_EQ(gpu_of("4,5,7", 0), "4");
  EXPECT_EQ(gpu_of("4,5,7", 2), "7");
  EXPECT_EQ(gpu_of("GPU-1a2b", 5), "GPU-1a2b");  // srun has given each its own
  GCG_EXPECT_ERROR(gpu_of("0,1", 2), HasSubstr("process 2 of this host has no GPU among 0,1"));
}

TEST(RankPlace, TheNetworkIsTakenWhereItIsAskedFor) {
  const auto wanted = [](const char* word) {
    const testing::Variable variable("GCG_EXCHANGE", word);
    return wanted_exchange();
  };
  EXPECT_EQ(wanted(""), Exchange::nearest);
  EXPECT_EQ(wanted("network"), Exchange::network);
  GCG_EXPECT_ERROR(wanted("post"), HasSubstr("GCG_EXCHANGE: 'post' is no way to exchange"));
}

TEST(RankPlace, WhatCannotBeIsAUsageError) {
  {
    const Environment environment({});
    GCG_EXPECT_ERROR(rank_place(), HasSubstr("no srun, mpirun or torchrun"));
  }
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"SLURM_PROCID", "8"}, {"SLURM_NTASKS", "many"}, {"SLURM_LOCALID", "-1"}}) {
    const Environment environment(with(kSlurm, name, value));
    GCG_EXPECT_ERROR(rank_place(), HasSubstr(name + "=" + value));
  }
}

}  // namespace
}  // namespace gcg
