# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn-bench: attention with T5 bias on the CPU, against the machine and its peers.

    tools/bench.sh [--install-peers] [relattn-bench's options]

One process per framework (their thread pools disturb each other in one), all alive
during a case. In each round every implementation has its turn, the order turning:
first the FMA peak (for a decode step a plain read of keys and values), then one
call that is not timed, then calls for two milliseconds. Figures are medians over the rounds;
fractions are of the peaks of the same turns and of useful operations (visible pairs
of query and key). A round starts when the machine is quiet, or says that it was not.

Peers have a dense bias handed to them for free, -inf above the diagonal if the case
is causal. Every implementation's output is compared with float64 before it is timed
(but that of relattn without bias, which computes something else).
"""
