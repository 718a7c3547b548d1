// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// Offsets clipped to [-3, 5] (Shaw et al. 2018), in f16.

// CHECK: attention: ok
// CHECK: 1 passed, 0 failed

func.func private @relattnFillF16(memref<*xf16>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF16(memref<*xf16>, memref<*xf16>, memref<*xf16>, memref<*xf64>, memref<*xf16>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<1x2x31x8xf16>, %k: memref<1x2x17x8xf16>, %v: memref<1x2x17x8xf16>, %b: memref<9x2xf16>, %o: memref<1x2x31x8xf16>) {
  %query = bufferization.to_tensor %q restrict : memref<1x2x31x8xf16> to tensor<1x2x31x8xf16>
  %key = bufferization.to_tensor %k restrict : memref<1x2x17x8xf16> to tensor<1x2x17x8xf16>
  %value = bufferization.to_tensor %v restrict : memref<1x2x17x8xf16> to tensor<1x2x17x8xf16>
  %bias = bufferization.to_tensor %b restrict : memref<9x2xf16> to tensor<9x2xf16>
  %init = bufferization.to_tensor %o restrict writable : memref<1x2x31x8xf16> to tensor<1x2x31x8xf16>
  %out = relattn.attention
      ins(%query, %key, %value : tensor<1x2x31x8xf16>, tensor<1x2x17x8xf16>, tensor<1x2x17x8xf16>)
      bias(#relattn.clip<lo = -3, hi = 5>, %bias : tensor<9x2xf16>)
      outs(%init : tensor<1x2x31x8xf16>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<1x2x31x8xf16>, memref<1x2x31x8xf16>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<9x2xf16>, %additive: memref<1x2x31x17xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<1x2x31x17xf64>) {
  ^bb0(%unused: f64):
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %c0 = arith.constant 0 : index
    %lo = arith.constant -3 : index
    %hi = arith.constant 5 : index
    %low = arith.maxsi %offset, %lo : index
    %clipped = arith.minsi %low, %hi : index
    %row = arith.subi %clipped, %lo : index
    %entry = memref.load %b[%row, %h] : memref<9x2xf16>
    %value = arith.extf %entry : f16 to f64
    linalg.yield %value : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<1x2x31x8xf16>
  %k = memref.alloc() : memref<1x2x17x8xf16>
  %v = memref.alloc() : memref<1x2x17x8xf16>
  %b = memref.alloc() : memref<9x2xf16>
  %o = memref.alloc() : memref<1x2x31x8xf16>
  %additive = memref.alloc() : memref<1x2x31x17xf64>
  %q_any = memref.cast %q : memref<1x2x31x8xf16> to memref<*xf16>
  %k_any = memref.cast %k : memref<1x2x17x8xf16> to memref<*xf16>
  %v_any = memref.cast %v : memref<1x2x17x8xf16> to memref<*xf16>
  %b_any = memref.cast %b : memref<9x2xf16> to memref<*xf16>
  %o_any = memref.cast %o : memref<1x2x31x8xf16> to memref<*xf16>
  %additive_any = memref.cast %additive : memref<1x2x31x17xf64> to memref<*xf64>
  %one = arith.constant 1.0 : f64
  %two = arith.constant 2.0 : f64
  %seed_q = arith.constant 1 : i64
  func.call @relattnFillF16(%q_any, %seed_q, %two) : (memref<*xf16>, i64, f64) -> ()
  %seed_k = arith.constant 2 : i64
  func.call @relattnFillF16(%k_any, %seed_k, %one) : (memref<*xf16>, i64, f64) -> ()
  %seed_v = arith.constant 3 : i64
  func.call @relattnFillF16(%v_any, %seed_v, %one) : (memref<*xf16>, i64, f64) -> ()
  %seed_b = arith.constant 4 : i64
  func.call @relattnFillF16(%b_any, %seed_b, %two) : (memref<*xf16>, i64, f64) -> ()
  func.call @definition(%b, %additive) : (memref<9x2xf16>, memref<1x2x31x17xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %o) : (memref<1x2x31x8xf16>, memref<1x2x17x8xf16>, memref<1x2x17x8xf16>, memref<9x2xf16>, memref<1x2x31x8xf16>) -> ()
  func.call @relattnCheckAttentionF16(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xf16>, memref<*xf16>, memref<*xf16>, memref<*xf64>, memref<*xf16>, f64) -> ()
  memref.dealloc %q : memref<1x2x31x8xf16>
  memref.dealloc %k : memref<1x2x17x8xf16>
  memref.dealloc %v : memref<1x2x17x8xf16>
  memref.dealloc %b : memref<9x2xf16>
  memref.dealloc %o : memref<1x2x31x8xf16>
  memref.dealloc %additive : memref<1x2x31x17xf64>
  func.call @relattnFinish() : () -> ()
  return
}
