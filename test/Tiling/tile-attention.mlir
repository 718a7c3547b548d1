// RUN: relattn-opt %s --relattn-tile-attention --canonicalize --cse --split-input-file | FileCheck %s
// RUN: relattn-opt %s --relattn-tile-attention="lanes=64 panels=1 keys=128" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=WIDE
// RUN: relattn-opt %s --relattn-tile-attention --split-input-file --remarks-filter=relattn -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --allow-empty
// RUN: relattn-opt %s --relattn-tile-attention="workers=32" --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=PARTS
// RUN: relattn-opt %s --relattn-tile-attention --cse --split-input-file | FileCheck %s --check-prefix=ROWSAPART
// RUN: relattn-opt %s --relattn-tile-attention=lanes=1 --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=ONELANE
// RUN: relattn-opt %s --relattn-tile-attention=dynamic-rows --canonicalize --cse --split-input-file | FileCheck %s --check-prefix=BOTH
// RUN: not relattn-opt %s --relattn-tile-attention=lanes=0 --split-input-file 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: expected tile sizes of at least 1

// Workers, blocks of keys, panels. The strip of a block is a run for each of the
// intervals between those of its first and its last offset.
// CHECK-LABEL: func @t5
// CHECK-DAG: %[[IDS:.*]] = arith.constant dense<[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 17, {{.*}}, 31]> : tensor<31xi64>
// CHECK-DAG: %[[BOUNDS:.*]] = arith.constant dense<[-9223372036854775808, -90, {{.*}}, 91, 9223372036854775807]> : tensor<32xi64>
// CHECK-NOT: scf.for
// CHECK: scf.forall (%{{.*}}, %[[H:[a-z0-9]+]], %{{.*}}) in (2, 8, %{{.*}})
// CHECK:   linalg.generic {{.*}} attrs =  {relattn.tile = "pack"}
// CHECK:     arith.mulf
// CHECK:   %[[SCRATCH:.*]] = bufferization.alloc_tensor() : tensor<160xf32>
// CHECK:   scf.for {{.*}} step %c96
// CHECK:     %[[PLACES:.*]] = tensor.extract_slice %[[SCRATCH]][0] [%{{.*}}] [1]
// CHECK:     %[[FIRST:.*]] = arith.minsi %{{.*}}, %c30
// CHECK:     %[[LAST:.*]] = arith.minsi %{{.*}}, %c30
// CHECK:     %[[PAST:.*]] = arith.addi %[[LAST]], %c1
// CHECK:     %[[STRIP:.*]] = scf.for %[[I:.*]] = %[[FIRST]] to %[[PAST]] step %c1 iter_args(%{{.*}} = %[[PLACES]])
// CHECK:       tensor.extract %[[BOUNDS]][%[[I]]]
// CHECK:       %[[ID:.*]] = tensor.extract %[[IDS]][%[[I]]]
// CHECK:       %[[BUCKET:.*]] = arith.index_cast %[[ID]]
// CHECK:       %[[BIAS:.*]] = tensor.extract %arg2[%[[BUCKET]], %[[H]]]
// CHECK:       scf.for
// CHECK:         tensor.insert %[[BIAS]]
// CHECK:     scf.for {{.*}} -> (tensor<4x64x16xf32>, tensor<4x16xf32>, tensor<4x16xf32>)
// CHECK:       relattn.online_attention ins({{.*}} : tensor<64x16xf32>, tensor<?x64xf32>, tensor<?x64xf32>) strip(%[[STRIP]] at
// CHECK-SAME:    max_keys = 96
// CHECK:   tensor.parallel_insert_slice
// A dynamic number of queries is looked at: panels of one query, or of many.
// BOTH-LABEL: func @t5
// BOTH: %[[M:.*]] = tensor.dim %arg0, %c2
// BOTH: %[[FEW:.*]] = arith.cmpi sle, %[[M]], %c8
// BOTH: scf.if %[[FEW]]
// BOTH:   scf.for {{.*}} step %c512
// BOTH:     relattn.online_attention {{.*}} strip(%{{.*}} at %{{.*}} ascending {{.*}} outs({{.*}} : tensor<64x1xf32>, tensor<1xf32>, tensor<1xf32>)
// BOTH: } else {
// BOTH:   scf.for {{.*}} step %c96
// BOTH:     relattn.online_attention {{.*}} outs({{.*}} : tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>)
// BOTH-LABEL: func @window
// The last panel may have queries for half of its lanes, or fewer.
// WIDE-LABEL: func @t5
// WIDE: %[[HALF:.*]] = arith.cmpi sle, %{{.*}}, %c32
// WIDE: scf.if %[[HALF]]
// WIDE:   %[[QUERY:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0, 0] [1, 64, 32] [1, 1, 1] : tensor<1x64x64xf32> to tensor<64x32xf32>
// WIDE:   relattn.online_attention ins(%[[QUERY]], {{.*}} : tensor<64x32xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {{.*}} outs({{.*}} : tensor<64x32xf32>, tensor<32xf32>, tensor<32xf32>)
// WIDE:   tensor.insert_slice %{{.*}} into %{{.*}}[%{{.*}}, 0, 0] [1, 64, 32] [1, 1, 1] : tensor<64x32xf32> into tensor<1x64x64xf32>
// WIDE: } else {
// WIDE:   relattn.online_attention ins({{.*}} : tensor<64x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
// WIDE-SAME:    max_keys = 128
func.func @t5(%q: tensor<2x8x?x64xf32>, %k: tensor<2x8x?x64xf32>, %table: tensor<32x8xf32>, %init: tensor<2x8x?x64xf32>) -> tensor<2x8x?x64xf32> {
  %out = relattn.attention scale(0.125) ins(%q, %k, %k : tensor<2x8x?x64xf32>, tensor<2x8x?x64xf32>, tensor<2x8x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %table : tensor<32x8xf32>)
    outs(%init : tensor<2x8x?x64xf32>)
  return %out : tensor<2x8x?x64xf32>
}

