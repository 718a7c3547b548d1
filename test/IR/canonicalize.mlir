// RUN: relattn-opt %s --canonicalize --split-input-file | FileCheck %s

// CHECK-LABEL: func @zero_table_goes
// CHECK-NOT: bias(
func.func @zero_table_goes(%q: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %table = arith.constant dense<0.0> : tensor<32x1xf32>
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x1xf32>) outs(%q : tensor<4x8xf32>)
  return %0 : tensor<4x8xf32>
}

// -----

// Negative zeros count, and so does a fill.
// CHECK-LABEL: func @zero_strip_and_dense_go
// CHECK-NOT: bias(
func.func @zero_strip_and_dense_go(%q: tensor<4x8xf32>, %zero: index, %n: index) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %strip = arith.constant dense<[-0.0, 0.0]> : tensor<2xf32>
  %c0 = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %dense = linalg.fill ins(%c0 : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<2xf32>) outs(%q : tensor<4x8xf32>)
  %1 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.dense<(m, n)>, %dense : tensor<4x4xf32>) outs(%q : tensor<4x8xf32>)
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @one_nonzero_entry_stays
// CHECK: bias(
func.func @one_nonzero_entry_stays(%q: tensor<4x8xf32>, %zero: index) -> tensor<4x8xf32> {
  %strip = arith.constant dense<[0.0, 1.0e-45]> : tensor<2xf32>
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
    bias(#relattn.strip, %strip, %zero : tensor<2xf32>) outs(%q : tensor<4x8xf32>)
  return %0 : tensor<4x8xf32>
}

// -----

// Offsets are in [-3, 4]: the first band covers them, the second hides one.
// CHECK-LABEL: func @wide_band_goes
// CHECK: attention ins(
// CHECK: attention band<-2, *> ins(
// CHECK: attention band<*, 3> ins(
func.func @wide_band_goes(%q: tensor<4x8xf32>, %kv: tensor<5x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = relattn.attention band<-3, 4> ins(%q, %kv, %kv : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>) outs(%q : tensor<4x8xf32>)
  %1 = relattn.attention band<-2, 100> ins(%q, %kv, %kv : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>) outs(%q : tensor<4x8xf32>)
  %2 = relattn.attention band<*, 3> ins(%q, %kv, %kv : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>) outs(%q : tensor<4x8xf32>)
  return %0, %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// A constant query offset shifts the offsets; an unknown one keeps the band.
// CHECK-LABEL: func @wide_band_with_query_offset
// CHECK: attention ins(
// CHECK: attention causal ins(
func.func @wide_band_with_query_offset(%q: tensor<4x8xf32>, %kv: tensor<5x8xf32>, %offset: index) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %c4 = arith.constant 4 : index
  %0 = relattn.attention causal ins(%q, %kv, %kv : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>)
    query_offset(%c4 : index) outs(%q : tensor<4x8xf32>)
  %1 = relattn.attention causal ins(%q, %kv, %kv : tensor<4x8xf32>, tensor<5x8xf32>, tensor<5x8xf32>)
    query_offset(%offset : index) outs(%q : tensor<4x8xf32>)
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @dynamic_length_keeps_the_band
// CHECK: band<-1000, 1000>
func.func @dynamic_length_keeps_the_band(%q: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = relattn.attention band<-1000, 1000> ins(%q, %q, %q : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) outs(%q : tensor<?x8xf32>)
  return %0 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func @unbounded_band_goes
// CHECK: attention ins(
func.func @unbounded_band_goes(%q: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = relattn.attention band<*, *> ins(%q, %q, %q : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) outs(%q : tensor<?x8xf32>)
  return %0 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func @masks_that_hide_nothing_go
// CHECK-NOT: mask(
// CHECK: return
func.func @masks_that_hide_nothing_go(%q: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %true = arith.constant dense<true> : tensor<4x4xi1>
  %zeros = arith.constant dense<0.0> : tensor<4xf32>
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) mask(%true : tensor<4x4xi1>) outs(%q : tensor<4x8xf32>)
  %1 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) mask(%zeros (n) : tensor<4xf32>) outs(%q : tensor<4x8xf32>)
  return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @mask_with_one_hidden_key_stays
// CHECK: mask(
func.func @mask_with_one_hidden_key_stays(%q: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %mask = arith.constant dense<[true, true, false, true]> : tensor<4xi1>
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) mask(%mask (n) : tensor<4xi1>) outs(%q : tensor<4x8xf32>)
  return %0 : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @zero_query_offset_goes
// CHECK-NOT: query_offset(
// CHECK: return
func.func @zero_query_offset_goes(%q: tensor<2x1x4x8xf32>) -> (tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) {
  %c0 = arith.constant 0 : index
  %zeros = arith.constant dense<0> : tensor<2xi32>
  %0 = relattn.attention causal ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) query_offset(%c0 : index) outs(%q : tensor<2x1x4x8xf32>)
  %1 = relattn.attention causal ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) query_offset(%zeros : tensor<2xi32>) outs(%q : tensor<2x1x4x8xf32>)
  return %0, %1 : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>
}

// -----

// CHECK-LABEL: func @full_key_lengths_go
// CHECK-NOT: key_lengths(
// CHECK: attention
// CHECK: attention
// CHECK-SAME: key_lengths(
func.func @full_key_lengths_go(%q: tensor<2x1x4x8xf32>) -> (tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) {
  %full = arith.constant dense<[4, 9]> : tensor<2xi64>
  %short = arith.constant dense<[4, 3]> : tensor<2xi64>
  %0 = relattn.attention ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) key_lengths(%full : tensor<2xi64>) outs(%q : tensor<2x1x4x8xf32>)
  %1 = relattn.attention ins(%q, %q, %q : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>) key_lengths(%short : tensor<2xi64>) outs(%q : tensor<2x1x4x8xf32>)
  return %0, %1 : tensor<2x1x4x8xf32>, tensor<2x1x4x8xf32>
}

