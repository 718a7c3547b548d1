// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// A decode step: one query per sequence at its own position (5, 20 and -2), so
// the last one sees no key at all: output 0, log-sum-exp -inf.

// CHECK: attention: ok
// CHECK: lse: ok
// CHECK: 2 passed, 0 failed

func.func private @relattnFillF32(memref<*xf32>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF32(memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckLseF32(memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<3x2x1x16xf32>, %k: memref<3x2x33x16xf32>, %v: memref<3x2x33x16xf32>, %b: memref<32x2xf32>, %positions: memref<3xi64>, %o: memref<3x2x1x16xf32>, %l: memref<3x2x1xf32>) {
  %query = bufferization.to_tensor %q restrict : memref<3x2x1x16xf32> to tensor<3x2x1x16xf32>
  %key = bufferization.to_tensor %k restrict : memref<3x2x33x16xf32> to tensor<3x2x33x16xf32>
  %value = bufferization.to_tensor %v restrict : memref<3x2x33x16xf32> to tensor<3x2x33x16xf32>
  %bias = bufferization.to_tensor %b restrict : memref<32x2xf32> to tensor<32x2xf32>
  %init = bufferization.to_tensor %o restrict writable : memref<3x2x1x16xf32> to tensor<3x2x1x16xf32>
  %lse_init = bufferization.to_tensor %l restrict writable : memref<3x2x1xf32> to tensor<3x2x1xf32>
  %query_offset = bufferization.to_tensor %positions restrict : memref<3xi64> to tensor<3xi64>
  %out, %lse = relattn.attention causal
      ins(%query, %key, %value : tensor<3x2x1x16xf32>, tensor<3x2x33x16xf32>, tensor<3x2x33x16xf32>)
      bias(#relattn.t5<buckets = 32, max_distance = 128>, %bias : tensor<32x2xf32>)
      query_offset(%query_offset : tensor<3xi64>)
      outs(%init, %lse_init : tensor<3x2x1x16xf32>, tensor<3x2x1xf32>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<3x2x1x16xf32>, memref<3x2x1x16xf32>) -> ()
  bufferization.materialize_in_destination %lse in restrict writable %l : (tensor<3x2x1xf32>, memref<3x2x1xf32>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<32x2xf32>, %positions: memref<3xi64>, %additive: memref<3x2x1x33xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<3x2x1x33xf64>) {
  ^bb0(%unused: f64):
    %batch = linalg.index 0 : index
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %position = memref.load %positions[%batch] : memref<3xi64>
    %shift = arith.index_cast %position : i64 to index
    %query = arith.addi %i, %shift : index
    %offset = arith.subi %j, %query : index
    %c0 = arith.constant 0 : index
    %negated = arith.subi %c0, %offset : index
    %distance = arith.maxsi %negated, %c0 : index
    %c16 = arith.constant 16 : index
    %bucket_0 = arith.minsi %distance, %c16 : index
    %t_0 = arith.constant 19 : index
    %ge_0 = arith.cmpi sge, %distance, %t_0 : index
    %add_0 = arith.index_castui %ge_0 : i1 to index
    %bucket_1 = arith.addi %bucket_0, %add_0 : index
    %t_1 = arith.constant 21 : index
    %ge_1 = arith.cmpi sge, %distance, %t_1 : index
    %add_1 = arith.index_castui %ge_1 : i1 to index
    %bucket_2 = arith.addi %bucket_1, %add_1 : index
    %entry = memref.load %b[%bucket_2, %h] : memref<32x2xf32>
    %value = arith.extf %entry : f32 to f64
    %minus_infinity = arith.constant 0xFFF0000000000000 : f64
    %visible = arith.cmpi sle, %offset, %c0 : index
    %masked = arith.select %visible, %value, %minus_infinity : f64
    linalg.yield %masked : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<3x2x1x16xf32>
  %k = memref.alloc() : memref<3x2x33x16xf32>
  %v = memref.alloc() : memref<3x2x33x16xf32>
  %b = memref.alloc() : memref<32x2xf32>
  %o = memref.alloc() : memref<3x2x1x16xf32>
  %l = memref.alloc() : memref<3x2x1xf32>
  %additive = memref.alloc() : memref<3x2x1x33xf64>
  %q_any = memref.cast %q : memref<3x2x1x16xf32> to memref<*xf32>
  %k_any = memref.cast %k : memref<3x2x33x16xf32> to memref<*xf32>
  %v_any = memref.cast %v : memref<3x2x33x16xf32> to memref<*xf32>
  %b_any = memref.cast %b : memref<32x2xf32> to memref<*xf32>
  %o_any = memref.cast %o : memref<3x2x1x16xf32> to memref<*xf32>
  %l_any = memref.cast %l : memref<3x2x1xf32> to memref<*xf32>
  %additive_any = memref.cast %additive : memref<3x2x1x33xf64> to memref<*xf64>
  %one = arith.constant 1.0 : f64
  %two = arith.constant 2.0 : f64
  %seed_q = arith.constant 1 : i64
  func.call @relattnFillF32(%q_any, %seed_q, %two) : (memref<*xf32>, i64, f64) -> ()
  %seed_k = arith.constant 2 : i64
  func.call @relattnFillF32(%k_any, %seed_k, %one) : (memref<*xf32>, i64, f64) -> ()
  %seed_v = arith.constant 3 : i64
  func.call @relattnFillF32(%v_any, %seed_v, %one) : (memref<*xf32>, i64, f64) -> ()
  %seed_b = arith.constant 4 : i64
  func.call @relattnFillF32(%b_any, %seed_b, %two) : (memref<*xf32>, i64, f64) -> ()
  %positions = memref.alloc() : memref<3xi64>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %five = arith.constant 5 : i64
  %twenty = arith.constant 20 : i64
  %minus_two = arith.constant -2 : i64
  memref.store %five, %positions[%c0] : memref<3xi64>
  memref.store %twenty, %positions[%c1] : memref<3xi64>
  memref.store %minus_two, %positions[%c2] : memref<3xi64>
  func.call @definition(%b, %positions, %additive) : (memref<32x2xf32>, memref<3xi64>, memref<3x2x1x33xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %positions, %o, %l) : (memref<3x2x1x16xf32>, memref<3x2x33x16xf32>, memref<3x2x33x16xf32>, memref<32x2xf32>, memref<3xi64>, memref<3x2x1x16xf32>, memref<3x2x1xf32>) -> ()
  func.call @relattnCheckAttentionF32(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  func.call @relattnCheckLseF32(%q_any, %k_any, %additive_any, %l_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  memref.dealloc %q : memref<3x2x1x16xf32>
  memref.dealloc %k : memref<3x2x33x16xf32>
  memref.dealloc %v : memref<3x2x33x16xf32>
  memref.dealloc %b : memref<32x2xf32>
  memref.dealloc %o : memref<3x2x1x16xf32>
  memref.dealloc %l : memref<3x2x1xf32>
  memref.dealloc %additive : memref<3x2x1x33xf64>
  memref.dealloc %positions : memref<3xi64>
  func.call @relattnFinish() : () -> ()
  return
}