// -----

// The band bounds the loop over keys and the keys of a panel; inside, the strip
// holds -inf before and behind it.
// CHECK-LABEL: func @window
// CHECK-DAG: %[[NONE:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[HIDDEN:.*]] = arith.constant 0xFF800000 : f32
// CHECK: scf.forall
// CHECK: %[[END:.*]] = arith.minsi
// CHECK: %[[BEGIN:.*]] = arith.maxsi
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c96
// CHECK:   %[[SEEN:.*]] = scf.for
// CHECK:     tensor.insert %[[NONE]]
// CHECK:   %[[BEFORE:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[SEEN]])
// CHECK:     tensor.insert %[[HIDDEN]]
// CHECK:   %[[BEHIND:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[BEFORE]])
// CHECK:     tensor.insert %[[HIDDEN]]
// CHECK:   relattn.online_attention {{.*}} strip(%[[BEHIND]] at
func.func @window(%q: tensor<?x64xf32>, %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %out = relattn.attention band<-15, 0> ins(%q, %q, %q : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%init : tensor<?x64xf32>)
  return %out : tensor<?x64xf32>
}

// -----

// A single query widens what it reads where it reads it, but not what is not
// contiguous; more of them share what is widened.
// CHECK-LABEL: func @narrow_row
// CHECK: relattn.online_attention ins({{.*}} : tensor<64x1xf32>, tensor<?x64xbf16>, tensor<?x64xf32>)
func.func @narrow_row(%q: tensor<1x64xbf16>, %k: tensor<?x64xbf16>, %v: tensor<64x?xbf16>, %init: tensor<1x64xbf16>) -> tensor<1x64xbf16> {
  %out = relattn.attention maps((m, d), (n, d), (e, n) -> (m, e)) ins(%q, %k, %v : tensor<1x64xbf16>, tensor<?x64xbf16>, tensor<64x?xbf16>) outs(%init : tensor<1x64xbf16>)
  return %out : tensor<1x64xbf16>
}

// -----

// CHECK-LABEL: func @narrow_rows
// CHECK: relattn.online_attention ins({{.*}} : tensor<64x1xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
func.func @narrow_rows(%q: tensor<2x64xbf16>, %k: tensor<?x64xbf16>, %init: tensor<2x64xbf16>) -> tensor<2x64xbf16> {
  %out = relattn.attention ins(%q, %k, %k : tensor<2x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) outs(%init : tensor<2x64xbf16>)
  return %out : tensor<2x64xbf16>
}

// -----

// Narrow types widen once for all queries; the output narrows at the end. f64
// halves lanes and keys, and so does d of 128 the keys.
// CHECK-LABEL: func @bf16
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK: relattn.online_attention ins({{.*}} : tensor<128x16xf32>, tensor<?x128xf32>, tensor<?x128xf32>)
// CHECK-SAME: max_keys = 48
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @bf16(%q: tensor<?x128xbf16>, %init: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
  %out = relattn.attention ins(%q, %q, %q : tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>) outs(%init : tensor<?x128xbf16>)
  return %out : tensor<?x128xbf16>
}

// -----

// CHECK-LABEL: func @f64_mask_lse
// CHECK: relattn.online_attention ins({{.*}} : tensor<64x8xf64>, tensor<?x64xf64>, tensor<?x64xf64>) mask(%{{.*}} : tensor<?x?xi1>)
// CHECK-SAME: max_keys = 48
// CHECK: math.log
func.func @f64_mask_lse(%q: tensor<?x64xf64>, %mask: tensor<?x?xi1>, %init: tensor<?x64xf64>, %lse: tensor<?xf64>) -> (tensor<?x64xf64>, tensor<?xf64>) {
  %out:2 = relattn.attention ins(%q, %q, %q : tensor<?x64xf64>, tensor<?x64xf64>, tensor<?x64xf64>) mask(%mask : tensor<?x?xi1>) outs(%init, %lse : tensor<?x64xf64>, tensor<?xf64>)
  return %out#0, %out#1 : tensor<?x64xf64>, tensor<?xf64>
}

