#include "run/backends.h"

#include <fmt/format.h>

#include "base/lookup.h"
#include "sparse/kernels.h"
#include "sparse/layer.h"
#include "sparse/sparse_executor.h"
#include "sparse/tiles.h"

namespace gcg {

namespace {

/// The processor's tiles, or, where they were asked for without them, plain ones.
sparse::TileChoice tiles_of(const RunSettings& settings) {
  if (kernels_used(settings) != "tiles") {
    return {};
  }
  const sparse::TileKernels* const amx = sparse::amx_tiles();
  return {amx != nullptr ? amx : &sparse::plain_tiles(), sparse::kTilesFrom};
}

}  // namespace

MadeBackend make_sparse(const RunSettings& settings, const Network& network) {
  const sparse::Kernels& kernels = sparse::fastest_kernels();
  const sparse::TileChoice tiles = tiles_of(settings);
  MadeBackend made;
  made.executor = make_sparse_executor(network, threads_of_a_process(settings), kernels,
                                       precision_named(settings.precision), tiles);
  made.facts.kernels = kernels.name;
  made.facts.fused = kernels.fused;
  made.facts.rule = fmt::format("as if it had all its weights from a density of {} of the layer on",
                                sparse::kRunsAllFrom);
  if (tiles.kernels != nullptr) {
    made.facts.kernels += fmt::format(", {}", tiles.kernels->name);
    made.facts.rule = fmt::format(
        "convolutions between tensors in bf16 by masked dense tiles from a density of {} of the "
        "layer on; others {}",
        tiles.from, made.facts.rule);
    if (tiles.kernels == &sparse::plain_tiles()) {
      made.warning = fmt::format("--kernels tiles: {}; they are computed without it, slowly",
                                 amx_facts().reason);
    }
  } else if (settings.precision == "bf16" && settings.kernels == "auto") {
    made.facts.rule += fmt::format("; no tiles: {}", amx_facts().reason);
  }
  return made;
}

MadeBackend make_backend(const RunSettings& settings, const Network& network) {
  const Backend& backend = backend_used(settings);
  MadeBackend made =
      find_row(backend_makers(), backend.name, "--execution").make(settings, network);
  made.facts.asked = settings.execution;
  made.facts.used = backend.name;
  made.facts.device = settings.device;
  made.facts.precision = request_of(settings).precision;
  return made;
}

}  // namespace gcg
