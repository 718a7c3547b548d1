// Factors in pairs of bf16, for a CPU's matrix unit, level by level.
// RUN: relattn-opt %s --relattn-tile-attention=weight-parts=3 --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=TILE
// RUN: relattn-opt %s --relattn-tile-attention=weight-parts=2 --relattn-decompose-attention --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=STEP
// RUN: relattn-opt %s --relattn-to-cpu="matrix-unit=high target-cpu=sapphirerapids" --split-input-file --mlir-print-ir-after=relattn-convert-tiles-to-amx -o /dev/null 2>&1 | FileCheck %s --check-prefix=AMX
// RUN: relattn-opt %s --relattn-tile-attention=weight-parts=1 --relattn-decompose-attention --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=ONE
// RUN: not relattn-opt %s --relattn-tile-attention=weight-parts=4 --split-input-file 2>&1 | FileCheck %s --check-prefix=PARTS
// RUN: not relattn-opt %s --relattn-to-cpu="matrix-unit=high target-cpu=haswell" --split-input-file 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not relattn-opt %s --relattn-to-cpu=matrix-unit=low --split-input-file 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not relattn-opt %s --relattn-to-cpu="matrix-unit=high target-cpu=sapphirerapids target-features=-amx-tile" --split-input-file 2>&1 | FileCheck %s --check-prefix=NOTILES
// NOTILES: error: target CPU 'sapphirerapids' has no matrix unit that multiplies bf16 (amx-bf16)
// PARTS: error: expected weights of 1 to 3 parts, or none
// CPU: error: target CPU 'haswell' has no matrix unit that multiplies bf16 (amx-bf16)
// NAME: for the --matrix-unit option: Cannot find option named 'low'

// Keys are split where they are, in three parts. (The first: the upper halves of
// two numbers that lie 16 apart.)
// TILE-LABEL: func @t5
// TILE: %[[KEYS:.*]] = scf.forall {{.*}} -> (tensor<8x?x3x32xi32>) {
// TILE:   %[[ROWS:.*]] = tensor.extract_slice %arg1{{.*}} to tensor<?x64xf32>
// TILE:   %[[LOW:.*]] = tensor.extract_slice %[[ROWS]][0, 0] [%{{.*}}, 16]
// TILE:   %[[HIGH:.*]] = tensor.extract_slice %[[ROWS]][0, 16] [%{{.*}}, 16]
// TILE:   linalg.generic {{.*}} ins(%[[LOW]], %[[HIGH]] : {{.*}} attrs = {relattn.tile = "split"}
// TILE:     %[[LOWBITS:.*]] = arith.bitcast %in : f32 to i32
// TILE:     %[[HIGHBITS:.*]] = arith.bitcast %{{.*}} : f32 to i32
// TILE:     %[[DOWN:.*]] = arith.shrui %[[LOWBITS]], %c16_i32
// TILE:     %[[UP:.*]] = arith.andi %[[HIGHBITS]], %c-65536_i32
// TILE:     %[[WORD:.*]] = arith.ori %[[DOWN]], %[[UP]]
// TILE:     linalg.yield %[[WORD]]
// The second one: of what the first leaves.
// TILE:   linalg.generic
// TILE:   linalg.generic {{.*}} ins(%[[LOW]], %[[HIGH]] : {{.*}} attrs = {relattn.tile = "split"}
// TILE:     arith.subf
// TILE:     arith.subf
// TILE:   tensor.parallel_insert_slice
// Values as columns of a tile, whose keys beyond the last one are 0, as must be
// what meets weights of 0.
// TILE: %[[VALUES:.*]] = scf.forall {{.*}} -> (tensor<8x?x3x48x16xi32>) {
// TILE:   %[[TILE:.*]] = bufferization.alloc_tensor() : tensor<48x64xf32>
// TILE:   linalg.generic {{.*}} attrs = {relattn.tile = "pack"}
// TILE:   linalg.fill
// TILE:   linalg.generic {{.*}} ins({{.*}} : tensor<48x16xf32>, tensor<48x16xf32>) outs(%{{.*}} : tensor<48x16xi32>) attrs = {relattn.tile = "split"}
// Of three parts none is rounded.
// TILE-NOT: c32768_i32
// Queries, block by block; what is visible of the keys in whole chunks of 32.
// TILE: scf.forall
// TILE:   scf.for {{.*}} -> (tensor<4x3x32x64xi32>)
// TILE:   bufferization.alloc_tensor() : tensor<544xf32>
// TILE:   scf.for {{.*}} step %c256
// TILE:     %[[CHUNKS:.*]] = arith.ceildivsi %[[COUNT:.*]], %c32
// TILE:     %[[ALL:.*]] = arith.muli %[[CHUNKS]], %c32
// TILE:     %[[KEYTILE:.*]] = tensor.extract_slice %[[KEYS]][%{{.*}}, %{{.*}}, 0, 0] [1, %[[ALL]], 3, 32]
// TILE:     %[[VALUETILE:.*]] = tensor.extract_slice %[[VALUES]][%{{.*}}, %{{.*}}, 0, 0, 0] [1, %[[CHUNKS]], 3, 48, 16]
// TILE:     relattn.online_attention ins(%{{.*}}, %[[KEYTILE]], %[[VALUETILE]] : tensor<3x32x32xi32>, tensor<?x3x32xi32>, tensor<?x3x48x16xi32>) keys %[[COUNT]] strip({{.*}}) outs({{.*}} : tensor<48x32xf32>, tensor<32xf32>, tensor<32xf32>)
// TILE:     relattn.online_attention ins({{.*}} : tensor<3x32x64xi32>, {{.*}}) keys %[[COUNT]]

