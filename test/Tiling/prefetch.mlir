// RUN: relattn-opt %s --relattn-tile-attention="prefetch lanes=16 panels=4" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=TILE
// RUN: relattn-opt %s --relattn-tile-attention="prefetch lanes=16 panels=4 weight-parts=2" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=PAIRS
// RUN: relattn-opt %s --relattn-tile-attention --split-input-file | FileCheck %s --check-prefix=NONE
// RUN: relattn-opt %s --one-shot-bufferize="bufferize-function-boundaries allow-unknown-ops" --split-input-file | FileCheck %s --check-prefix=BUFFER
// RUN: relattn-opt %s --relattn-spread-prefetches --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-spread-prefetches --relattn-outline-tiles --split-input-file | FileCheck %s --check-prefix=OUTLINE
// RUN: relattn-opt %s --relattn-convert-tiles-to-gpu --split-input-file | FileCheck %s --check-prefix=GPU
// On a GPU nobody takes the hint.
// GPU-NOT: relattn.prefetch
// GPU: func @overwritten
// GPU-NOT: relattn.prefetch
// GPU: func @exponentials
// NONE-NOT: relattn.prefetch
// NONE: func @overwritten

// A block's values with the step of its first panel; a share of the rows of its
// results, of which the number of steps is the reciprocal, and of the next block's
// queries: the block before of this head, or the last one of the next head.
// TILE-LABEL: func @attention
// TILE: scf.forall (%[[B:.*]], %[[H:.*]], %[[BLOCK:.*]]) in (%{{.*}}, 8, %[[BLOCKS:.*]]) shared_outs(%[[OUT:.*]] = %arg4)
// TILE: %[[AFTER:.*]] = arith.addi %[[BLOCK]], %c1
// TILE: %[[ENDS:.*]] = arith.cmpi eq, %[[AFTER]], %[[BLOCKS]]
// TILE: arith.select %[[ENDS]], %c0, %[[AFTER]]
// TILE: %[[HEAD:.*]] = arith.addi %[[H]], %c1
// TILE: %[[LAST:.*]] = arith.cmpi eq, %[[HEAD]], %c8
// TILE: %[[FIRST:.*]] = arith.select %[[LAST]], %c0, %[[HEAD]]
// TILE: %[[NEXTHEAD:.*]] = arith.select %[[ENDS]], %[[FIRST]], %[[H]]
// TILE: %[[CARRIES:.*]] = arith.andi %[[LAST]], %[[ENDS]]
// TILE: %[[NEXTENTRY:.*]] = arith.select %[[CARRIES]], %{{.*}}, %[[B]]
// TILE: scf.for {{.*}} step %c96
// TILE: %[[VALUES:.*]] = tensor.extract_slice %arg2
// TILE: scf.for %[[PANEL:.*]] = %c0 to
// TILE: %[[ISFIRST:.*]] = arith.cmpi eq, %[[PANEL]], %c0
// TILE: %[[COUNT:.*]] = arith.select %[[ISFIRST]], %{{.*}}, %c0
// TILE: %[[ROWS:.*]] = tensor.extract_slice %[[VALUES]][0, 0] [%[[COUNT]], 64]
// TILE: relattn.prefetch %[[ROWS]] : tensor<?x64xf32>
// TILE: %[[RESULTS:.*]] = tensor.extract_slice %[[OUT]][%[[B]], %[[H]], %{{.*}}, 0] [1, 1, %{{.*}}, 64]
// TILE: relattn.prefetch write %[[RESULTS]] : tensor<?x64xf32>
// TILE: %[[QUERIES:.*]] = tensor.extract_slice %arg0[%[[NEXTENTRY]], %[[NEXTHEAD]], %{{.*}}, 0] [1, 1, %{{.*}}, 64]
// TILE: relattn.prefetch %[[QUERIES]] : tensor<?x64xf32>
// TILE: relattn.online_attention
// TILE-NOT: relattn.prefetch
// Pairs are copies; what goes into them and comes out is not.
// PAIRS-LABEL: func @attention
// PAIRS: relattn.prefetch write %{{.*}} : tensor<?x64xf32>
// PAIRS: relattn.prefetch %{{.*}} : tensor<?x64xf32>
// PAIRS-NOT: relattn.prefetch
// PAIRS: return
func.func @attention(%q: tensor<?x8x?x64xf32>, %k: tensor<?x8x?x64xf32>, %v: tensor<?x8x?x64xf32>, %table: tensor<32x8xf32>, %out: tensor<?x8x?x64xf32>) -> tensor<?x8x?x64xf32> {
  %0 = relattn.attention maps((b, g, m, d), (b, g, n, d), (b, g, n, e) -> (b, g, m, e)) ins(%q, %k, %v : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %table : tensor<32x8xf32>) outs(%out : tensor<?x8x?x64xf32>)
  return %0 : tensor<?x8x?x64xf32>
}

// -----