// -----

// Keys beyond their length are no part of any tile.
// CHECK-LABEL: func @key_lengths
// CHECK: scf.forall (%[[B:[a-z0-9]+]], %{{.*}})
// CHECK: %[[LENGTH:[a-z0-9_]+]] = tensor.extract %arg1[%[[B]]]
// CHECK: %[[CAST:[0-9]+]] = arith.index_cast %[[LENGTH]] : i64 to index
// CHECK: arith.minsi %{{.*}}, %[[CAST]]
func.func @key_lengths(%q: tensor<3x1x?x64xf32>, %lengths: tensor<3xi64>, %init: tensor<3x1x?x64xf32>) -> tensor<3x1x?x64xf32> {
  %out = relattn.attention ins(%q, %q, %q : tensor<3x1x?x64xf32>, tensor<3x1x?x64xf32>, tensor<3x1x?x64xf32>) key_lengths(%lengths : tensor<3xi64>) outs(%init : tensor<3x1x?x64xf32>)
  return %out : tensor<3x1x?x64xf32>
}

// -----

// CHECK-LABEL: func @no_tile_of_dynamic_depth
// CHECK: relattn.attention
func.func @no_tile_of_dynamic_depth(%q: tensor<?x?xf32>, %init: tensor<?x?xf32>) -> tensor<?x?xf32> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="the sizes of d and e are not static"
  %out = relattn.attention ins(%q, %q, %q : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>) outs(%init : tensor<?x?xf32>)
  return %out : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: func @no_tile_of_large_depth
// CHECK: relattn.attention
func.func @no_tile_of_large_depth(%q: tensor<?x257xf32>, %init: tensor<?x257xf32>) -> tensor<?x257xf32> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="d or e is larger than 256"
  %out = relattn.attention ins(%q, %q, %q : tensor<?x257xf32>, tensor<?x257xf32>, tensor<?x257xf32>) outs(%init : tensor<?x257xf32>)
  return %out : tensor<?x257xf32>
}

// -----

// CHECK-LABEL: func @no_tile_of_narrow_bias
// CHECK: relattn.attention
func.func @no_tile_of_narrow_bias(%q: tensor<?x64xf16>, %bias: tensor<?x?xf16>, %init: tensor<?x64xf16>) -> tensor<?x64xf16> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="the dense bias is narrower than the accumulator"
  %out = relattn.attention ins(%q, %q, %q : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) bias(#relattn.dense<(m, n)>, %bias : tensor<?x?xf16>) outs(%init : tensor<?x64xf16>)
  return %out : tensor<?x64xf16>
}

// -----

// CHECK-LABEL: func @no_tile_of_narrow_mask
// CHECK: relattn.attention
func.func @no_tile_of_narrow_mask(%q: tensor<?x64xf16>, %mask: tensor<?x?xf16>, %init: tensor<?x64xf16>) -> tensor<?x64xf16> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="the mask is narrower than the accumulator"
  %out = relattn.attention ins(%q, %q, %q : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) mask(%mask : tensor<?x?xf16>) outs(%init : tensor<?x64xf16>)
  return %out : tensor<?x64xf16>
}

// -----

// CHECK-LABEL: func @no_tile_of_nothing
// CHECK: relattn.attention
func.func @no_tile_of_nothing(%q: tensor<4x64xf32>, %k: tensor<0x64xf32>, %init: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="a dimension is empty"
  %out = relattn.attention ins(%q, %k, %k : tensor<4x64xf32>, tensor<0x64xf32>, tensor<0x64xf32>) outs(%init : tensor<4x64xf32>)
  return %out : tensor<4x64xf32>
}

// -----

// CHECK-LABEL: func @no_tile_of_one_key_or_none
// CHECK: relattn.attention
func.func @no_tile_of_one_key_or_none(%q: tensor<3x1x4x64xf32>, %k: tensor<3x1x1x64xf32>, %lengths: tensor<3xi64>, %init: tensor<3x1x4x64xf32>) -> tensor<3x1x4x64xf32> {
  // REMARK: :[[#@LINE+1]]:{{[0-9]+}}: remark: [Missed] TileAttention {{.*}}Reason="one key may be none"
  %out = relattn.attention ins(%q, %k, %k : tensor<3x1x4x64xf32>, tensor<3x1x1x64xf32>, tensor<3x1x1x64xf32>) key_lengths(%lengths : tensor<3xi64>) outs(%init : tensor<3x1x4x64xf32>)
  return %out : tensor<3x1x4x64xf32>
}

