// One run in several processes, as a user meets it: the same bits, and an end for all when one
// ends.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/progress.h"
#include "base/shell.h"
#include "base/temporary_folder.h"
#include "base/variable.h"
#include "record/checkpoint.h"
#include "record/run_file.h"
#include "record/run_summary.h"
#include "run/picture_folder.h"
#include "run/same_run.h"

namespace gcg {
namespace {

using ::testing::AnyOf;
using testing::difference;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::shell;
using testing::TemporaryFolder;

constexpr int kContinue = 75;

const std::string kGrowth =
    "--network resnet8 --width 4 --data-test-images 50 --batch-size 64 --epochs 2 --method gcg "
    "--stage-epochs 1 --disconnected repair --max-stages 3 --stop never --growth-rule gradient";

/// 333 images: 300 of training, so the last batch of 4 has 12 samples.
std::string growth(std::int64_t images = 333) {
  return fmt::format("{} --data-images {}", kGrowth, images);
}

std::filesystem::path only_folder(const TemporaryFolder& out) {
  for (const auto& entry : std::filesystem::directory_iterator(out.path())) {
    return entry.path();
  }
  return {};
}

RunRecord run_of(const std::string& arguments) {
  const TemporaryFolder out;
  const Outcome outcome =
      shell(fmt::format("{} {} --out {}", GCG_RUN_PROGRAM, arguments, out.path().string()));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  return outcome.status == 0 ? read_run_file(only_folder(out) / kRunFileName) : RunRecord{};
}

/// gcg_run on its way.
class Program {
 public:
  Program(const std::string& arguments, const std::filesystem::path& log) : log_(log) {
    process_ = ::fork();
    if (process_ == 0) {
      ::setpgid(0, 0);
      const std::string line =
          fmt::format("exec {} {} > {} 2>&1", GCG_RUN_PROGRAM, arguments, log_.string());
      ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Program() {
    if (process_ > 0) {
      ::kill(-process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t process() const { return process_; }
  /// Of a rank, once it trains.
  [[nodiscard]] pid_t rank(std::int64_t which) const {
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process_));
    for (pid_t child = 0; children >> child;) {
      std::ifstream file(fmt::format("/proc/{}/environ", child));
      for (std::string variable; std::getline(file, variable, '\0');) {
        if (variable == fmt::format("RANK={}", which)) {
          return child;
        }
      }
    }
    return -1;
  }
  /// Exit status, as of a shell; -1: it does not end in so many seconds.
  int wait(double seconds) {
    const double limit = now_seconds() + seconds;
    for (int status = 0; now_seconds() < limit; ::usleep(20000)) {
      if (::waitpid(process_, &status, WNOHANG) == process_) {
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
    }
    return -1;
  }
  [[nodiscard]] std::string output() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::filesystem::path log_;
  pid_t process_ = -1;
};

/// Waits until a run has trained and saved for a while.
bool wait_for_steps(const TemporaryFolder& out, std::int64_t steps) {
  for (const double limit = now_seconds() + 60; now_seconds() < limit; ::usleep(20000)) {
    const std::filesystem::path folder = only_folder(out);
    if (!folder.empty() && std::filesystem::exists(folder / "checkpoint.gcg")) {
      std::string note;
      const std::optional<Checkpoint> now = read_checkpoint(folder, note);
      if (now && now->record.cost.steps >= steps) {
        return true;
      }
    }
  }
  return false;
}

// ---- bits

struct Way {
  std::string execution;
  std::int64_t processes;
};

struct SeveralProcesses : ::testing::TestWithParam<Way> {};

TEST_P(SeveralProcesses, RepeatBitForBitAndStayNearOneProcess) {
  const auto& [execution, processes] = GetParam();
  const std::string options = fmt::format(
      "--method fixed_mask --seed-rule erk --seed-density 0.3 --network resnet8 --width 4 "
      "--data-images 333 --data-test-images 50 --batch-size 64 --epochs 1 "
      "--learning-rate 0.05 --mixup 0.8 --cutmix 1 --execution {}",
      execution);
  const std::string several = fmt::format("{} --processes {}", options, processes);
  const RunRecord first = run_of(several);
  EXPECT_EQ(difference(run_of(several), first), "");
  const RunRecord one = run_of(options);
  ASSERT_EQ(first.trajectory.size(), 1);
  ASSERT_EQ(one.trajectory.size(), 1);
  EXPECT_EQ(first.cost.steps, one.cost.steps);
  EXPECT_EQ(first.cost.training_flops, one.cost.training_flops);
  EXPECT_EQ(first.result->state.mask, one.result->state.mask);
  // An epoch of 5 steps: the bound that docs/clusters.md states.
  EXPECT_NEAR(first.trajectory[0].train_loss, one.trajectory[0].train_loss, 1e-4);
  double apart = 0;
  double size = 0;
  for (std::size_t l = 0; l < one.result->state.values.weights.size(); ++l) {
    for (std::size_t i = 0; i < one.result->state.values.weights[l].size(); ++i) {
      const double a = one.result->state.values.weights[l][i];
      const double b = first.result->state.values.weights[l][i];
      apart += (a - b) * (a - b);
      size += a * a;
    }
  }
  EXPECT_LT(std::sqrt(apart / size), 1e-4);
  RecordProperty("apart", fmt::format("{:.2e}", std::sqrt(apart / size)));
  EXPECT_NEAR(first.trajectory[0].validation_loss, one.trajectory[0].validation_loss, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Ways, SeveralProcesses,
                         ::testing::Values(Way{"sparse", 2}, Way{"sparse", 4}, Way{"dense", 2},
                                           Way{"device", 2}),
                         [](const auto& way) {
                           return fmt::format("{}{}", way.param.execution, way.param.processes);
                         });

TEST(Ranks, DropTheBranchesOfTheWholeBatch) {
  const std::string options =
      "--method dense --network vit6_small --width 6 --optimiser adamw --data-images 100 "
      "--data-test-images 50 --batch-size 32 --epochs 1 --mixup 1 --stochastic-depth ";
  const double alone = run_of(options + "0.5").trajectory.at(0).train_loss;
  EXPECT_NEAR(run_of(options + "0.5 --processes 2").trajectory.at(0).train_loss, alone, 1e-5);
  EXPECT_GT(std::abs(run_of(options + "0.4").trajectory.at(0).train_loss - alone), 1e-4);
}

TEST(Ranks, OneProcessIsTheSingleProcess) {
  EXPECT_EQ(difference(run_of(growth() + " --processes 1"), run_of(growth())), "");
}

TEST(Ranks, AreSentTheirSharesOfEncodedImages) {
  const TemporaryFolder pictures;
  testing::write_picture_folder(pictures.path());
  const std::string options = fmt::format(
      "--method dense --network resnet8 --width 4 --data imagenet --data-dir {} --image-edge 16 "
      "--batch-size 32 --epochs 1 --learning-rate 0.05 --execution device",
      pictures.path().string());
  const RunRecord first = run_of(options + " --processes 2");
  EXPECT_EQ(difference(run_of(options + " --processes 2"), first), "");
  const RunRecord one = run_of(options);
  ASSERT_EQ(first.trajectory.size(), 1);
  ASSERT_EQ(one.trajectory.size(), 1);
  EXPECT_NEAR(first.trajectory[0].train_loss, one.trajectory[0].train_loss, 1e-4);
  EXPECT_NEAR(first.result->test_loss, one.result->test_loss, 1e-3);
}

TEST(Ranks, NormsThatAreNotSynchronisedAreAnotherRun) {
  const std::string several = growth() + " --processes 2";
  const RunRecord together = run_of(several);
  const RunRecord apart = run_of(several + " --sync-norm off");
  EXPECT_NE(together.identity.hash, apart.identity.hash);
  EXPECT_EQ(together.identity.hash, run_of(growth()).identity.hash);
  EXPECT_NE(together.trajectory.back().train_loss, apart.trajectory.back().train_loss);
}

// ---- ends

/// Through memory that the ranks share (empty), and through the network although they are on one
/// host.
class Exchanges : public ::testing::TestWithParam<const char*> {
  const testing::Variable exchange_{"GCG_EXCHANGE", GetParam()};
};

INSTANTIATE_TEST_SUITE_P(By, Exchanges, ::testing::Values("", "network"), [](const auto& by) {
  return std::string(by.param).empty() ? "Memory" : "Network";
});

TEST_P(Exchanges, OneThatIsKilledEndsAllAndTheRunGoesOnWithTheSameBits) {
  const std::string options = growth(600) + " --processes 2 --checkpoint-seconds 0";
  const RunRecord expected = run_of(options);
  const TemporaryFolder out;
  const TemporaryFolder logs;
  const std::string arguments = fmt::format("{} --out {}", options, out.path().string());
  Program program(arguments, logs / "log");
  ASSERT_TRUE(wait_for_steps(out, 5)) << program.output();
  const pid_t victim = program.rank(1);
  ASSERT_GT(victim, 0);
  ::kill(victim, SIGKILL);
  EXPECT_EQ(program.wait(30), 1);
  EXPECT_THAT(program.output(), HasSubstr("rank 1 of 2: is gone"));
  const std::optional<RunSummary> summary = read_run_summary(only_folder(out));
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->status, RunStatus::failed);
  EXPECT_THAT(summary->failure, HasSubstr("rank 1 of 2"));
  const Outcome outcome = shell(fmt::format("{} {}", GCG_RUN_PROGRAM, arguments));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("resumed"));
  EXPECT_EQ(difference(read_run_file(only_folder(out) / kRunFileName), expected), "");
}

TEST(Ranks, RankZeroThatIsKilledEndsTheOthers) {
  const TemporaryFolder out;
  const TemporaryFolder logs;
  Program program(fmt::format("{} --processes 2 --checkpoint-seconds 0 --out {}", growth(600),
                              out.path().string()),
                  logs / "log");
  ASSERT_TRUE(wait_for_steps(out, 2)) << program.output();
  ::kill(program.rank(0), SIGKILL);
  EXPECT_EQ(program.wait(30), 1);
  EXPECT_THAT(program.output(), HasSubstr("rank 0 was ended by signal 9"));
}

TEST_P(Exchanges, OneThatHangsEndsAll) {
  const TemporaryFolder out;
  const TemporaryFolder logs;
  Program program(fmt::format("{} --processes 2 --checkpoint-seconds 0 --rank-seconds 3 --out {}",
                              growth(1500), out.path().string()),
                  logs / "log");
  ASSERT_TRUE(wait_for_steps(out, 2)) << program.output();
  ::kill(program.rank(1), SIGSTOP);
  EXPECT_EQ(program.wait(45), 1) << program.output();
  // Where it stops in the middle of a call to the store nobody can ask who it was.
  EXPECT_THAT(program.output(),
              AnyOf(HasSubstr("rank 1 of 2: is gone, or has not answered for 3 s"),
                    HasSubstr("one of them stopped in the middle of a call")));
  EXPECT_THAT(program.output(), HasSubstr("rank 1 did not end and was killed"));
  EXPECT_EQ(read_run_summary(only_folder(out))->status, RunStatus::failed);
}

TEST(Ranks, StoppedTheyGoOnInAnotherNumberAndSaySo) {
  const TemporaryFolder out;
  const TemporaryFolder logs;
  const std::string options = fmt::format("{} --out {}", growth(1500), out.path().string());
  Program program(options + " --processes 2", logs / "log");
  ASSERT_TRUE([&] {
    for (const double limit = now_seconds() + 60; now_seconds() < limit; ::usleep(20000)) {
      if (program.output().find("stage 0") != std::string::npos) {
        return true;
      }
    }
    return false;
  }()) << program.output();
  const double start = now_seconds();
  ::kill(program.process(), SIGTERM);
  EXPECT_EQ(program.wait(30), kContinue) << program.output();
  RecordProperty("seconds", fmt::format("{:.2f}", now_seconds() - start));
  EXPECT_EQ(read_run_summary(only_folder(out))->status, RunStatus::running);
  const Outcome outcome = shell(fmt::format("{} {}", GCG_RUN_PROGRAM, options));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("resumed with another number of processes (1, before: 2)"));
}

TEST(Ranks, ASignalToOneStopsAll) {
  const TemporaryFolder out;
  const TemporaryFolder logs;
  Program program(fmt::format("{} --processes 2 --checkpoint-seconds 0 --out {}", growth(1500),
                              out.path().string()),
                  logs / "log");
  ASSERT_TRUE(wait_for_steps(out, 2)) << program.output();
  ::kill(program.rank(1), SIGUSR1);
  EXPECT_EQ(program.wait(30), kContinue) << program.output();
  EXPECT_THAT(program.output(), HasSubstr("another process of the run was stopped"));
  EXPECT_EQ(read_run_summary(only_folder(out))->status, RunStatus::running);
}

// ---- starts of other launchers

std::uint16_t free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(listener);
  return ntohs(address.sin_port);
}

/// Two ranks as srun starts them, with options of their own.
Outcome as_by_srun(const std::string& common, const std::string& first, const std::string& second,
                   const std::string& second_program = GCG_RUN_PROGRAM) {
  const auto rank = [&, port = free_port()](int number, const std::string& own,
                                            const std::string& program) {
    return fmt::format(
        "env MASTER_PORT={} SLURM_PROCID={} SLURM_NTASKS=2 SLURM_LOCALID={} SLURM_STEP_NUM_NODES=1 "
        "SLURM_JOB_ID=1 {} --world auto {} {}",
        port, number, number, program, common, own);
  };
  return shell(fmt::format("{{ {} & P=$!; {}; S=$?; wait $P; exit $(( S > $? ? S : $? )); }}",
                           rank(0, first, GCG_RUN_PROGRAM), rank(1, second, second_program)));
}

TEST(Ranks, StartedBySrunTheyHaveTheSameBitsThroughTheNetworkToo) {
  const RunRecord expected = run_of(growth() + " --processes 2");
  for (const char* exchange : {"", "network"}) {
    const testing::Variable by("GCG_EXCHANGE", exchange);
    const TemporaryFolder out;
    const Outcome outcome =
        as_by_srun(fmt::format("{} --out {}", growth(), out.path().string()), "", "");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    EXPECT_EQ(difference(read_run_file(only_folder(out) / kRunFileName), expected), "");
  }
}

TEST(Ranks, StartedByMpirunTheyHaveTheSameBits) {
  if (shell("mpirun --version").status != 0) {
    GTEST_SKIP() << "mpirun is not installed (package openmpi-bin)";
  }
  const TemporaryFolder out;
  const Outcome outcome =
      shell(fmt::format("env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun "
                        "--oversubscribe -n 2 {} --world auto {} --out {}",
                        GCG_RUN_PROGRAM, growth(), out.path().string()));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(difference(read_run_file(only_folder(out) / kRunFileName),
                       run_of(growth() + " --processes 2")),
            "");
}

TEST(Ranks, OtherOptionsOfOneAreRefused) {
  const TemporaryFolder out;
  const Outcome outcome = as_by_srun(fmt::format("{} --out {}", growth(), out.path().string()),
                                     "--learning-rate 0.1", "--learning-rate 0.2");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("rank 1: --learning-rate is 0.2, on rank 0 0.1"));
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
}

TEST(Ranks, AnotherProgramOfOneIsRefused) {
  const TemporaryFolder out;
  const TemporaryFolder programs;
  const std::filesystem::path other = programs / "gcg_run";
  const std::filesystem::path goes_on = programs / "gcg_run_libtorch";
  std::filesystem::copy_file(GCG_RUN_PROGRAM, other);
  std::filesystem::copy_file(GCG_RUN_PROGRAM "_libtorch", goes_on);
  std::ofstream(goes_on, std::ios::app) << "another build";
  const Outcome outcome =
      as_by_srun(fmt::format("{} --out {}", growth(), out.path().string()), "", "", other.string());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("rank 1: the program is "));
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
}

TEST(Ranks, OtherDataOfOneAreRefused) {
  const TemporaryFolder out;
  const TemporaryFolder data;
  for (const std::string name : {"a", "b"}) {
    const std::filesystem::path folder = data / name;
    std::filesystem::create_directory(folder);
    for (const char* file : {"data_batch_1.bin", "test_batch.bin"}) {
      std::ofstream images(folder / file);
      for (char label = 0; label < 100; ++label) {
        images << std::string(1, static_cast<char>(label % 10)) << std::string(3072, name[0]);
      }
    }
  }
  const Outcome outcome =
      as_by_srun(fmt::format("--data cifar10 --width 4 --batch-size 16 --epochs 1 --out {}",
                             out.path().string()),
                 fmt::format("--data-dir {}", (data / "a").string()),
                 fmt::format("--data-dir {}", (data / "b").string()));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.output, HasSubstr("rank 1: the digest of the data is "));
}

TEST(Ranks, WhatCannotBeSharedOutIsAUsageError) {
  for (const auto& [arguments, text] : std::vector<std::pair<std::string, std::string>>{
           {"--processes 2 --batch-size 3", "too small to be shared out over 2"},
           {"--processes 2 --threads 3", "cannot be shared out evenly"},
           {"--sync-norm off", "there is one process"},
           {"--processes 2 --network lenet5 --sync-norm off", "no batch normalisation"},
           {"--processes 0", "processes"},
           {"--world auto", "no srun, mpirun or torchrun"},
           {"--world two", "is not auto"},
           {"--processes 2 --estimate", "measures one process"}}) {
    SCOPED_TRACE(arguments);
    const TemporaryFolder out;
    const Outcome outcome = shell(fmt::format("env -u SLURM_PROCID {} {} --out {}", GCG_RUN_PROGRAM,
                                              arguments, out.path().string()));
    EXPECT_EQ(outcome.status, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  }
}

}  // namespace
}  // namespace gcg