// Queries and results whose rows are not contiguous, narrow values, whose blocks
// are copied, and single queries are not prefetched; of one block of queries its
// values are.
// TILE-LABEL: func @columns
// TILE: relattn.prefetch %{{.*}} : tensor<?x64xf32>
// TILE-NOT: relattn.prefetch
func.func @columns(%q: tensor<64x?xf32>, %k: tensor<?x64xf32>, %v: tensor<?x64xf32>, %out: tensor<64x?xf32>) -> tensor<64x?xf32> {
  %0 = relattn.attention maps((d, m), (n, d), (n, e) -> (e, m)) ins(%q, %k, %v : tensor<64x?xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%out : tensor<64x?xf32>)
  return %0 : tensor<64x?xf32>
}

// TILE-LABEL: func @narrow
// TILE-NOT: relattn.prefetch
func.func @narrow(%q: tensor<64x64xbf16>, %k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %out: tensor<64x64xbf16>) -> tensor<64x64xbf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<64x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) outs(%out : tensor<64x64xbf16>)
  return %0 : tensor<64x64xbf16>
}

// TILE-LABEL: func @one_block
// TILE: relattn.prefetch %{{.*}} : tensor<?x64xf32>
// TILE-NOT: relattn.prefetch
func.func @one_block(%q: tensor<64x64xf32>, %k: tensor<?x64xf32>, %v: tensor<?x64xf32>, %out: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<64x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%out : tensor<64x64xf32>)
  return %0 : tensor<64x64xf32>
}

// TILE-LABEL: func @rows
// TILE-NOT: relattn.prefetch
// TILE: return
func.func @rows(%q: tensor<1x64xf32>, %k: tensor<?x64xf32>, %v: tensor<?x64xf32>, %out: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<1x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%out : tensor<1x64xf32>)
  return %0 : tensor<1x64xf32>
}

// -----

// It reads nothing: what it is about may have been overwritten.
// BUFFER-LABEL: func @overwritten
// BUFFER-SAME: (%[[KEYS:[a-z0-9]+]]: memref<?x64xf32
// BUFFER-NOT: alloc
// BUFFER: memref.store %{{.*}}, %[[KEYS]]
// BUFFER: %[[ROWS:.*]] = memref.subview %[[KEYS]][%{{.*}}, 0] [16, 64] [1, 1]
// BUFFER: relattn.prefetch write %[[ROWS]] : memref<16x64xf32
// Buffers alone are lowered.
// CHECK-LABEL: func @overwritten
// CHECK: relattn.prefetch write %{{.*}} : tensor<16x64xf32>
func.func @overwritten(%keys: tensor<?x64xf32>, %n: index, %x: f32) -> tensor<?x64xf32> {
  %changed = tensor.insert %x into %keys[%n, %n] : tensor<?x64xf32>
  %rows = tensor.extract_slice %keys[%n, 0] [16, 64] [1, 1] : tensor<?x64xf32> to tensor<16x64xf32>
  relattn.prefetch write %rows : tensor<16x64xf32>
  return %changed : tensor<?x64xf32>
}

// -----

// A loop of its own: 160 bytes are two lines and, since rows need not start on
// one, a part of a third and a fourth.
// CHECK-LABEL: func @alone
// CHECK: %[[COUNT:.*]] = memref.dim %arg0, %c0
// CHECK: scf.for %[[ROW:.*]] = %c0{{.*}} to %[[COUNT]]
// CHECK-NEXT: memref.prefetch %arg0[%[[ROW]], %c0{{.*}}], read, locality<2>, data
// CHECK-NEXT: memref.prefetch %arg0[%[[ROW]], %c16], read, locality<2>, data
// CHECK-NEXT: memref.prefetch %arg0[%[[ROW]], %c32], read, locality<2>, data
// CHECK-NEXT: memref.prefetch %arg0[%[[ROW]], %c39], read, locality<2>, data
// CHECK-NEXT: }
// CHECK-NOT: prefetch
func.func @alone(%rows: memref<?x40xf32>, %apart: memref<?x40xf32, strided<[1, ?]>>) {
  relattn.prefetch %rows : memref<?x40xf32>
  // Columns that are not contiguous.
  relattn.prefetch %apart : memref<?x40xf32, strided<[1, ?]>>
  return
}

// Elements of a byte or less and of more than a line, no columns, a loop over lines.
// CHECK-LABEL: func @widths
// CHECK: memref.prefetch %arg0[%{{.*}}, %c0{{.*}}]
// CHECK-NEXT: memref.prefetch %arg0[%{{.*}}, %c64]
// CHECK-NEXT: }
// CHECK: memref.prefetch %arg1[%{{.*}}, %c0{{.*}}]
// CHECK-NEXT: memref.prefetch %arg1[%{{.*}}, %c1{{.*}}]
// CHECK-NEXT: }
// CHECK-NOT: prefetch %arg2
// CHECK: scf.for %[[ROW:.*]] = %c0{{.*}} to
// CHECK-NEXT: scf.for %[[COLUMN:.*]] = %c0{{.*}} to %c100000 step %c16
// CHECK-NEXT: memref.prefetch %arg3[%[[ROW]], %[[COLUMN]]]
// CHECK-NOT: prefetch
func.func @widths(%bits: memref<4x128xi1>, %wide: memref<4x2xi1024>, %none: memref<4x0xf32>, %long: memref<4x100000xf32>, %indices: memref<4x4xindex>) {
  relattn.prefetch %bits : memref<4x128xi1>
  relattn.prefetch %wide : memref<4x2xi1024>
  relattn.prefetch %none : memref<4x0xf32>
  relattn.prefetch %long : memref<4x100000xf32>
  relattn.prefetch %indices : memref<4x4xindex>
  return
}

