#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/executor.h"
#include "record/run_record.h"
#include "study/run_plan.h"

namespace gcg {

/// A backend at work: what runs the network, and what the record says of it.
struct MadeBackend {
  std::unique_ptr<Executor> executor;
  ExecutionFacts facts;
  std::vector<Library> libraries;
  std::string warning;  ///< what of this machine makes it slow, for people; empty if all is well
};

/// How a row of backend_table() is made; a test holds that every row has its maker in a program
/// with LibTorch. Without it there is that of sparse execution alone (libtorch.h).
struct BackendMaker {
  std::string_view name;
  MadeBackend (*make)(const RunSettings& settings, const Network& network);
};
std::span<const BackendMaker> backend_makers();
MadeBackend make_sparse(const RunSettings& settings, const Network& network);

/// Makes the backend that the settings come to.
MadeBackend make_backend(const RunSettings& settings, const Network& network);

}  // namespace gcg
