#include "data/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace gcg {

namespace {

/// New label of every class, -1 for those that leave.
std::vector<std::int32_t> new_labels(std::int64_t classes, std::int64_t kept, std::uint64_t seed) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(classes));
  std::iota(order.begin(), order.end(), 0);
  RandomStream(seed, "class-subset").shuffle(std::span(order));
  order.resize(static_cast<std::size_t>(kept));
  std::sort(order.begin(), order.end());
  std::vector<std::int32_t> labels(static_cast<std::size_t>(classes), -1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    labels[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
  }
  return labels;
}

ImageSet keep_classes(const ImageSet& images, const std::vector<std::int32_t>& labels) {
  ImageSet kept;
  kept.shape = images.shape;
  const std::span<const std::uint8_t> pixels = images.raw_pixels();
  const auto elements = static_cast<std::size_t>(images.shape.elements());
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const std::int32_t label = labels.at(static_cast<std::size_t>(images.labels[i]));
    if (label >= 0) {
      const auto image = pixels.subspan(i * elements, elements);
      kept.pixels.insert(kept.pixels.end(), image.begin(), image.end());
      kept.labels.push_back(label);
    }
  }
  return kept;
}

void keep_classes(DataSet& data, std::int64_t kept, std::uint64_t seed) {
  if (kept < 2 || kept > data.classes) {
    throw Error("--class-subset", fmt::format("{} of {} classes", kept, data.classes),
                fmt::format("choose 2 to {}, or 0 for all", data.classes));
  }
  if (data.train.encoded() || data.test.encoded()) {
    throw Error("--class-subset", "the images of this data set are encoded",
                "use a set of raw images");
  }
  const std::vector<std::int32_t> labels = new_labels(data.classes, kept, seed);
  data.train = keep_classes(data.train, labels);
  data.test = keep_classes(data.test, labels);
  std::vector<std::string> names;
  for (std::size_t c = 0; c < data.class_names.size() && c < labels.size(); ++c) {
    if (labels[c] >= 0) {
      names.push_back(data.class_names[c]);
    }
  }
  data.class_names = std::move(names);
  data.classes = kept;
}

/// Positions of the training split by class.
std::vector<std::vector<std::int64_t>> by_class(const std::vector<std::int64_t>& positions,
                                                const DataSet& data) {
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(data.classes));
  for (const std::int64_t position : positions) {
    const std::int32_t label = data.train.labels[static_cast<std::size_t>(position)];
    members[static_cast<std::size_t>(label)].push_back(position);
  }
  return members;
}

/// Shares of `count` in proportion to the classes' sizes, by largest remainder.
std::vector<std::int64_t> quotas(const std::vector<std::vector<std::int64_t>>& members,
                                 std::int64_t total, std::int64_t count) {
  std::vector<std::int64_t> quota;
  std::vector<std::size_t> order(members.size());
  std::vector<std::int64_t> remainder;
  for (const auto& positions : members) {
    // Exact in integers: both factors are numbers of images.
    quota.push_back(std::ssize(positions) * count / total);
    remainder.push_back(std::ssize(positions) * count % total);
  }
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  const std::int64_t rest = count - std::accumulate(quota.begin(), quota.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < rest; ++i) {
    ++quota[order[static_cast<std::size_t>(i)]];
  }
  return quota;
}

void keep_images(std::vector<std::int64_t>& train, const DataSet& data, double share,
                 std::uint64_t seed) {
  const std::int64_t total = std::ssize(train);
  const std::int64_t count = std::llround(share * static_cast<double>(total));
  std::vector<std::vector<std::int64_t>> members = by_class(train, data);
  const std::vector<std::int64_t> quota = quotas(members, total, count);
  const RandomStream stream(seed, "train-subset");
  train.clear();
  for (std::size_t c = 0; c < members.size(); ++c) {
    if (quota[c] == 0 && !members[c].empty()) {
      throw Error("--train-share",
                  fmt::format("{} of {} images leave none of class {}", count, total, c),
                  "choose a larger share");
    }
    stream.at(c).shuffle(std::span(members[c]));
    train.insert(train.end(), members[c].begin(), members[c].begin() + quota[c]);
  }
  std::sort(train.begin(), train.end());
}

void add_label_noise(const std::vector<std::int64_t>& train, DataSet& data, double share,
                     std::uint64_t seed) {
  std::vector<std::vector<std::int64_t>> members = by_class(train, data);
  const RandomStream noise(seed, "label-noise");
  for (std::size_t c = 0; c < members.size(); ++c) {
    RandomStream stream = noise.at(c);
    stream.shuffle(std::span(members[c]));
    const auto wrong =
        static_cast<std::size_t>(std::llround(share * static_cast<double>(members[c].size())));
    for (std::size_t i = 0; i < wrong; ++i) {
      const auto other =
          static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(data.classes) - 1));
      data.train.labels[static_cast<std::size_t>(members[c][i])] =
          other < static_cast<std::int32_t>(c) ? other : other + 1;
    }
  }
}

}  // namespace

Task make_task(DataSet data, const TaskOptions& options, double validation_fraction,
               std::uint64_t seed) {
  if (!(options.train_share > 0 && options.train_share <= 1)) {
    throw Error("--train-share", fmt::format("a share of {}", options.train_share),
                "choose one in (0, 1]");
  }
  if (!(options.label_noise >= 0 && options.label_noise < 1)) {
    throw Error("--label-noise", fmt::format("a share of {}", options.label_noise),
                "choose one in [0, 1)");
  }
  if (options.classes != 0) {
    keep_classes(data, options.classes, seed);
  }
  Task task;
  task.split =
      stratified_split(data.train.labels, data.classes,
                       validation_fraction > 0 ? validation_fraction
                                               : default_validation_fraction(data.train.size()),
                       seed);
  if (options.train_share < 1) {
    keep_images(task.split.train, data, options.train_share, seed);
  }
  if (options.label_noise > 0) {
    if (data.classes < 2) {
      throw Error("--label-noise", "there is only one class");
    }
    add_label_noise(task.split.train, data, options.label_noise, seed);
  }
  task.data = std::move(data);
  return task;
}

}  // namespace gcg
