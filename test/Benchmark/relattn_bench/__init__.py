# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""relattn-bench: attention with T5 bias on the CPU, against the machine and its peers.

    tools/bench.sh [--install-peers] [relattn-bench's options]

One process per framework (their thread pools disturb each other in one), all alive
during a case. In each round every implementation has its turn, the order turning:
the FMA peak (for a decode step a plain read of keys and values), one call that is not
timed, calls for five milliseconds, the peak again. A fraction is of the peaks before
and after, and of useful operations (visible pairs of query and key); figures are
medians. A sample counts if the machine was quiet: no other process ran before it, and
before and after it each core issued as many additions in a cycle as it has units for,
which a neighbour on its other hyperthread halves. Samples of other moments are taken
again, for a second in a round; if most rounds have none that counts, all do, and the
table says in how many rounds. Threads are on the quietest cores.

Peers have a dense bias handed to them for free, -inf above the diagonal if the case
is causal. Every implementation's output is compared with float64 before it is timed
(but that of relattn without bias, which computes something else).
"""