// The strip under the products of three parts; -inf for keys that do not count;
// the maximum of all rows; weights of two keys in words of two parts, of which the
// first is rounded; and these with the values, into the rescaled output.
// STEP-LABEL: func @t5
// STEP: %[[SCORES:.*]] = bufferization.alloc_tensor() : tensor<256x64xf32>
// STEP: relattn.tile = "pair_bias"
// STEP: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]} ins({{.*}} : tensor<?x32xi32>
// STEP-SAME: relattn.tile = "pair_scores"
// STEP:   arith.shli %{{.*}}, %c16_i32
// STEP:   arith.mulf
// STEP-COUNT-11: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield
// STEP: linalg.fill {relattn.tile = "fill"} ins(%{{.*}} : f32)
// STEP: relattn.tile = "max"
// STEP: scf.for %[[CHUNK:.*]] = %c0 to %{{.*}} step %c1 iter_args({{.*}}) -> (tensor<?x16x32xi32>, tensor<?x16x32xi32>, tensor<32xf32>)
// STEP:   relattn.tile = "exp_split"
// STEP:     math.exp
// STEP:     math.exp
// STEP:     arith.addi %{{.*}}, %c32768_i32
// The sum of a chunk joins that of those before it.
// STEP:   linalg.generic {{.*}} attrs = {relattn.tile = "row"}
// STEP:     arith.addf
// STEP:   scf.yield
// STEP: relattn.tile = "rescale"
// STEP: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
// STEP-SAME: relattn.tile = "pair_values"
// STEP-COUNT-6: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield

// Each product is a function: scores start from rows of the strip that begin one
// number apart, six products for a chunk, each with a factor of the one before it.
// A quarter of a panel is one tile of accumulators wide.
// AMX-LABEL: func.func private @relattn_tile(
// AMX:     scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
// AMX-COUNT-12: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_0(
// AMX-COUNT-9: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_1(
// AMX:   scf.for
// AMX:     amx.tile_load %{{.*}}[%{{.*}}], %c-1{{.*}} : memref<?xf32, strided<[1]>> into !amx.tile<16x16xf32>
// AMX:     scf.for {{.*}} -> (!amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>, !amx.tile<16x16xf32>)
// AMX-COUNT-24: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX:       scf.yield
// AMX-COUNT-4: amx.tile_store
// 40 columns of values are three tiles: two, and one.
// AMX-LABEL: func.func private @relattn_tile_2(
// AMX:   scf.if
// AMX-COUNT-12: amx.tile_mulf
// AMX:   else
// AMX-COUNT-6: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_3(
// The unit's registers are asked for before anything else.
// AMX-LABEL: func.func @t5(
// AMX-DAG: %[[CALL:.*]] = arith.constant 158 : i64
// AMX-DAG: %[[REQUEST:.*]] = arith.constant 4131 : i64
// AMX-DAG: %[[TILES:.*]] = arith.constant 18 : i64
// AMX: llvm.inline_asm has_side_effects {{.*}}"syscall"{{.*}} %[[CALL]], %[[REQUEST]], %[[TILES]]
// AMX-NOT: pair_
// AMX: call @relattn_tile(
// AMX-NOT: pair_
func.func @t5(%q: tensor<8x?x64xf32>, %k: tensor<8x?x64xf32>, %v: tensor<8x?x40xf32>, %table: tensor<32x8xf32>, %init: tensor<8x?x40xf32>) -> tensor<8x?x40xf32> {
  %out = relattn.attention causal ins(%q, %k, %v : tensor<8x?x64xf32>, tensor<8x?x64xf32>, tensor<8x?x40xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x8xf32>)
    outs(%init : tensor<8x?x40xf32>)
  return %out : tensor<8x?x40xf32>
}

// -----