// -----

// A decode step: panels of one query, blocks of 512 keys with a strip of their own,
// which ascends with the keys. For more workers than heads the keys are in parts, three for 12
// heads and 32 workers as far as there are blocks, whose states are merged.
// BOTH-LABEL: func @decode
// BOTH-NOT: scf.if
// BOTH-LABEL: func @
// CHECK-LABEL: func @decode
// CHECK: scf.forall (%[[H:.*]]) in (12)
// CHECK:   scf.for %[[KEY:.*]] = %c0 to %{{.*}} step %c512
// CHECK:     %[[STRIP:.*]] = linalg.generic {{.*}} outs({{.*}} : tensor<?xf32>)
// CHECK:       %[[X:.*]] = linalg.index 0
// CHECK:       arith.addi %[[X]], %[[KEY]]
// CHECK:     relattn.online_attention ins({{.*}} : tensor<64x1xf32>, tensor<?x64xf32>, tensor<?x64xf32>) strip(%[[STRIP]] at %{{.*}} ascending
// CHECK-SAME:  max_keys = 512
// CHECK-NOT: relattn.merge
// WIDE-LABEL: func @decode
// WIDE: relattn.online_attention ins({{.*}} : tensor<64x1xf32>
// PARTS-LABEL: func @decode
// PARTS: %[[BLOCKS:.*]] = arith.ceildivsi %{{.*}}, %c512
// PARTS: %[[AT_MOST:.*]] = arith.minsi %[[BLOCKS]], %c3
// PARTS: %[[COUNT:.*]] = arith.maxsi %[[AT_MOST]], %c1
// PARTS: %[[STATES:.*]]:3 = scf.forall (%{{.*}}, %{{.*}}) in (12, %[[COUNT]]) {{.*}} -> (tensor<12x?x2x64x1xf32>, tensor<12x?x2x1xf32>, tensor<12x?x2x1xf32>)
// PARTS:   relattn.online_attention
// PARTS: scf.forall (%{{.*}}) in (12)
// PARTS:   tensor.extract_slice %[[STATES]]#0
// PARTS:   relattn.merge {{.*}} outs({{.*}} : tensor<2x64x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
func.func @decode(%q: tensor<12x2x64xf32>, %k: tensor<12x?x64xf32>, %slopes: tensor<12xf32>, %offset: index, %init: tensor<12x2x64xf32>) -> tensor<12x2x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<12x2x64xf32>, tensor<12x?x64xf32>, tensor<12x?x64xf32>)
    bias(#relattn.alibi, %slopes : tensor<12xf32>) query_offset(%offset : index) outs(%init : tensor<12x2x64xf32>)
  return %out : tensor<12x2x64xf32>
}

// -----

// One block of keys has no parts; keys of a column each are copied into rows.
// CHECK-LABEL: func @transposed_keys
// CHECK: %[[COPY:.*]] = linalg.generic {{.*}} ins(%arg1 : tensor<16x100xf32>) outs(%{{.*}} : tensor<100x16xf32>)
// CHECK: relattn.online_attention ins(%{{.*}}, %[[COPY]],
// PARTS-LABEL: func @transposed_keys
// PARTS-NOT: relattn.merge
func.func @transposed_keys(%q: tensor<3x16xf32>, %k: tensor<16x100xf32>, %v: tensor<100x16xf32>, %init: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %out = relattn.attention maps((m, d), (d, n), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<3x16xf32>, tensor<16x100xf32>, tensor<100x16xf32>)
    outs(%init : tensor<3x16xf32>)
  return %out : tensor<3x16xf32>
}

// -----

// Nine queries are a panel; where panels are wide they become narrower.
// CHECK-LABEL: func @nine
// CHECK: relattn.online_attention ins({{.*}} : tensor<64x16xf32>
// WIDE-LABEL: func @nine
// WIDE: relattn.online_attention ins({{.*}} : tensor<64x16xf32>
// The only block of queries, for 32 workers: its keys are in parts.
// PARTS-LABEL: func @nine
// PARTS: %[[STATES:.*]]:3 = scf.forall (%{{.*}}) in (%{{.*}}) {{.*}} -> (tensor<?x1x64x16xf32>, tensor<?x1x16xf32>, tensor<?x1x16xf32>)
// PARTS:   relattn.online_attention
// PARTS:   relattn.merge {{.*}} outs({{.*}} : tensor<1x64x16xf32>, tensor<1x16xf32>, tensor<1x16xf32>)
func.func @nine(%q: tensor<9x64xf32>, %k: tensor<?x64xf32>, %init: tensor<9x64xf32>) -> tensor<9x64xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<9x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
    outs(%init : tensor<9x64xf32>)
  return %out : tensor<9x64xf32>
}

