#pragma once

namespace gcg::bench {

/// Dense at its best: begins the program again with the kernels of OpenBLAS that multiply the
/// matrices of a transformer fastest here, and says which. An old OpenBLAS takes kernels of 2004 on
/// a processor that it does not know, or those of the processor's predecessor; it chooses when it
/// is loaded, so each choice is timed in a process of its own. Returns where there is nothing to
/// choose: the user chose (OPENBLAS_CORETYPE is set), the BLAS is another one, or the program was
/// begun so.
void take_fastest_blas(int argc, char** argv);

}  // namespace gcg::bench