// Keys whose rows are no whole chunks of numbers in f32 pass through a tile.
// TILE-LABEL: func @padded
// TILE: scf.forall
// TILE:   bufferization.alloc_tensor() : tensor<64x96xf32>
// TILE:   linalg.fill ins(%{{.*}}) outs(%{{.*}} : tensor<64x16xf32>)
// TILE: online_attention {{.*}} : tensor<3x48x
// Without a bias the accumulators start from zero.
// AMX-LABEL: func.func private @relattn_tile(
// AMX-NOT: amx.tile_load %{{.*}} into !amx.tile<16x16xf32>
// AMX-COUNT-4: amx.tile_zero
// AMX-LABEL: func.func @padded
func.func @padded(%q: tensor<8x?x80xf32>, %k: tensor<8x?x80xf32>, %init: tensor<8x?x80xf32>) -> tensor<8x?x80xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<8x?x80xf32>, tensor<8x?x80xf32>, tensor<8x?x80xf32>) outs(%init : tensor<8x?x80xf32>)
  return %out : tensor<8x?x80xf32>
}

// -----

// A bf16 is one part: one product for a score, and one with each part of a weight,
// which is rounded if it is the only one.
// TILE-LABEL: func @bf16
// TILE: scf.forall {{.*}} -> (tensor<8x?x1x32xi32>) {
// TILE: scf.forall {{.*}} -> (tensor<8x?x1x64x16xi32>) {
// TILE: scf.for {{.*}} -> (tensor<4x1x32x64xi32>)
// TILE: online_attention ins({{.*}} : tensor<1x32x32xi32>, tensor<?x1x32xi32>, tensor<?x1x64x16xi32>) keys
// TILE-NOT: weight_parts
// STEP-LABEL: func @bf16
// STEP: relattn.tile = "pair_scores"
// STEP-COUNT-2: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield
// STEP: scf.for {{.*}} -> (tensor<?x16x32xi32>, tensor<?x16x32xi32>, tensor<32xf32>)
// STEP: relattn.tile = "pair_values"
// STEP-COUNT-4: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield
// ONE-LABEL: func @bf16
// ONE: scf.for {{.*}} -> (tensor<?x16x32xi32>, tensor<32xf32>)
// ONE:   relattn.tile = "exp_split"
// ONE:     arith.addi %{{.*}}, %c32768_i32
// ONE:     arith.addi %{{.*}}, %c32768_i32
// ONE: relattn.tile = "pair_values"
// ONE-COUNT-2: arith.mulf
// ONE-NOT: arith.mulf
// ONE:   linalg.yield
// AMX-LABEL: func.func private @relattn_tile(
// AMX-COUNT-2: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_0(
// AMX-COUNT-4: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_1(
// AMX-COUNT-4: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_2(
// AMX-COUNT-8: amx.tile_mulf
// AMX-NOT: amx.tile_mulf
// AMX-LABEL: func.func private @relattn_tile_3(
// AMX-LABEL: func.func @bf16
func.func @bf16(%q: tensor<8x?x64xbf16>, %k: tensor<8x?x64xbf16>, %init: tensor<8x?x64xbf16>) -> tensor<8x?x64xbf16> {
  %out = relattn.attention ins(%q, %k, %k : tensor<8x?x64xbf16>, tensor<8x?x64xbf16>, tensor<8x?x64xbf16>) outs(%init : tensor<8x?x64xbf16>)
  return %out : tensor<8x?x64xbf16>
}

// -----

// An f16 is two parts, whose four products are a score. With weights of two parts
// three count.
// TILE-LABEL: func @f16
// TILE: online_attention ins({{.*}} : tensor<2x32x32xi32>, tensor<?x2x32xi32>, tensor<?x2x64x16xi32>) keys
// STEP-LABEL: func @f16
// STEP: relattn.tile = "pair_scores"
// STEP-COUNT-8: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield
// STEP: relattn.tile = "pair_values"
// STEP-COUNT-6: arith.mulf
// STEP-NOT: arith.mulf
// STEP:   linalg.yield
func.func @f16(%q: tensor<8x?x64xf16>, %k: tensor<8x?x64xf16>, %init: tensor<8x?x64xf16>) -> tensor<8x?x64xf16> {
  %out = relattn.attention ins(%q, %k, %k : tensor<8x?x64xf16>, tensor<8x?x64xf16>, tensor<8x?x64xf16>) outs(%init : tensor<8x?x64xf16>)
  return %out : tensor<8x?x64xf16>
}

// -----

