#include "backend/check_batch.h"

#include <fmt/format.h>

#include <string>

#include "backend/ranks.h"
#include "base/error.h"

namespace gcg {

void check_batch(const Network& network, std::string_view call, const Batch& batch, bool training,
                 bool holds) {
  const auto fail = [&](const std::string& problem, std::string_view remedy = {}) {
    throw Error(fmt::format("{}: {}", network.name, call), problem, remedy);
  };
  if (batch.size() == 0) {
    fail("the batch is empty");
  }
  const std::int64_t values = batch.size() * network.input_shape().elements();
  const bool placed =
      holds && batch.images.empty() && batch.placements.size() == batch.labels.size();
  std::int64_t given = std::ssize(batch.images);
  if (placed) {
    given = batch.bytes.pixels.empty() ? values : std::ssize(batch.bytes.pixels);
  }
  if (given != values) {
    fail(fmt::format("{} labels need {} values of images, not {}", batch.size(), values, given));
  }
  if (!(batch.label_smoothing >= 0 && batch.label_smoothing < 1)) {
    fail(fmt::format("a label smoothing of {} is not in [0, 1)", batch.label_smoothing));
  }
  const auto check_labels = [&](std::span<const std::int32_t> labels, const char* what) {
    for (std::size_t s = 0; s < labels.size(); ++s) {
      if (labels[s] < 0 || labels[s] >= network.classes()) {
        fail(fmt::format("{} {} of sample {} is not in [0, {})", what, labels[s], s,
                         network.classes()));
      }
    }
  };
  check_labels(batch.labels, "label");
  check_labels(batch.second_labels, "second label");
  if (!batch.second_labels.empty() && batch.second_labels.size() != batch.labels.size()) {
    fail(fmt::format("{} second labels for {} samples", batch.second_labels.size(), batch.size()));
  }
  if (!(batch.second_share >= 0 && batch.second_share <= 1)) {
    fail(fmt::format("a share of {} of second labels is not in [0, 1]", batch.second_share));
  }
  if (!batch.branch_factors.empty() &&
      std::ssize(batch.branch_factors) != network.drop_count * batch.size()) {
    fail(fmt::format("{} factors of branches for {} samples and {} drop_path nodes",
                     batch.branch_factors.size(), batch.size(), network.drop_count));
  }
  for (const Node& node : network.nodes) {
    if (training && node.operation == Operation::batch_norm &&
        batch.size() * node.shape.positions() < 2) {
      fail(fmt::format("the batch is one image, and {} then has a single value per channel, which "
                       "has no variance",
                       node.name),
           "choose a batch size that does not leave one image over at the end of an epoch");
    }
  }
}

void check_share(const Network& network, std::string_view call, const Batch& batch,
                 const Ranks* ranks) {
  if (batch.of > 0 && (ranks == nullptr ||
                       share_of(batch.of, ranks->rank(), ranks->size()).size() != batch.size())) {
    throw Error(fmt::format("{}: {}", network.name, call),
                fmt::format("{} samples are no share of {} for the ranks that were joined",
                            batch.size(), batch.of));
  }
}

void check_room(const Network& network, std::string_view call, const Batch& batch,
                const PerSample& each) {
  for (const std::int64_t room : {std::ssize(each.classes), std::ssize(each.losses)}) {
    if (room != 0 && room != batch.size()) {
      throw Error(fmt::format("{}: {}", network.name, call),
                  fmt::format("room for {} samples, the batch has {}", room, batch.size()));
    }
  }
}

}  // namespace gcg
