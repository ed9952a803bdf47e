#include "record/run_file_predictions.h"

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "record/run_file_state.h"

namespace gcg::run_file {

using hdf5::kAny;
using hdf5::Object;

namespace {

/// One bit an image, lowest first, every stage from a whole byte on.
std::vector<std::uint8_t> packed(const std::vector<bool>& hits) {
  std::vector<std::uint8_t> bytes((hits.size() + 7) / 8);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    if (hits[i]) {
      bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (1U << (i % 8)));
    }
  }
  return bytes;
}

std::vector<bool> unpacked(std::span<const std::uint8_t> bytes, std::size_t images) {
  std::vector<bool> hits(images);
  for (std::size_t i = 0; i < images; ++i) {
    hits[i] = ((bytes[i / 8] >> (i % 8)) & 1U) != 0;
  }
  return hits;
}

}  // namespace

void write_predictions(const Object& group, const PredictionRecord& predictions) {
  const std::size_t images = predictions.images.size();
  std::vector<std::int64_t> stages;
  std::vector<float> losses;
  std::vector<std::uint8_t> hits;
  for (const StagePredictions& stage : predictions.stages) {
    if (stage.losses.size() != images || stage.hits.size() != images) {
      throw Error(group.where(),
                  fmt::format("{} losses and {} hits of {} images at stage {}", stage.losses.size(),
                              stage.hits.size(), images, stage.stage));
    }
    stages.push_back(stage.stage);
    losses.insert(losses.end(), stage.losses.begin(), stage.losses.end());
    const std::vector<std::uint8_t> bytes = packed(stage.hits);
    hits.insert(hits.end(), bytes.begin(), bytes.end());
  }
  const std::int64_t rows = std::ssize(stages);
  const std::int64_t columns = std::ssize(predictions.images);
  label(group.write_array<std::int64_t>("image", predictions.images, {columns}), "1",
        "position of every validation image among the training images");
  label(group.write_array<std::int64_t>("stage", stages, {rows}), "1", "stage of the row");
  label(group.write_array<float>("loss", losses, {rows, columns}), "nats/sample",
        "loss of every validation image at the stage's end");
  label(group.write_array<std::uint8_t>("hit", hits, {rows, (columns + 7) / 8}), "1",
        "whether it is classified right, one bit each, lowest bit first");
}

PredictionRecord read_predictions(const Object& group) {
  PredictionRecord predictions;
  predictions.images = group.read_array<std::int64_t>("image", {kAny});
  const std::vector<std::int64_t> stages = group.read_array<std::int64_t>("stage", {kAny});
  const std::int64_t rows = std::ssize(stages);
  const std::int64_t columns = std::ssize(predictions.images);
  const std::int64_t width = (columns + 7) / 8;
  const std::vector<float> losses = group.read_array<float>("loss", {rows, columns});
  const std::vector<std::uint8_t> hits = group.read_array<std::uint8_t>("hit", {rows, width});
  for (std::int64_t row = 0; row < rows; ++row) {
    StagePredictions& stage = predictions.stages.emplace_back();
    stage.stage = stages[static_cast<std::size_t>(row)];
    stage.losses.assign(losses.begin() + row * columns, losses.begin() + (row + 1) * columns);
    const auto bytes = std::span(hits).subspan(static_cast<std::size_t>(row * width),
                                               static_cast<std::size_t>(width));
    stage.hits = unpacked(bytes, predictions.images.size());
    if (packed(stage.hits) != std::vector<std::uint8_t>(bytes.begin(), bytes.end())) {
      throw Error(group.where("hit"),
                  fmt::format("stage {} has bits behind the last image", stage.stage));
    }
  }
  return predictions;
}

}  // namespace gcg::run_file
