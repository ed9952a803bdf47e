// 10,000 runs over 256 workers that die, fall silent and are stopped: the real queue and the real
// leases, on real files; only time, and what a run computes, are made up.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <queue>

#include "base/lease.h"
#include "base/random.h"
#include "base/temporary_folder.h"
#include "study/queue.h"

namespace gcg {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRuns = 10000;
constexpr std::size_t kTrunks = 1000;  // the first ones; each of the rest waits for one of them
constexpr std::size_t kWorkers = 256;
constexpr double kRunSeconds = 120;             // on average
constexpr double kReplacement = 30;             // until a worker that ended is followed by another
constexpr double kSilence = 2 * kLeaseSeconds;  // of one that is paused

/// What is to come, in the order of its time.
struct Event {
  double time = 0;
  std::size_t worker = 0;
  std::int64_t life = 0;        ///< of the worker: what belongs to an earlier one is void
  std::int64_t job_number = 0;  ///< of a sign of life: what belongs to an earlier job is void
  bool beat = false;            ///< else the worker is free, or its run ends
  bool operator>(const Event& other) const { return time > other.time; }
};

struct Worker {
  std::int64_t life = 0;
  double born = 0;
  std::unique_ptr<JobQueue> queue;
  Owner owner{};
  std::optional<std::size_t> job{};
  std::int64_t job_number = 0;
  Lease lease{};
  double begun = 0;  ///< the job's computing, or its end if that is fate's
  double until = 0;  ///< when the job is over or the worker ends
  double silent_until = 0;
  bool dies = false, is_stopped = false;
  double others_since = 0;
};

class Simulation {
 public:
  Simulation() {
    for (std::size_t j = 0; j < kRuns; ++j) {
      jobs_.push_back({"", {}, "/dev/null", {}});
      if (j >= kTrunks) {
        jobs_.back().after.push_back(j % kTrunks);
      }
      left_.push_back(kRunSeconds * (0.5 + random_.uniform()));
      finished_.push_back(0);
      finished_at_.push_back(std::numeric_limits<double>::infinity());
      done_files_.push_back((folder_of(j) / "done").string());
      at_work_.push_back(0);
      fs::create_directory(folder_of(j));
    }
    for (std::size_t w = 0; w < kWorkers; ++w) {
      begin(w);
    }
  }

  void run() {
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;
      Worker& worker = workers_[event.worker];
      if (event.life != worker.life) {
        continue;
      }
      event.beat ? beat(worker, event) : step(worker, event);
    }
  }

  std::size_t looks = 0, takes = 0, beats = 0, deaths = 0, silences = 0, stops = 0, followed = 0;
  std::size_t doubled = 0;
  [[nodiscard]] double seconds() const { return now_; }
  [[nodiscard]] const std::vector<int>& finished() const { return finished_; }
  [[nodiscard]] fs::path folder_of(std::size_t j) const {
    return folder_.path() / std::to_string(j);
  }

 private:
  void begin(std::size_t w) {
    Worker& worker = workers_[w];
    ++worker.life;
    worker.born = now_;
    worker.job.reset();
    worker.silent_until = 0;
    worker.others_since = now_;
    const std::string name = fmt::format("host{}-{}", w, worker.life);
    worker.owner = {name, "system-of-" + name, 1, 1, ""};
    worker.queue = std::make_unique<JobQueue>(
        jobs_, [this, &worker](std::size_t j) { return look(worker, j); }, [this] { return now_; },
        order_of_worker(jobs_, name));
    events_.push({now_, w, worker.life, 0, false});
  }

  JobFound look(const Worker& worker, std::size_t j) {
    ++looks;
    // What is over when a worker begins it finds as it plans, by its status file; the rest here.
    if (finished_at_[j] < worker.born || ::access(done_files_[j].c_str(), F_OK) == 0) {
      return JobFound::done;
    }
    return lease_owner(folder_of(j), worker.owner, clock_) ? JobFound::busy : JobFound::open;
  }

  /// The worker is free, or comes to the end of its job, or to its own.
  void step(Worker& worker, const Event& event) {
    if (worker.job) {
      const bool ended = worker.dies || worker.is_stopped;
      end_job(worker);
      if (ended) {
        now_ += kReplacement;
        begin(event.worker);
        return;
      }
    }
    const std::optional<std::size_t> job = worker.queue->ready();
    if (!job) {
      if (!worker.queue->in_other_hands()) {
        worker.others_since = now_;
      }
      if (worker.queue->over() || now_ - worker.others_since > kLeaseSeconds) {
        return;  // leaves
      }
      events_.push({now_ + kLookAgain, event.worker, worker.life, 0, false});
      return;
    }
    worker.others_since = now_;
    ++takes;
    const std::optional<Lease> lease = take_lease(folder_of(*job), worker.owner, clock_);
    if (!lease || fs::exists(folder_of(*job) / "done")) {
      if (lease) {
        give_back(*lease);
      }
      worker.queue->ended(*job, JobState::elsewhere);
      events_.push({now_ + 1, event.worker, worker.life, 0, false});
      return;
    }
    followed += lease->number > 1 ? 1 : 0;
    begin_job(worker, event.worker, *job, *lease);
  }

