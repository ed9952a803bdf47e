#include "study/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/hash.h"

namespace gcg {

std::vector<std::size_t> order_of_worker(const std::vector<Job>& jobs, std::string_view worker) {
  std::vector<bool> is_waited_for(jobs.size());
  for (const Job& job : jobs) {
    for (const std::size_t index : job.after) {
      is_waited_for.at(index) = true;
    }
  }
  std::vector<std::size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Clang 14 cannot compile what std::ranges::stable_partition returns.
  const auto others = std::stable_partition(order.begin(), order.end(),
                                            [&](std::size_t j) { return is_waited_for[j]; });
  const Digest digest = sha256(worker);
  const std::size_t turn = digest[0] * std::size_t{256} + digest[1];
  const auto rotate = [turn](auto begin, auto end) {
    if (begin != end) {
      std::rotate(begin,
                  begin + static_cast<std::ptrdiff_t>(turn % static_cast<std::size_t>(end - begin)),
                  end);
    }
  };
  rotate(order.begin(), others);
  rotate(others, order.end());
  return order;
}

JobQueue::JobQueue(const std::vector<Job>& jobs, std::function<JobFound(std::size_t)> look,
                   std::function<double()> now, std::vector<std::size_t> order)
    : jobs_(jobs),
      look_(std::move(look)),
      now_(std::move(now)),
      order_(std::move(order)),
      states_(jobs.size(), JobState::waiting),
      reasons_(jobs.size()),
      looked_(jobs.size(), 0) {
  if (order_.empty()) {
    order_.resize(jobs.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }
  for (const Job& job : jobs) {
    if (std::ranges::any_of(job.after, [&](std::size_t index) { return index >= jobs.size(); })) {
      throw Error(job.name, "waits for a job that is not there");
    }
  }
}

std::optional<std::size_t> JobQueue::ready() {
  std::optional<std::size_t> job = first_free();
  if (!job) {
    look_again();
    // What is found done may free what was passed before, and that may be done as well.
    for (std::vector<JobState> before; !job && before != states_;) {
      before = states_;
      job = first_free();
    }
  }
  return job;
}

std::optional<std::size_t> JobQueue::first_free() {
  for (const std::size_t j : order_) {
    const bool may_start = states_[j] == JobState::waiting &&
                           std::ranges::all_of(jobs_[j].after, [&](std::size_t index) {
                             return states_[index] == JobState::done;
                           });
    if (may_start && look_at(j) == JobState::waiting) {
      return j;
    }
  }
  while (fail_waiting()) {
  }
  return std::nullopt;
}

void JobQueue::start(std::size_t job) { states_[job] = JobState::running; }

void JobQueue::ended(std::size_t job, JobState state, std::string reason) {
  states_[job] = state;
  reasons_[job] = std::move(reason);
  looked_[job] = now_();
}

bool JobQueue::over() const {
  return std::ranges::all_of(
      states_, [](JobState state) { return state == JobState::done || state == JobState::failed; });
}

bool JobQueue::in_other_hands() const {
  return !over() && std::ranges::none_of(states_, [](JobState state) {
    return state == JobState::waiting || state == JobState::running;
  });
}

void JobQueue::look_again() {
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    if (states_[j] == JobState::elsewhere && now_() - looked_[j] >= kLookAgain) {
      look_at(j);
    }
  }
}

JobState JobQueue::look_at(std::size_t job) {
  JobFound found = JobFound::failed;
  try {
    found = look_(job);
  } catch (const std::runtime_error& error) {
    reasons_[job] = error.what();
  }
  switch (found) {
    case JobFound::open:
      states_[job] = JobState::waiting;
      break;
    case JobFound::busy:
      states_[job] = JobState::elsewhere;
      break;
    case JobFound::done:
      states_[job] = JobState::done;
      break;
    case JobFound::failed:
      states_[job] = JobState::failed;
      break;
  }
  looked_[job] = now_();
  return states_[job];
}

bool JobQueue::fail_waiting() {
  bool any = false;
  for (std::size_t j = 0; j < jobs_.size(); ++j) {
    const auto failed = std::ranges::find_if(
        jobs_[j].after, [&](std::size_t index) { return states_[index] == JobState::failed; });
    if (states_[j] == JobState::waiting && failed != jobs_[j].after.end()) {
      states_[j] = JobState::failed;
      reasons_[j] = fmt::format("not started: it waits for {}, which failed", jobs_[*failed].name);
      std::error_code ignored;  // nobody has looked at it: its folder may not be there yet
      std::filesystem::create_directories(jobs_[j].log.parent_path(), ignored);
      std::ofstream(jobs_[j].log, std::ios::app) << reasons_[j] << "\n";
      any = true;
    }
  }
  return any;
}

}  // namespace gcg
