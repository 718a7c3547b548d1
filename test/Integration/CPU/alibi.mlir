// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// ALiBi: -slope[h] * |offset|, here with arbitrary slopes, in f64, scaled.

// CHECK: attention: ok
// CHECK: 1 passed, 0 failed

func.func private @relattnFillF64(memref<*xf64>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF64(memref<*xf64>, memref<*xf64>, memref<*xf64>, memref<*xf64>, memref<*xf64>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<1x3x33x17xf64>, %k: memref<1x3x65x17xf64>, %v: memref<1x3x65x17xf64>, %b: memref<3xf64>, %o: memref<1x3x33x17xf64>) {
  %query = bufferization.to_tensor %q restrict : memref<1x3x33x17xf64> to tensor<1x3x33x17xf64>
  %key = bufferization.to_tensor %k restrict : memref<1x3x65x17xf64> to tensor<1x3x65x17xf64>
  %value = bufferization.to_tensor %v restrict : memref<1x3x65x17xf64> to tensor<1x3x65x17xf64>
  %bias = bufferization.to_tensor %b restrict : memref<3xf64> to tensor<3xf64>
  %init = bufferization.to_tensor %o restrict writable : memref<1x3x33x17xf64> to tensor<1x3x33x17xf64>
  %out = relattn.attention scale(0.24253562503633297)
      ins(%query, %key, %value : tensor<1x3x33x17xf64>, tensor<1x3x65x17xf64>, tensor<1x3x65x17xf64>)
      bias(#relattn.alibi, %bias : tensor<3xf64>)
      outs(%init : tensor<1x3x33x17xf64>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<1x3x33x17xf64>, memref<1x3x33x17xf64>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<3xf64>, %additive: memref<1x3x33x65xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<1x3x33x65xf64>) {
  ^bb0(%unused: f64):
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %c0 = arith.constant 0 : index
    %negated = arith.subi %c0, %offset : index
    %distance = arith.maxsi %offset, %negated : index
    %slope = memref.load %b[%h] : memref<3xf64>
    %wide = arith.index_cast %distance : index to i64
    %length = arith.sitofp %wide : i64 to f64
    %product = arith.mulf %slope, %length : f64
    %value = arith.negf %product : f64
    linalg.yield %value : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<1x3x33x17xf64>
  %k = memref.alloc() : memref<1x3x65x17xf64>
  %v = memref.alloc() : memref<1x3x65x17xf64>
  %b = memref.alloc() : memref<3xf64>
  %o = memref.alloc() : memref<1x3x33x17xf64>
  %additive = memref.alloc() : memref<1x3x33x65xf64>
  %q_any = memref.cast %q : memref<1x3x33x17xf64> to memref<*xf64>
  %k_any = memref.cast %k : memref<1x3x65x17xf64> to memref<*xf64>
  %v_any = memref.cast %v : memref<1x3x65x17xf64> to memref<*xf64>
  %b_any = memref.cast %b : memref<3xf64> to memref<*xf64>
  %o_any = memref.cast %o : memref<1x3x33x17xf64> to memref<*xf64>
  %additive_any = memref.cast %additive : memref<1x3x33x65xf64> to memref<*xf64>
  %one = arith.constant 1.0 : f64
  %two = arith.constant 2.0 : f64
  %seed_q = arith.constant 1 : i64
  func.call @relattnFillF64(%q_any, %seed_q, %two) : (memref<*xf64>, i64, f64) -> ()
  %seed_k = arith.constant 2 : i64
  func.call @relattnFillF64(%k_any, %seed_k, %one) : (memref<*xf64>, i64, f64) -> ()
  %seed_v = arith.constant 3 : i64
  func.call @relattnFillF64(%v_any, %seed_v, %one) : (memref<*xf64>, i64, f64) -> ()
  %seed_b = arith.constant 4 : i64
  func.call @relattnFillF64(%b_any, %seed_b, %two) : (memref<*xf64>, i64, f64) -> ()
  func.call @definition(%b, %additive) : (memref<3xf64>, memref<1x3x33x65xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %o) : (memref<1x3x33x17xf64>, memref<1x3x65x17xf64>, memref<1x3x65x17xf64>, memref<3xf64>, memref<1x3x33x17xf64>) -> ()
  %scale = arith.constant 0.24253562503633297 : f64
  func.call @relattnCheckAttentionF64(%q_any, %k_any, %v_any, %additive_any, %o_any, %scale) : (memref<*xf64>, memref<*xf64>, memref<*xf64>, memref<*xf64>, memref<*xf64>, f64) -> ()
  memref.dealloc %q : memref<1x3x33x17xf64>
  memref.dealloc %k : memref<1x3x65x17xf64>
  memref.dealloc %v : memref<1x3x65x17xf64>
  memref.dealloc %b : memref<3xf64>
  memref.dealloc %o : memref<1x3x33x17xf64>
  memref.dealloc %additive : memref<1x3x33x65xf64>
  func.call @relattnFinish() : () -> ()
  return
}