// -----

// For 32 workers: blocks of one panel of 16 queries leave two to each, those of
// two panels as many queries, those of four twice as many.
// PARTS-LABEL: func @fewer_panels
// PARTS: scf.forall (%[[H:.*]], %{{.*}}) in (8, 3)
// CHECK-LABEL: func @fewer_panels
// CHECK: scf.forall (%[[H:.*]], %{{.*}}) in (8, 2)
func.func @fewer_panels(%q: tensor<8x80x64xf32>, %k: tensor<8x?x64xf32>, %init: tensor<8x80x64xf32>) -> tensor<8x80x64xf32> {
  %out = relattn.attention maps((g, m, d), (g, n, d), (g, n, e) -> (g, m, e)) ins(%q, %k, %k : tensor<8x80x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>)
    outs(%init : tensor<8x80x64xf32>)
  return %out : tensor<8x80x64xf32>
}

// -----

// Four blocks of one panel employ more workers than two parts of the keys would.
// PARTS-LABEL: func @panels_for_parts
// PARTS: scf.forall (%{{.*}}) in (4)
// PARTS-NOT: relattn.merge
// PARTS: return
func.func @panels_for_parts(%q: tensor<64x64xf32>, %k: tensor<128x64xf32>, %init: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<64x64xf32>, tensor<128x64xf32>, tensor<128x64xf32>)
    outs(%init : tensor<64x64xf32>)
  return %out : tensor<64x64xf32>
}

// -----

// Of 32 workers at most four have one of eight heads, whatever the batch: as many
// as there are panels.
// PARTS-LABEL: func @dynamic_batch
// PARTS-NOT: relattn.merge
// PARTS: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (%{{.*}}, 8, %{{.*}})
// PARTS-NOT: relattn.merge
// PARTS: return
func.func @dynamic_batch(%q: tensor<?x8x64x64xf32>, %k: tensor<?x8x?x64xf32>, %init: tensor<?x8x64x64xf32>) -> tensor<?x8x64x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<?x8x64x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>) outs(%init : tensor<?x8x64x64xf32>)
  return %out : tensor<?x8x64x64xf32>
}

// -----

// Rows are one block: each would read the keys.
// PARTS-LABEL: func @rows_for_workers
// PARTS: scf.forall (%{{.*}}, %{{.*}}) in (12, 3)
// PARTS:   scf.for %{{.*}} = %c0 to %c4 step %c1
// PARTS:     relattn.online_attention
func.func @rows_for_workers(%q: tensor<12x4x64xf32>, %k: tensor<12x2048x64xf32>, %init: tensor<12x4x64xf32>) -> tensor<12x4x64xf32> {
  %out = relattn.attention maps((g, m, d), (g, n, d), (g, n, e) -> (g, m, e)) ins(%q, %k, %k : tensor<12x4x64xf32>, tensor<12x2048x64xf32>, tensor<12x2048x64xf32>)
    outs(%init : tensor<12x4x64xf32>)
  return %out : tensor<12x4x64xf32>
}

// -----

// The same as @fewer_panels at run time; the tiles have room for four panels.
// PARTS-LABEL: func @fewer_panels_dynamic
// PARTS-SAME: %[[Q:[a-z0-9]*]]: tensor<8x?x64xf32>
// PARTS-DAG: %[[C16:.*]] = arith.constant 16 : index
// PARTS-DAG: %[[C17:.*]] = arith.constant 17 : index
// PARTS-DAG: %[[C32:.*]] = arith.constant 32 : index
// PARTS-DAG: %[[C1:.*]] = arith.constant 1 : index
// PARTS-DAG: %[[C2:.*]] = arith.constant 2 : index
// PARTS-DAG: %[[C4:.*]] = arith.constant 4 : index
// PARTS-DAG: %[[C8:.*]] = arith.constant 8 : index
// PARTS: %[[M:.*]] = tensor.dim %[[Q]], %[[C1]]
// PARTS: %[[ALL:.*]] = arith.ceildivsi %[[M]], %[[C16]]
// PARTS: %[[ENTRIES:.*]] = arith.muli %[[ALL]], %[[C8]]
// PARTS: %[[ONES:.*]] = arith.ceildivsi %[[ENTRIES]], %[[C32]]
// PARTS: %[[LIMIT:.*]] = arith.muli %[[ONES]], %[[C17]]
// PARTS: arith.ceildivsi %[[ALL]], %[[C2]]
// PARTS: %[[TWO:.*]] = arith.cmpi sle, %{{.*}}, %[[LIMIT]]
// PARTS: %[[PANELS:.*]] = arith.select %[[TWO]], %[[C2]], %[[C1]]
// PARTS: arith.ceildivsi %[[ALL]], %[[C4]]
// PARTS: %[[FOUR:.*]] = arith.cmpi sle, %{{.*}}, %[[LIMIT]]
// PARTS: %[[MOST:.*]] = arith.select %[[FOUR]], %[[C4]], %[[PANELS]]
// PARTS: %[[SIZE:.*]] = arith.muli %[[MOST]], %[[C16]]
// PARTS: %[[BLOCKS:.*]] = arith.ceildivsi %[[M]], %[[SIZE]]
// PARTS: scf.forall (%{{.*}}, %{{.*}}) in (8, %[[BLOCKS]])
// PARTS: tensor<4x64x16xf32>
func.func @fewer_panels_dynamic(%q: tensor<8x?x64xf32>, %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  %out = relattn.attention maps((g, m, d), (g, n, d), (g, n, e) -> (g, m, e)) ins(%q, %q, %q : tensor<8x?x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>)
    outs(%init : tensor<8x?x64xf32>)
  return %out : tensor<8x?x64xf32>
}

