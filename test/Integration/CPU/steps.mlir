// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// Explicit intervals, with a bucket used twice and one never.

// CHECK: attention: ok
// CHECK: 1 passed, 0 failed

func.func private @relattnFillF32(memref<*xf32>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF32(memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<1x2x40x8xf32>, %k: memref<1x2x33x8xf32>, %v: memref<1x2x33x8xf32>, %b: memref<4x2xf32>, %o: memref<1x2x40x8xf32>) {
  %query = bufferization.to_tensor %q restrict : memref<1x2x40x8xf32> to tensor<1x2x40x8xf32>
  %key = bufferization.to_tensor %k restrict : memref<1x2x33x8xf32> to tensor<1x2x33x8xf32>
  %value = bufferization.to_tensor %v restrict : memref<1x2x33x8xf32> to tensor<1x2x33x8xf32>
  %bias = bufferization.to_tensor %b restrict : memref<4x2xf32> to tensor<4x2xf32>
  %init = bufferization.to_tensor %o restrict writable : memref<1x2x40x8xf32> to tensor<1x2x40x8xf32>
  %out = relattn.attention
      ins(%query, %key, %value : tensor<1x2x40x8xf32>, tensor<1x2x33x8xf32>, tensor<1x2x33x8xf32>)
      bias(#relattn.steps<buckets = 4, starts = [-20, -4, 1, 12], ids = [2, 0, 1, 0, 2]>, %bias : tensor<4x2xf32>)
      outs(%init : tensor<1x2x40x8xf32>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<1x2x40x8xf32>, memref<1x2x40x8xf32>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<4x2xf32>, %additive: memref<1x2x40x33xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<1x2x40x33xf64>) {
  ^bb0(%unused: f64):
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c-20 = arith.constant -20 : index
    %c-4 = arith.constant -4 : index
    %c12 = arith.constant 12 : index
    %in_1 = arith.cmpi sge, %offset, %c-20 : index
    %row_1 = arith.select %in_1, %c0, %c2 : index
    %in_2 = arith.cmpi sge, %offset, %c-4 : index
    %row_2 = arith.select %in_2, %c1, %row_1 : index
    %in_3 = arith.cmpi sge, %offset, %c1 : index
    %row_3 = arith.select %in_3, %c0, %row_2 : index
    %in_4 = arith.cmpi sge, %offset, %c12 : index
    %row = arith.select %in_4, %c2, %row_3 : index
    %entry = memref.load %b[%row, %h] : memref<4x2xf32>
    %value = arith.extf %entry : f32 to f64
    linalg.yield %value : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<1x2x40x8xf32>
  %k = memref.alloc() : memref<1x2x33x8xf32>
  %v = memref.alloc() : memref<1x2x33x8xf32>
  %b = memref.alloc() : memref<4x2xf32>
  %o = memref.alloc() : memref<1x2x40x8xf32>
  %additive = memref.alloc() : memref<1x2x40x33xf64>
  %q_any = memref.cast %q : memref<1x2x40x8xf32> to memref<*xf32>
  %k_any = memref.cast %k : memref<1x2x33x8xf32> to memref<*xf32>
  %v_any = memref.cast %v : memref<1x2x33x8xf32> to memref<*xf32>
  %b_any = memref.cast %b : memref<4x2xf32> to memref<*xf32>
  %o_any = memref.cast %o : memref<1x2x40x8xf32> to memref<*xf32>
  %additive_any = memref.cast %additive : memref<1x2x40x33xf64> to memref<*xf64>
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
  func.call @definition(%b, %additive) : (memref<4x2xf32>, memref<1x2x40x33xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %o) : (memref<1x2x40x8xf32>, memref<1x2x33x8xf32>, memref<1x2x33x8xf32>, memref<4x2xf32>, memref<1x2x40x8xf32>) -> ()
  func.call @relattnCheckAttentionF32(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  memref.dealloc %q : memref<1x2x40x8xf32>
  memref.dealloc %k : memref<1x2x33x8xf32>
  memref.dealloc %v : memref<1x2x33x8xf32>
  memref.dealloc %b : memref<4x2xf32>
  memref.dealloc %o : memref<1x2x40x8xf32>
  memref.dealloc %additive : memref<1x2x40x33xf64>
  func.call @relattnFinish() : () -> ()
  return
}