// -----

// With each register tile, before its products, an equal share; the tile's function
// has the loop over rows nevertheless.
// OUTLINE-LABEL: func.func private @relattn_tile
// OUTLINE: scf.for
// OUTLINE:   memref.prefetch
// OUTLINE:   vector.contract
// OUTLINE-LABEL: func.func @tiles
// OUTLINE-NOT: memref.prefetch
// OUTLINE: call @relattn_tile
// CHECK-LABEL: func @tiles
// CHECK: %[[COUNT:.*]] = memref.dim %arg2, %c0
// CHECK: %[[EXTENT:.*]] = arith.subi %arg3, %c0
// CHECK: %[[TILES:.*]] = arith.ceildivsi %[[EXTENT]], %c4
// CHECK: %[[SOME:.*]] = arith.maxsi %[[TILES]], %c1
// CHECK: %[[SHARE:.*]] = arith.ceildivsi %[[COUNT]], %[[SOME]]
// CHECK: scf.for %[[I:.*]] = %c0{{.*}} to %arg3 step %c4
// CHECK:   %[[PLACE:.*]] = arith.subi %[[I]], %c0
// CHECK:   %[[NUMBER:.*]] = arith.divsi %[[PLACE]], %c4
// CHECK:   %[[BEGIN:.*]] = arith.muli %[[NUMBER]], %[[SHARE]]
// CHECK:   %[[END:.*]] = arith.addi %[[BEGIN]], %[[SHARE]]
// CHECK:   %[[LAST:.*]] = arith.minsi %[[END]], %[[COUNT]]
// CHECK:   scf.for %[[ROW:.*]] = %[[BEGIN]] to %[[LAST]]
// CHECK-NEXT: memref.prefetch %arg2[%[[ROW]], %c0{{.*}}], write, locality<3>, data : memref<?x32xbf16>
// CHECK-NEXT: }
// CHECK:   scf.for
// CHECK:     vector.contract
// CHECK-NOT: prefetch
func.func @tiles(%a: memref<?x1xf32>, %out: memref<?x16xf32>, %rows: memref<?x32xbf16>, %n: index, %x: vector<16xf32>, %zero: vector<4x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %p = ub.poison : f32
  relattn.prefetch write %rows : memref<?x32xbf16>
  // Not this one.
  scf.for %i = %c0 to %n step %c1 {
    vector.transfer_write %x, %out[%i, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  scf.for %i = %c0 to %n step %c4 {
    %sum = scf.for %k = %c0 to %c4 step %c1 iter_args(%acc = %zero) -> (vector<4x16xf32>) {
      %lhs = vector.transfer_read %a[%i, %c0], %p {in_bounds = [true, true]} : memref<?x1xf32>, vector<4x1xf32>
      %row = vector.broadcast %x : vector<16xf32> to vector<1x16xf32>
      %r = vector.contract {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %lhs, %row, %acc : vector<4x1xf32>, vector<1x16xf32> into vector<4x16xf32>
      scf.yield %r : vector<4x16xf32>
    }
    vector.transfer_write %sum, %out[%i, %c0] {in_bounds = [true, true]} : vector<4x16xf32>, memref<?x16xf32>
  }
  return
}

// -----

// Where a matrix unit multiplies, with the exponentials of attention.
// CHECK-LABEL: func @exponentials
// CHECK: math.exp
// CHECK: scf.for
// CHECK:   scf.for
// CHECK-NEXT: memref.prefetch
// CHECK:   math.exp {{.*}} {relattn.bounded}
func.func @exponentials(%weights: memref<?x16xf32>, %rows: memref<?x8xf64>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %p = ub.poison : f32
  relattn.prefetch %rows : memref<?x8xf64>
  scf.for %i = %c0 to %n step %c1 {
    %x = vector.transfer_read %weights[%i, %c0], %p {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %y = math.exp %x : vector<16xf32>
    vector.transfer_write %y, %weights[%i, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  scf.for %i = %c0 to %n step %c1 {
    %x = vector.transfer_read %weights[%i, %c0], %p {in_bounds = [true]} : memref<?x16xf32>, vector<16xf32>
    %y = math.exp %x {relattn.bounded} : vector<16xf32>
    vector.transfer_write %y, %weights[%i, %c0] {in_bounds = [true]} : vector<16xf32>, memref<?x16xf32>
  }
  return
}