// -----

// Rows of keys that lie apart are copied once for all blocks of queries, as far
// as they are read; what one block of queries reads stays where it is.
// ROWSAPART-LABEL: func @rows_apart
// ROWSAPART: %[[KEYS:.*]] = scf.forall (%[[B:.*]], %{{.*}}, %[[G:.*]]) in (2, %{{.*}}, 16) shared_outs(%[[COPY:.*]] = %{{.*}}) -> (tensor<2x16x?x64xf32>) {
// ROWSAPART:   %[[LENGTH:.*]] = tensor.extract %arg3[%[[B]]]
// ROWSAPART:   %[[LEFT:.*]] = arith.subi %[[LENGTH]], %[[FIRST:.*]] : index
// ROWSAPART:   arith.minsi %{{.*}}, %[[LEFT]]
// ROWSAPART:   %[[SIZE:.*]] = arith.maxsi %{{.*}}, %c0
// ROWSAPART:   tensor.extract_slice %arg1[%[[B]], %[[FIRST]], %[[G]], 0] [1, %[[SIZE]], 1, 64]
// ROWSAPART:   tensor.extract_slice %[[COPY]][%[[B]], %[[G]], %[[FIRST]], 0] [1, 1, %[[SIZE]], 64]
// ROWSAPART:   linalg.generic {{.*}} {relattn.tile = "copy"}
// ROWSAPART: scf.forall {{.*}} -> (tensor<2x?x16x64xf32>)
// ROWSAPART-NOT: relattn.tile = "copy"
// ROWSAPART:   relattn.online_attention
func.func @rows_apart(%q: tensor<2x?x16x64xf32>, %k: tensor<2x?x16x64xf32>, %v: tensor<2x16x?x64xf32>, %lengths: tensor<2xindex>, %init: tensor<2x?x16x64xf32>) -> tensor<2x?x16x64xf32> {
  %out = relattn.attention maps((b, m, g, d), (b, n, g, d), (b, g, n, e) -> (b, m, g, e))
    ins(%q, %k, %v : tensor<2x?x16x64xf32>, tensor<2x?x16x64xf32>, tensor<2x16x?x64xf32>)
    key_lengths(%lengths : tensor<2xindex>) outs(%init : tensor<2x?x16x64xf32>)
  return %out : tensor<2x?x16x64xf32>
}

// -----

// ROWSAPART-LABEL: func @rows_apart_once
// ROWSAPART-NOT: relattn.tile = "copy"
// ROWSAPART: relattn.online_attention
// ROWSAPART-NOT: relattn.tile = "copy"
// ROWSAPART: return
func.func @rows_apart_once(%q: tensor<2x64x16x64xf32>, %k: tensor<2x?x16x64xf32>, %init: tensor<2x64x16x64xf32>) -> tensor<2x64x16x64xf32> {
  %out = relattn.attention maps((b, m, g, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, e))
    ins(%q, %k, %k : tensor<2x64x16x64xf32>, tensor<2x?x16x64xf32>, tensor<2x?x16x64xf32>) outs(%init : tensor<2x64x16x64xf32>)
  return %out : tensor<2x64x16x64xf32>
}

// -----

