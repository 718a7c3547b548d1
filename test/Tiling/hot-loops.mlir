// The loops of register tiles keep to the registers, on every register file.
// REQUIRES: x86
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=x86-64-v3 | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py --no-spills | FileCheck %s --check-prefix=AVX2
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=x86-64-v4 | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py --no-spills | FileCheck %s --check-prefix=AVX512
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=znver4 | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py --no-spills | FileCheck %s --check-prefix=ZEN4
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=x86-64 | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py | FileCheck %s --check-prefix=SSE2
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=sapphirerapids matrix-unit=highest" | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py --no-spills | FileCheck %s --check-prefix=AMX
// RUN: relattn-opt %s --relattn-to-cpu="target-cpu=sapphirerapids matrix-unit=high" | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | %python %source/tools/list_hot_loops.py --no-spills | FileCheck %s --check-prefix=HIGH
// Where multiply-adds are not fused nothing calls the library for one.
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=x86-64 | mlir-translate --mlir-to-llvmir | %llvm_bin/clang -x ir - -O3 -S -o - -Wno-override-module | FileCheck %s --check-prefix=CALLS
// CALLS-NOT: fmaf
// Register tiles get no vectors but one for all rows: those of each row would be
// passed on the stack. (The last 64 mod 6 columns of the output are one tile, whose
// product is handed back.)
// RUN: relattn-opt %s --relattn-to-cpu=target-cpu=x86-64-v4 | grep 'llvm.func internal @relattn_tile' | sed 's/) -> .*/)/; s/{.*//' | FileCheck %s --check-prefix=ARGUMENTS --implicit-check-not='array<'
// ARGUMENTS-COUNT-13: @relattn_tile
// RUN: not relattn-opt %s --relattn-to-cpu=target-cpu=x86-65 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not relattn-opt %s --relattn-to-cpu=target-features=avx2 2>&1 | FileCheck %s --check-prefix=FEATURES
// CPU: error: unknown target CPU 'x86-65'; known are names such as x86-64-v3, haswell, znver5 and native
// FEATURES: error: expected target features with + or -, such as '+avx2', got 'avx2'

// Four numbers of each key at a time, and four keys; what is left of the keys.
// AVX2-DAG: relattn_tile: {{8[0-9]}} instructions, 48 products of ymm, 24 broadcasts, 0 on the stack
// AVX2-DAG: relattn_tile_2: {{8[0-9]}} instructions, 48 products of ymm, 24 broadcasts, 0 on the stack
// AVX2-DAG: relattn_tile_2: 2{{[0-9]}} instructions, 12 products of ymm, 6 broadcasts, 0 on the stack
// AVX2: loops of register tiles, 0 with stack traffic
// AVX512-DAG: relattn_tile{{.*}}: {{.*}} 96 products of zmm, 24 broadcasts, 0 on the stack
// AVX512-DAG: relattn_tile{{.*}}: 7{{[0-9]}} instructions, 48 products of zmm, 12 broadcasts, 0 on the stack
// AVX512-DAG: relattn_tile{{.*}}: 3{{[0-9]}} instructions, 24 products of zmm, 6 broadcasts, 0 on the stack
// Half a panel, and a quarter:
// AVX512-DAG: relattn_tile{{.*}}: {{.*}} 24 products of zmm, 12 broadcasts, 0 on the stack
// AVX512-DAG: relattn_tile{{.*}}: {{.*}} 12 products of zmm, 12 broadcasts, 0 on the stack
// AVX512: loops of register tiles, 0 with stack traffic
// ZEN4-DAG: relattn_tile: {{.*}} 32 products of zmm, 32 broadcasts, 0 on the stack
// ZEN4-DAG: relattn_tile_2: {{.*}} 48 products of zmm, 48 broadcasts, 0 on the stack
// ZEN4: loops of register tiles, 0 with stack traffic
// Four tiles of accumulators and six products of parts for each chunk, of half a
// panel as well, two of a quarter; loops over the two chunks of d are unrolled.
// AMX-DAG: relattn_tile: {{.*}} {{12|24}} products of tmm, 0 broadcasts, 0 on the stack
// AMX-DAG: relattn_tile_0: {{.*}} {{12|24}} products of tmm, 0 broadcasts, 0 on the stack
// AMX-DAG: relattn_tile_1: {{.*}} {{24|48}} products of tmm, 0 broadcasts, 0 on the stack
// AMX-DAG: relattn_tile_2: {{.*}} 24 products of tmm, 0 broadcasts, 0 on the stack
// AMX-DAG: relattn_tile_3: {{.*}} {{48|96}} products of tmm, 0 broadcasts, 0 on the stack
// AMX-DAG: relattn_tile_4: {{.*}} 24 products of tmm, 0 broadcasts, 0 on the stack
// AMX: loops of register tiles, 0 with stack traffic
// HIGH: relattn_tile_2: {{.*}} {{12|24}} products of tmm, 0 broadcasts, 0 on the stack
// HIGH: loops of register tiles, 0 with stack traffic
// On SSE2 one more loop is listed, and with stack traffic: the rescaling of a tile
// without keys, which LLVM takes out of the loop over them.
// SSE2: relattn_tile: {{.*}} 32 products of xmm, {{.*}} 0 on the stack
// SSE2: relattn_tile_2: {{.*}} 48 products of xmm, {{.*}} 0 on the stack
// SSE2: relattn_tile_2: 3{{[0-9]}} instructions, 8 products of xmm, {{.*}} 0 on the stack
func.func @f(%q: tensor<4x?x64xf32>, %k: tensor<4x?x64xf32>, %table: tensor<32x4xf32>, %init: tensor<4x?x64xf32>) -> tensor<4x?x64xf32> {
  %out = relattn.attention causal ins(%q, %k, %k : tensor<4x?x64xf32>, tensor<4x?x64xf32>, tensor<4x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x4xf32>) outs(%init : tensor<4x?x64xf32>)
  return %out : tensor<4x?x64xf32>
}