// A scale that is no power of two gives queries digits that they did not have.
// TILE-LABEL: func @scaled
// TILE: online_attention ins({{.*}} : tensor<3x32x32xi32>, tensor<?x1x32xi32>, tensor<?x1x64x16xi32>) keys
func.func @scaled(%q: tensor<8x?x64xbf16>, %k: tensor<8x?x64xbf16>, %init: tensor<8x?x64xbf16>) -> tensor<8x?x64xbf16> {
  %out = relattn.attention scale(0.3) ins(%q, %k, %k : tensor<8x?x64xbf16>, tensor<8x?x64xbf16>, tensor<8x?x64xbf16>) outs(%init : tensor<8x?x64xbf16>)
  return %out : tensor<8x?x64xbf16>
}

// -----

// TILE-LABEL: func @scaled_exactly
// TILE: online_attention ins({{.*}} : tensor<1x32x32xi32>, tensor<?x1x32xi32>,
func.func @scaled_exactly(%q: tensor<8x?x64xbf16>, %k: tensor<8x?x64xbf16>, %init: tensor<8x?x64xbf16>) -> tensor<8x?x64xbf16> {
  %out = relattn.attention scale(0.125) ins(%q, %k, %k : tensor<8x?x64xbf16>, tensor<8x?x64xbf16>, tensor<8x?x64xbf16>) outs(%init : tensor<8x?x64xbf16>)
  return %out : tensor<8x?x64xbf16>
}

// -----

// What is left to multiply-adds: f64, few queries, a d that would be mostly
// padding, and somebody's parallel loop.
// TILE-LABEL: func @f64
// TILE-NOT: i32
func.func @f64(%q: tensor<8x?x64xf64>, %init: tensor<8x?x64xf64>) -> tensor<8x?x64xf64> {
  %out = relattn.attention ins(%q, %q, %q : tensor<8x?x64xf64>, tensor<8x?x64xf64>, tensor<8x?x64xf64>) outs(%init : tensor<8x?x64xf64>)
  return %out : tensor<8x?x64xf64>
}

// -----

// TILE-LABEL: func @few
// TILE-NOT: i32
func.func @few(%q: tensor<8x256x64xf32>, %k: tensor<8x?x64xf32>, %init: tensor<8x256x64xf32>) -> tensor<8x256x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<8x256x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>) outs(%init : tensor<8x256x64xf32>)
  return %out : tensor<8x256x64xf32>
}

// -----

// TILE-LABEL: func @narrow
// TILE-NOT: i32
func.func @narrow(%q: tensor<8x?x8xf32>, %init: tensor<8x?x8xf32>) -> tensor<8x?x8xf32> {
  %out = relattn.attention ins(%q, %q, %q : tensor<8x?x8xf32>, tensor<8x?x8xf32>, tensor<8x?x8xf32>) outs(%init : tensor<8x?x8xf32>)
  return %out : tensor<8x?x8xf32>
}

// -----

// TILE-LABEL: func @nested
// TILE-NOT: xi32>
func.func @nested(%q: tensor<4x?x64xf32>, %init: tensor<4x?x64xf32>) -> tensor<4x?x64xf32> {
  %c1 = arith.constant 1 : index
  %m = tensor.dim %q, %c1 : tensor<4x?x64xf32>
  %out = scf.forall (%i) in (4) shared_outs(%o = %init) -> (tensor<4x?x64xf32>) {
    %a = tensor.extract_slice %q[%i, 0, 0] [1, %m, 64] [1, 1, 1] : tensor<4x?x64xf32> to tensor<?x64xf32>
    %b = tensor.extract_slice %o[%i, 0, 0] [1, %m, 64] [1, 1, 1] : tensor<4x?x64xf32> to tensor<?x64xf32>
    %r = relattn.attention ins(%a, %a, %a : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%b : tensor<?x64xf32>)
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %o[%i, 0, 0] [1, %m, 64] [1, 1, 1] : tensor<?x64xf32> into tensor<4x?x64xf32>
    }
  }
  return %out : tensor<4x?x64xf32>
}

// -----

// A step that somebody else made, by the pass and by the pipeline, for whom too.
// RUN: relattn-opt %s --relattn-decompose-attention=workgroups --split-input-file | FileCheck %s --check-prefix=GIVEN
// TILE-LABEL: func @step
// GIVEN-LABEL: func @step
// GIVEN: bufferization.alloc_tensor() : tensor<64x16xf32>
// GIVEN: relattn.tile = "pair_scores"
// GIVEN: relattn.tile = "pair_values"
#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
func.func @step(%query: tensor<3x32x16xi32>, %key: tensor<?x3x32xi32>, %value: tensor<?x3x16x16xi32>, %keys: index, %out: tensor<16x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> tensor<16x16xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<3x32x16xi32>, tensor<?x3x32xi32>, tensor<?x3x16x16xi32>) keys %keys
    outs(%out, %max, %sum : tensor<16x16xf32>, tensor<16xf32>, tensor<16xf32>) {indexing_maps = [#md, #nd, #ne, #em], max_keys = 64 : i64}
  return %0#0 : tensor<16x16xf32>
}
