#include "study/slurm.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "study/process.h"

namespace gcg {

namespace fs = std::filesystem;

namespace {

/// Seconds before its end at which Slurm tells a worker, which needs a few of them.
constexpr int kNoticeSeconds = 120;

std::string text_of(const std::vector<std::string>& command, std::string_view remedy) {
  const ProgramAnswer answer = answer_of(command);
  if (answer.status != 0) {
    throw Error(command.front(), fmt::format("ended with status {}", answer.status),
                answer.status == 127 ? "Slurm's programs are not here: run this where they are, or "
                                       "start workers with --work by other means"
                                     : remedy);
  }
  return answer.text;
}

fs::path jobs_file(const SlurmStudy& study) { return study.files.string() + ".jobs"; }

void line_of(std::string& script, std::string_view option, const std::string& value) {
  if (!value.empty()) {
    script += fmt::format("#SBATCH --{}={}\n", option, value);
  }
}

std::string count_of(std::int64_t count) { return count > 0 ? fmt::format("{}", count) : ""; }

}  // namespace

void check_slurm_request(const SlurmRequest& request) {
  const auto within = [](const char* option, std::int64_t value, std::int64_t least) {
    if (value < least) {
      throw UsageError(option, fmt::format("{} is below {}", value, least));
    }
  };
  within("--workers", request.workers, 1);
  within("--gpus-per-worker", request.gpus, 0);
  within("--cpus", request.cpus, 0);
  for (const auto& [option, value] :
       std::map<const char*, std::string>{{"--partition", request.partition},
                                          {"--account", request.account},
                                          {"--memory", request.memory},
                                          {"--time", request.time}}) {
    if (value.find_first_of(" \t\n\"'\\$`") != std::string::npos) {
      throw UsageError(option, fmt::format("\"{}\" is not a word for Slurm", value));
    }
  }
}

std::string batch_script(const SlurmStudy& study, const SlurmRequest& request) {
  const std::string log = fs::absolute(study.files).lexically_normal().string() + ".%a.log";
  std::string script = fmt::format(
      "#!/bin/bash\n"
      "# {} equal workers: each takes runs that nobody has, until none is left.\n",
      request.workers);
  line_of(script, "job-name", study.name);
  line_of(script, "array", fmt::format("1-{}", request.workers));
  line_of(script, "ntasks", "1");
  line_of(script, "cpus-per-task", count_of(request.cpus));
  line_of(script, "gres", request.gpus > 0 ? fmt::format("gpu:{}", request.gpus) : "");
  line_of(script, "mem", request.memory);
  line_of(script, "time", request.time);
  line_of(script, "partition", request.partition);
  line_of(script, "account", request.account);
  script += fmt::format(
      "{}#SBATCH --requeue\n"
      "#SBATCH --signal=B:USR1@{}\n"
      "#SBATCH --open-mode=append\n"
      "#SBATCH --output=\"{}\"\n"
      "#SBATCH --chdir=\"{}\"\n"
      "\n"
      "# Slurm signals this script, not what it starts. USR1: the time is nearly over.\n"
      "trap 'time_over=1; kill -USR1 $worker' USR1\n"
      "trap 'kill -TERM $worker' TERM\n"
      "{} &\n"
      "worker=$!\n"
      "while wait $worker; status=$?; kill -0 $worker 2>/dev/null; do :; done\n"
      "# {}: there is more to do. Where Slurm itself ends the worker, it also decides what "
      "follows.\n"
      "if [ $status = {} ] && [ -n \"$time_over\" ]; then\n"
      "  exec scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\"\n"
      "fi\n"
      "exit $status\n",
      study.exclusive ? "#SBATCH --exclusive\n" : "", kNoticeSeconds, log,
      fs::current_path().string(), shell_line(study.worker), kContinueStatus, kContinueStatus);
  return script;
}

fs::path write_batch_script(const SlurmStudy& study, const SlurmRequest& request) {
  fs::path script = study.files.string() + ".sh";
  make_writable_folder(script.parent_path());
  write_file_atomically(script, batch_script(study, request));
  return script;
}

std::string submit(const SlurmStudy& study, const fs::path& script) {
  const std::string answer = text_of({"sbatch", "--parsable", script.string()},
                                     "its own message above says what it refuses");
  // "12", or "12;cluster"
  std::string job = answer.substr(0, answer.find_first_of(";\n"));
  if (job.empty() || job.find_first_not_of("0123456789") != std::string::npos) {
    throw Error("sbatch", fmt::format("answered \"{}\", which is not a job number", answer));
  }
  std::ofstream file(jobs_file(study), std::ios::app);
  if (!(file << job << "\n" << std::flush)) {
    throw Error(jobs_file(study).string(),
                fmt::format("cannot be written; it should say that job {} was submitted", job),
                "take it out of the queue (scancel), make room for the file and submit again");
  }
  return job;
}

std::vector<std::string> submitted_jobs(const SlurmStudy& study) {
  std::vector<std::string> jobs;
  std::ifstream file(jobs_file(study));
  for (std::string job; file >> job;) {
    jobs.push_back(job);
  }
  return jobs;
}

std::vector<QueuedTask> read_queue(std::string_view answer, const std::vector<std::string>& jobs) {
  std::vector<QueuedTask> tasks;
  std::istringstream lines{std::string(answer)};
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, '|');) {
      fields.push_back(part);
    }
    fields.resize(std::max<std::size_t>(fields.size(), 5));
    if (fields.size() > 5 || fields[0].empty() || fields[2].empty()) {
      throw Error("squeue", fmt::format("answered \"{}\"", line));
    }
    if (std::ranges::find(jobs, fields[0]) != jobs.end()) {
      tasks.push_back({fields[1], fields[2], fields[3], fields[4]});
    }
  }
  return tasks;
}

std::vector<QueuedTask> queued_tasks(const SlurmStudy& study) {
  const std::vector<std::string> jobs = submitted_jobs(study);
  if (jobs.empty()) {
    return {};
  }
  return read_queue(text_of({"squeue", "--noheader", "--array", "--name=" + study.name,
                             "--format=%F|%i|%T|%N|%r"},
                            "its own message above says why"),
                    jobs);
}

std::string queue_text(const std::vector<QueuedTask>& tasks) {
  std::map<std::string, std::vector<std::string>> by_state;
  for (const QueuedTask& task : tasks) {
    std::string state = task.state;
    std::ranges::transform(state, state.begin(), [](char c) {
      return static_cast<char>(c | ('A' <= c && c <= 'Z' ? 32 : 0));
    });
    by_state[state].push_back(task.node.empty() ? fmt::format("{}: {}", task.task, task.reason)
                                                : fmt::format("{} on {}", task.task, task.node));
  }
  std::string text;
  for (const auto& [state, members] : by_state) {
    text += fmt::format("{}{} {} ({})", text.empty() ? "in Slurm's queue: " : ", ", members.size(),
                        state, fmt::join(members, ", "));
  }
  return text;
}

void cancel(const std::vector<QueuedTask>& tasks) {
  std::set<std::string> jobs;
  for (const QueuedTask& task : tasks) {
    jobs.insert(task.task.substr(0, task.task.find('_')));
  }
  std::vector<std::string> command{"scancel"};
  command.insert(command.end(), jobs.begin(), jobs.end());
  (void)text_of(command, "its own message above says why");
}

}  // namespace gcg
