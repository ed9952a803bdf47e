#include "study/experiment.h"

namespace gcg {

GivenOptions StudyNetwork::options() const {
  GivenOptions given = recipe;
  given["network"] = network;
  given["width"] = width;
  return given;
}

StudyNetwork study_network(const ExperimentRequest& request) {
  const bool smoke = request.scale == "smoke";
  const bool small = request.scale == "small";
  if (request.data == "tinyimagenet") {
    return {"resnet18_small", smoke ? "4" : small ? "16" : "64", {}, 160};
  }
  if (request.data == "imagenet") {
    GivenOptions recipe{{"batch-size", "256"}, {"learning-rate", "0.1"}, {"warmup", "0.05"}};
    if (smoke || small) {
      recipe["image-edge"] = "64";
    }
    return {"resnet50", smoke ? "8" : small ? "16" : "64", recipe, 100};
  }
  if (smoke || small) {
    return {"resnet8", smoke ? "4" : "8", {}, 160};
  }
  return {"resnet20", "16", {}, 160};
}

}  // namespace gcg