// In somebody's parallel loop nothing is copied, in either branch.
// BOTH-LABEL: func @in_parallel
// BOTH: scf.forall
// BOTH: scf.if
// BOTH-NOT: relattn.tile = "copy"
// BOTH: } else {
// BOTH-NOT: relattn.tile = "copy"
// BOTH: scf.forall.in_parallel
// BOTH-LABEL: func @many_intervals
func.func @in_parallel(%q: tensor<3x?x2x16xf32>, %k: tensor<3x?x2x16xf32>, %init: tensor<3x?x2x16xf32>, %m: index) -> tensor<3x?x2x16xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %k, %c1 : tensor<3x?x2x16xf32>
  %out = scf.forall (%b) in (3) shared_outs(%o = %init) -> tensor<3x?x2x16xf32> {
    %qb = tensor.extract_slice %q[%b, 0, 0, 0] [1, %m, 2, 16] [1, 1, 1, 1] : tensor<3x?x2x16xf32> to tensor<?x2x16xf32>
    %kb = tensor.extract_slice %k[%b, 0, 0, 0] [1, %n, 2, 16] [1, 1, 1, 1] : tensor<3x?x2x16xf32> to tensor<?x2x16xf32>
    %ob = tensor.extract_slice %o[%b, 0, 0, 0] [1, %m, 2, 16] [1, 1, 1, 1] : tensor<3x?x2x16xf32> to tensor<?x2x16xf32>
    %r = relattn.attention maps((m, g, d), (n, g, d), (n, g, e) -> (m, g, e)) ins(%qb, %kb, %kb : tensor<?x2x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16xf32>) outs(%ob : tensor<?x2x16xf32>)
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %o[%b, 0, 0, 0] [1, %m, 2, 16] [1, 1, 1, 1] : tensor<?x2x16xf32> into tensor<3x?x2x16xf32>
    }
  }
  return %out : tensor<3x?x2x16xf32>
}

// -----

// Of more than 64 buckets, the bucket of each place is computed once for all
// workers, and the table read by it.
// CHECK-LABEL: func @many_intervals
// CHECK: %[[IDS:.*]] = scf.for {{.*}} -> (tensor<?xi32>)
// CHECK: scf.forall (%[[H:[a-z0-9]+]], %{{.*}}) in (8, %{{.*}})
// CHECK:   %[[PLACES:.*]] = tensor.extract_slice %[[IDS]][%{{.*}}] [%[[COUNT:.*]]] [1]
// CHECK:   %[[STRIP:.*]] = linalg.generic {{.*}} ins(%[[PLACES]] : tensor<?xi32>) outs({{.*}} : tensor<?xf32>)
// CHECK:     tensor.extract %arg1[%{{.*}}, %[[H]]]
// CHECK:   relattn.online_attention {{.*}} strip(%[[STRIP]] at
func.func @many_intervals(%q: tensor<8x?x64xf32>, %table: tensor<129x8xf32>, %init: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  %out = relattn.attention ins(%q, %q, %q : tensor<8x?x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>)
    bias(#relattn.clip<lo = -64, hi = 64>, %table : tensor<129x8xf32>) outs(%init : tensor<8x?x64xf32>)
  return %out : tensor<8x?x64xf32>
}

// -----

// Panels of one query that are not as many as there are queries are no rows: their
// strip does not ascend.
// ONELANE-LABEL: func @one_lane
// ONELANE: relattn.online_attention {{.*}} strip(%{{.*}} at %{{[^ ]*}} :
func.func @one_lane(%q: tensor<2x200x8xf32>, %k: tensor<2x90x8xf32>, %table: tensor<2x2xf32>, %init: tensor<2x200x8xf32>) -> tensor<2x200x8xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<2x200x8xf32>, tensor<2x90x8xf32>, tensor<2x90x8xf32>)
    bias(#relattn.steps<buckets = 2, starts = [0], ids = [0, 1]>, %table : tensor<2x2xf32>) outs(%init : tensor<2x200x8xf32>)
  return %out : tensor<2x200x8xf32>
}

// -----

// A static number of queries says whether there is half a panel, or a quarter.
// WIDE-LABEL: func @no_half
// WIDE-NOT: scf.if
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x64xf32>, {{.*}}
// WIDE-NOT: relattn.online_attention
// WIDE-LABEL: func @half
// WIDE: scf.if
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x32xf32>, {{.*}}
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x64xf32>, {{.*}}
// WIDE-LABEL: func @quarter
// WIDE: arith.cmpi sle, %{{.*}}, %c16
// WIDE: scf.if
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x16xf32>, {{.*}}
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x64xf32>, {{.*}}
// WIDE-NOT: relattn.online_attention
// WIDE-LABEL: func @any
// WIDE: scf.if
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x16xf32>, {{.*}}
// WIDE: scf.if
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x32xf32>, {{.*}}
// WIDE: relattn.online_attention ins({{.*}} : tensor<8x64xf32>, {{.*}}
// WIDE-NOT: relattn.online_attention
func.func @no_half(%q: tensor<100x8xf32>, %k: tensor<64x8xf32>, %init: tensor<100x8xf32>) -> tensor<100x8xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<100x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>) outs(%init : tensor<100x8xf32>)
  return %out : tensor<100x8xf32>
}
func.func @half(%q: tensor<96x8xf32>, %k: tensor<64x8xf32>, %init: tensor<96x8xf32>) -> tensor<96x8xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<96x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>) outs(%init : tensor<96x8xf32>)
  return %out : tensor<96x8xf32>
}
func.func @quarter(%q: tensor<80x8xf32>, %k: tensor<64x8xf32>, %init: tensor<80x8xf32>) -> tensor<80x8xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<80x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>) outs(%init : tensor<80x8xf32>)
  return %out : tensor<80x8xf32>
}
func.func @any(%q: tensor<?x8xf32>, %k: tensor<64x8xf32>, %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<?x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>) outs(%init : tensor<?x8xf32>)
  return %out : tensor<?x8xf32>
}