// -----

// Casts of operands and of the result are absorbed.
// CHECK-LABEL: func @casts_are_absorbed
// CHECK-SAME: (%[[Q:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[OUT:.*]] = relattn.attention ins(%[[Q]], %[[Q]], %[[Q]] : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%[[Q]] : tensor<4x8xf32>)
// CHECK-NEXT: return %[[OUT]]
func.func @casts_are_absorbed(%q: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %d = tensor.cast %q : tensor<4x8xf32> to tensor<?x8xf32>
  %0 = relattn.attention ins(%d, %d, %d : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) outs(%d : tensor<?x8xf32>)
  %1 = tensor.cast %0 : tensor<?x8xf32> to tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @result_cast_moves_to_the_destination
// CHECK: %[[INIT:.*]] = tensor.cast %{{.*}} : tensor<?x?xf32> to tensor<8x7xf32>
// CHECK: %[[STRIP:.*]] = relattn.bias_strip #relattn.alibi {{.*}} outs(%[[INIT]] : tensor<8x7xf32>)
// CHECK: return %[[STRIP]]
func.func @result_cast_moves_to_the_destination(%slopes: tensor<8xf32>, %zero: index, %init: tensor<?x?xf32>) -> tensor<8x7xf32> {
  %0 = relattn.bias_strip #relattn.alibi ins(%slopes : tensor<8xf32>) zero(%zero) outs(%init : tensor<?x?xf32>)
  %1 = tensor.cast %0 : tensor<?x?xf32> to tensor<8x7xf32>
  return %1 : tensor<8x7xf32>
}

// -----

// A cast that contradicts the operands is wrong at run time, and stays.
// CHECK-LABEL: func @contradicting_cast_stays
// CHECK: relattn.attention
// CHECK: tensor.cast
func.func @contradicting_cast_stays(%q: tensor<4x8xf32>, %init: tensor<?x8xf32>) -> tensor<5x8xf32> {
  %0 = relattn.attention ins(%q, %q, %q : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) outs(%init : tensor<?x8xf32>)
  %1 = tensor.cast %0 : tensor<?x8xf32> to tensor<5x8xf32>
  return %1 : tensor<5x8xf32>
}

// -----

// CHECK-LABEL: func @constant_offsets_fold
// CHECK-DAG: arith.constant 21 : i8
// CHECK-DAG: arith.constant dense<[15, 5, 0, 21, 31]> : tensor<5xi32>
// CHECK-DAG: arith.constant dense<17> : tensor<2x2xindex>
// CHECK-NOT: relattn.bucket
func.func @constant_offsets_fold() -> (i8, tensor<5xi32>, tensor<2x2xindex>) {
  %five = arith.constant 5 : index
  %offsets = arith.constant dense<[-91, -5, 0, 5, 91]> : tensor<5xi64>
  %ones = arith.constant dense<1> : tensor<2x2xi16>
  %0 = relattn.bucket #relattn.t5<buckets = 32, max_distance = 128, bidirectional> %five : index -> i8
  %1 = relattn.bucket #relattn.t5<buckets = 32, max_distance = 128, bidirectional> %offsets : tensor<5xi64> -> tensor<5xi32>
  %2 = relattn.bucket #relattn.t5<buckets = 32, max_distance = 128, bidirectional> %ones : tensor<2x2xi16> -> tensor<2x2xindex>
  return %0, %1, %2 : i8, tensor<5xi32>, tensor<2x2xindex>
}
