// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// Caches of 20 slots with 7, 20 and 0 keys. The slots beyond hold NaN, which must
// not reach any result; the empty one gives 0 and -inf.

// CHECK: attention: ok
// CHECK: lse: ok
// CHECK: 2 passed, 0 failed

func.func private @relattnFillF32(memref<*xf32>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF32(memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckLseF32(memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<3x2x5x16xf32>, %k: memref<3x2x20x16xf32>, %v: memref<3x2x20x16xf32>, %b: memref<2xf32>, %lengths: memref<3xi32>, %o: memref<3x2x5x16xf32>, %l: memref<3x2x5xf32>) {
  %query = bufferization.to_tensor %q restrict : memref<3x2x5x16xf32> to tensor<3x2x5x16xf32>
  %key = bufferization.to_tensor %k restrict : memref<3x2x20x16xf32> to tensor<3x2x20x16xf32>
  %value = bufferization.to_tensor %v restrict : memref<3x2x20x16xf32> to tensor<3x2x20x16xf32>
  %bias = bufferization.to_tensor %b restrict : memref<2xf32> to tensor<2xf32>
  %init = bufferization.to_tensor %o restrict writable : memref<3x2x5x16xf32> to tensor<3x2x5x16xf32>
  %lse_init = bufferization.to_tensor %l restrict writable : memref<3x2x5xf32> to tensor<3x2x5xf32>
  %key_lengths = bufferization.to_tensor %lengths restrict : memref<3xi32> to tensor<3xi32>
  %out, %lse = relattn.attention
      ins(%query, %key, %value : tensor<3x2x5x16xf32>, tensor<3x2x20x16xf32>, tensor<3x2x20x16xf32>)
      bias(#relattn.alibi, %bias : tensor<2xf32>)
      key_lengths(%key_lengths : tensor<3xi32>)
      outs(%init, %lse_init : tensor<3x2x5x16xf32>, tensor<3x2x5xf32>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<3x2x5x16xf32>, memref<3x2x5x16xf32>) -> ()
  bufferization.materialize_in_destination %lse in restrict writable %l : (tensor<3x2x5xf32>, memref<3x2x5xf32>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<2xf32>, %lengths: memref<3xi32>, %additive: memref<3x2x5x20xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<3x2x5x20xf64>) {
  ^bb0(%unused: f64):
    %batch = linalg.index 0 : index
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %c0 = arith.constant 0 : index
    %negated = arith.subi %c0, %offset : index
    %distance = arith.maxsi %offset, %negated : index
    %slope = memref.load %b[%h] : memref<2xf32>
    %wide = arith.index_cast %distance : index to i64
    %length = arith.sitofp %wide : i64 to f64
    %slope_f64 = arith.extf %slope : f32 to f64
    %product = arith.mulf %slope_f64, %length : f64
    %value = arith.negf %product : f64
    %minus_infinity = arith.constant 0xFFF0000000000000 : f64
    %entry = memref.load %lengths[%batch] : memref<3xi32>
    %keys = arith.index_cast %entry : i32 to index
    %visible = arith.cmpi slt, %j, %keys : index
    %masked = arith.select %visible, %value, %minus_infinity : f64
    linalg.yield %masked : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<3x2x5x16xf32>
  %k = memref.alloc() : memref<3x2x20x16xf32>
  %v = memref.alloc() : memref<3x2x20x16xf32>
  %b = memref.alloc() : memref<2xf32>
  %o = memref.alloc() : memref<3x2x5x16xf32>
  %l = memref.alloc() : memref<3x2x5xf32>
  %additive = memref.alloc() : memref<3x2x5x20xf64>
  %q_any = memref.cast %q : memref<3x2x5x16xf32> to memref<*xf32>
  %k_any = memref.cast %k : memref<3x2x20x16xf32> to memref<*xf32>
  %v_any = memref.cast %v : memref<3x2x20x16xf32> to memref<*xf32>
  %b_any = memref.cast %b : memref<2xf32> to memref<*xf32>
  %o_any = memref.cast %o : memref<3x2x5x16xf32> to memref<*xf32>
  %l_any = memref.cast %l : memref<3x2x5xf32> to memref<*xf32>
  %additive_any = memref.cast %additive : memref<3x2x5x20xf64> to memref<*xf64>
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
  %lengths = memref.alloc() : memref<3xi32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %seven = arith.constant 7 : i32
  %all = arith.constant 20 : i32
  %none = arith.constant 0 : i32
  memref.store %seven, %lengths[%c0] : memref<3xi32>
  memref.store %all, %lengths[%c1] : memref<3xi32>
  memref.store %none, %lengths[%c2] : memref<3xi32>
  %nan = arith.constant 0x7FC00000 : f32
  %k_tail = memref.subview %k[0, 0, 7, 0] [1, 2, 13, 16] [1, 1, 1, 1] : memref<3x2x20x16xf32> to memref<1x2x13x16xf32, strided<[640, 320, 16, 1], offset: 112>>
  %v_tail = memref.subview %v[0, 0, 7, 0] [1, 2, 13, 16] [1, 1, 1, 1] : memref<3x2x20x16xf32> to memref<1x2x13x16xf32, strided<[640, 320, 16, 1], offset: 112>>
  %k_last = memref.subview %k[2, 0, 0, 0] [1, 2, 20, 16] [1, 1, 1, 1] : memref<3x2x20x16xf32> to memref<1x2x20x16xf32, strided<[640, 320, 16, 1], offset: 1280>>
  %v_last = memref.subview %v[2, 0, 0, 0] [1, 2, 20, 16] [1, 1, 1, 1] : memref<3x2x20x16xf32> to memref<1x2x20x16xf32, strided<[640, 320, 16, 1], offset: 1280>>
  linalg.fill ins(%nan : f32) outs(%k_tail : memref<1x2x13x16xf32, strided<[640, 320, 16, 1], offset: 112>>)
  linalg.fill ins(%nan : f32) outs(%v_tail : memref<1x2x13x16xf32, strided<[640, 320, 16, 1], offset: 112>>)
  linalg.fill ins(%nan : f32) outs(%k_last : memref<1x2x20x16xf32, strided<[640, 320, 16, 1], offset: 1280>>)
  linalg.fill ins(%nan : f32) outs(%v_last : memref<1x2x20x16xf32, strided<[640, 320, 16, 1], offset: 1280>>)
  func.call @definition(%b, %lengths, %additive) : (memref<2xf32>, memref<3xi32>, memref<3x2x5x20xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %lengths, %o, %l) : (memref<3x2x5x16xf32>, memref<3x2x20x16xf32>, memref<3x2x20x16xf32>, memref<2xf32>, memref<3xi32>, memref<3x2x5x16xf32>, memref<3x2x5xf32>) -> ()
  func.call @relattnCheckAttentionF32(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  func.call @relattnCheckLseF32(%q_any, %k_any, %additive_any, %l_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  memref.dealloc %q : memref<3x2x5x16xf32>
  memref.dealloc %k : memref<3x2x20x16xf32>
  memref.dealloc %v : memref<3x2x20x16xf32>
  memref.dealloc %b : memref<2xf32>
  memref.dealloc %o : memref<3x2x5x16xf32>
  memref.dealloc %l : memref<3x2x5xf32>
  memref.dealloc %additive : memref<3x2x5x20xf64>
  memref.dealloc %lengths : memref<3xi32>
  func.call @relattnFinish() : () -> ()
  return
}