// -----

// Below a band, a panel's last keys are seen by its upper half alone: all lanes meet
// the keys before these, if there are any, and half of them the rest, if there is
// any. The strip starts where the half and its keys meet.
// WIDE-LABEL: func @halves
// WIDE: scf.for {{.*}} step %c128
// WIDE: scf.for %[[PANEL:.*]] = %c0 to
// WIDE: arith.addi %{{.*}}, %c32
// WIDE: arith.maxsi
// WIDE: %[[COMMON:.*]] = arith.minsi %{{.*}}, %[[KEYS:[0-9]+]] : index
// WIDE: %[[OTHERS:.*]] = arith.subi %[[KEYS]], %[[COMMON]]
// WIDE: %[[NOCOMMON:.*]] = arith.cmpi eq, %[[COMMON]], %c0
// WIDE: %[[BEGIN:.*]] = arith.select %[[NOCOMMON]], %c1, %c0
// WIDE: %[[NOOTHERS:.*]] = arith.cmpi eq, %[[OTHERS]], %c0
// WIDE: %[[END:.*]] = arith.select %[[NOOTHERS]], %c1, %c2
// WIDE: scf.for %[[PART:.*]] = %[[BEGIN]] to %[[END]] step %c1
// WIDE:   %[[ISALL:.*]] = arith.cmpi eq, %[[PART]], %c0
// WIDE:   %[[LANE:.*]] = arith.select %[[ISALL]], %c0, %c32
// WIDE:   %[[QUERIES:.*]] = arith.select %[[ISALL]], %[[ALL:.*]], %{{.*}}
// WIDE:   %[[KEY:.*]] = arith.select %[[ISALL]], %c0, %[[COMMON]]
// WIDE:   %[[COUNT:.*]] = arith.select %[[ISALL]], %[[COMMON]], %[[OTHERS]]
// WIDE:   tensor.extract_slice %{{.*}}[%[[KEY]], 0] [%[[COUNT]], 64]
// WIDE:   %[[PLACE:.*]] = arith.subi %{{.*}}, %[[KEY]]
// WIDE:   arith.cmpi sle, %[[QUERIES]], %c16
// WIDE:   arith.cmpi sle, %[[QUERIES]], %c32
// WIDE:   tensor.extract_slice %{{.*}}[%[[PANEL]], 0, %[[LANE]]] [1, 64, 32]
// WIDE:   relattn.online_attention ins(%{{.*}} : tensor<64x32xf32>, tensor<?x64xf32>, tensor<?x64xf32>) strip(%{{.*}} at %[[PLACE]]
// WIDE:   tensor.insert_slice %{{.*}}[%[[PANEL]], 0, %[[LANE]]] [1, 64, 32]
// WIDE:   relattn.online_attention ins(%{{.*}} : tensor<64x64xf32>
// Of 16 lanes half would be fewer than worth it.
// CHECK-LABEL: func @halves
// CHECK-COUNT-1: relattn.online_attention
// CHECK-NOT: relattn.online_attention
// CHECK: return
func.func @halves(%q: tensor<8x?x64xf32>, %k: tensor<8x?x64xf32>, %v: tensor<8x?x64xf32>, %table: tensor<32x8xf32>, %out: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  %0 = relattn.attention causal maps((g, m, d), (g, n, d), (g, n, e) -> (g, m, e)) ins(%q, %k, %v : tensor<8x?x64xf32>, tensor<8x?x64xf32>, tensor<8x?x64xf32>) bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x8xf32>) outs(%out : tensor<8x?x64xf32>)
  return %0 : tensor<8x?x64xf32>
}

// -----

// A static number of queries, of which the last panel has too many for half of the
// lanes, has these for the upper half nevertheless.
// WIDE-LABEL: func @halves_static
// WIDE: relattn.online_attention ins(%{{.*}} : tensor<64x32xf32>
// WIDE: relattn.online_attention ins(%{{.*}} : tensor<64x64xf32>
// WIDE-NOT: relattn.online_attention
func.func @halves_static(%q: tensor<170x64xf32>, %k: tensor<?x64xf32>, %v: tensor<?x64xf32>, %out: tensor<170x64xf32>) -> tensor<170x64xf32> {
  %0 = relattn.attention causal maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<170x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) outs(%out : tensor<170x64xf32>)
  return %0 : tensor<170x64xf32>
}
