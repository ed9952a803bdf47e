#pragma once

#include <hdf5.h>

namespace gcg::testing {

/// Visits every object of a file in the order asked for: HDF5 1.12 renamed the call.
inline herr_t visit_objects(hid_t file, H5_iter_order_t order, H5O_iterate_t visit, void* data) {
#if H5_VERSION_GE(1, 12, 0)
  return H5Ovisit3(file, H5_INDEX_NAME, order, visit, data, H5O_INFO_BASIC);
#else
  return H5Ovisit2(file, H5_INDEX_NAME, order, visit, data, H5O_INFO_BASIC);
#endif
}

}  // namespace gcg::testing
