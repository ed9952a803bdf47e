#pragma once

namespace gcg::testing {

/// Texts that a number can be confused with, or that are one of the largest.
inline constexpr const char* kExtremes[] = {"1e19",
                                            "-1e19",
                                            "1e300",
                                            "1e-300",
                                            "1e400",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "-9223372036854775808",
                                            "18446744073709551615",
                                            "18446744073709551616",
                                            "nan",
                                            "-nan",
                                            "inf",
                                            "-inf",
                                            "",
                                            " 1",
                                            "1 ",
                                            "+1",
                                            "0x1",
                                            "1,5",
                                            "1e",
                                            "1_000",
                                            "\xEF\xBC\x91"};

}  // namespace gcg::testing
