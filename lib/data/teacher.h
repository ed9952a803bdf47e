#pragma once

#include "data/procedural.h"

namespace gcg {

/// Procedural images whose labels a random sparse network made: a task of which it is known how
/// many connections suffice, up to the teacher's own kind of network.
///
/// The teacher: pixels (value - 127.5) / 64, averaged 2x2; convolution 3x3 to 16 units, ReLU,
/// average 2x2; convolution 3x3 to 16 units, ReLU; mean over the positions; a dense readout to ten
/// classes. Both convolutions (zero padding, no bias) have a share `density` of their connections,
/// rounded, every unit at least one, the others uniformly at random; weights are uniform in
/// +-sqrt(3 / connections of the unit), so that units have the same variance at every density. The
/// label is the class with the largest readout after every class's readout was brought to mean 0
/// and deviation 1 over the training images: classes are about, not exactly, equally frequent.
///
/// As with the procedural images only + - * / and square roots enter: the same options give the
/// same bytes on every processor.
struct TeacherOptions {
  ProceduralOptions images;
  double density = 0.2;
  /// Of the teacher: stream "teacher", index = layer.
  std::uint64_t seed = 1;
};

/// Below it a unit of the first convolution, 27 connections, could have none.
inline constexpr double kSparsestTeacher = 0.04;

/// Neither mirror images nor shifted crops keep the labels, so the set has no augmentation. Errors:
/// those of make_procedural, a density outside of [kSparsestTeacher, 1], images that leave the
/// teacher's readout constant.
DataSet make_teacher(const TeacherOptions& options);

}  // namespace gcg