  void begin_job(Worker& worker, std::size_t w, std::size_t job, const Lease& lease) {
    worker.queue->start(job);
    ++worker.job_number;
    worker.job = job;
    worker.lease = lease;
    worker.begun = now_;
    worker.until = now_ + left_[job];
    const double fate = random_.uniform();
    worker.dies = fate < 0.02;
    worker.is_stopped = fate >= 0.02 && fate < 0.04;
    worker.silent_until = 0;
    if (worker.dies || worker.is_stopped) {
      worker.until = now_ + left_[job] * random_.uniform();
    } else if (fate < 0.05) {
      // Paused by its host: silent, then it goes on as if nothing had been.
      ++silences;
      worker.silent_until = now_ + kSilence;
      worker.until += kSilence;
      at_work_[job] -= 1;  // computes nothing meanwhile
    }
    doubled += ++at_work_[job] > 1 ? 1 : 0;
    events_.push({worker.until, w, worker.life, 0, false});
    events_.push({now_ + kBeatSeconds, w, worker.life, worker.job_number, true});
  }

  void end_job(Worker& worker) {
    const std::size_t job = *worker.job;
    worker.job.reset();
    at_work_[job] -= 1;
    if (worker.dies) {
      ++deaths;
      left_[job] -= 0.9 * (now_ - worker.begun);  // since its last checkpoint all is lost
      return;                                     // and its lease stays
    }
    if (worker.is_stopped) {
      ++stops;
      left_[job] -= now_ - worker.begun;
      worker.queue->ended(job, JobState::waiting);
    } else {
      ++finished_[job];
      finished_at_[job] = now_;
      std::ofstream(folder_of(job) / "done");
      worker.queue->ended(job, JobState::done);
    }
    give_back(worker.lease);
  }

  void beat(Worker& worker, const Event& event) {
    if (!worker.job || event.job_number != worker.job_number) {
      return;
    }
    if (now_ < worker.silent_until) {
      events_.push({worker.silent_until, event.worker, worker.life, worker.job_number, true});
      return;
    }
    ++beats;
    const bool was_silent = worker.silent_until > 0;
    worker.silent_until = 0;
    if (!renew(worker.lease, clock_)) {
      // Another one has followed: nothing is written, and this worker's process ends.
      worker.job.reset();
      now_ += kReplacement;
      begin(event.worker);
      return;
    }
    if (was_silent) {
      doubled += ++at_work_[*worker.job] > 1 ? 1 : 0;
    }
    events_.push({now_ + kBeatSeconds, event.worker, worker.life, worker.job_number, true});
  }

  testing::TemporaryFolder folder_;
  RandomStream random_{20261129, "simulation"};
  double now_ = 1e6;
  LeaseClock clock_{
      [this](const fs::path&) { return now_; },
      [this](const fs::path& file) {
        const auto whole = static_cast<time_t>(now_);
        const auto rest = static_cast<long>(1e9 * (now_ - static_cast<double>(whole)));
        const std::array<timespec, 2> times{timespec{whole, rest}, timespec{whole, rest}};
        ::utimensat(AT_FDCWD, file.c_str(), times.data(), 0);
      }};
  std::vector<Job> jobs_;
  std::vector<double> left_;   ///< seconds of computing, by job
  std::vector<int> finished_;  ///< how often, by job
  std::vector<double> finished_at_;
  std::vector<std::string> done_files_;
  std::vector<int> at_work_;  ///< workers that compute it now, by job
  std::array<Worker, kWorkers> workers_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

TEST(Simulation, TenThousandRunsOver256WorkersThatFailAreEachComputedOnce) {
  // In memory where there is such a place: every lease is flushed to disk.
  if (::access("/dev/shm", W_OK) == 0) {
    ::setenv("TEST_TMPDIR", "/dev/shm", 1);
  }
  Simulation simulation;
  ::unsetenv("TEST_TMPDIR");
  const double begin = simulation.seconds();
  simulation.run();
  const double seconds = simulation.seconds() - begin;
  EXPECT_EQ(simulation.finished(), std::vector<int>(kRuns, 1));
  EXPECT_EQ(simulation.doubled, 0U);
  EXPECT_GT(simulation.deaths, 100U);
  EXPECT_GT(simulation.stops, 100U);
  EXPECT_GT(simulation.silences, 50U);
  EXPECT_GT(simulation.followed, 100U);
  for (std::size_t j = 0; j < kRuns; ++j) {
    for (const auto& entry : fs::directory_iterator(simulation.folder_of(j))) {
      EXPECT_EQ(entry.path().filename(), "done");
    }
  }
  const auto rate = [&](std::size_t count) { return static_cast<double>(count) / seconds; };
  fmt::print(
      "{:.1f} h; a second: {:.1f} looks, {:.2f} takes, {:.1f} signs of life; {} deaths, {} "
      "silences, "
      "{} stops\n",
      seconds / 3600, rate(simulation.looks), rate(simulation.takes), rate(simulation.beats),
      simulation.deaths, simulation.silences, simulation.stops);
  // Every worker, also one that follows another, looks at every run once, and a little more.
  const std::size_t workers = kWorkers + simulation.deaths + simulation.stops + simulation.silences;
  EXPECT_LT(simulation.looks, kRuns * workers * 11 / 10);
  EXPECT_LT(simulation.takes, kRuns * 12 / 10);
}

}  // namespace
}  // namespace gcg
