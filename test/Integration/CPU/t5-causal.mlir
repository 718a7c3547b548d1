// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// One-sided T5 with a causal band, as a decoder uses it, in bf16, longer than
// saturation (113).

// CHECK: attention: ok
// CHECK: 1 passed, 0 failed

func.func private @relattnFillBF16(memref<*xbf16>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionBF16(memref<*xbf16>, memref<*xbf16>, memref<*xbf16>, memref<*xf64>, memref<*xbf16>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<2x2x140x16xbf16>, %k: memref<2x2x140x16xbf16>, %v: memref<2x2x140x16xbf16>, %b: memref<32x2xbf16>, %o: memref<2x2x140x16xbf16>) {
  %query = bufferization.to_tensor %q restrict : memref<2x2x140x16xbf16> to tensor<2x2x140x16xbf16>
  %key = bufferization.to_tensor %k restrict : memref<2x2x140x16xbf16> to tensor<2x2x140x16xbf16>
  %value = bufferization.to_tensor %v restrict : memref<2x2x140x16xbf16> to tensor<2x2x140x16xbf16>
  %bias = bufferization.to_tensor %b restrict : memref<32x2xbf16> to tensor<32x2xbf16>
  %init = bufferization.to_tensor %o restrict writable : memref<2x2x140x16xbf16> to tensor<2x2x140x16xbf16>
  %out = relattn.attention causal
      ins(%query, %key, %value : tensor<2x2x140x16xbf16>, tensor<2x2x140x16xbf16>, tensor<2x2x140x16xbf16>)
      bias(#relattn.t5<buckets = 32, max_distance = 128>, %bias : tensor<32x2xbf16>)
      outs(%init : tensor<2x2x140x16xbf16>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<2x2x140x16xbf16>, memref<2x2x140x16xbf16>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<32x2xbf16>, %additive: memref<2x2x140x140xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<2x2x140x140xf64>) {
  ^bb0(%unused: f64):
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
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
    %t_2 = arith.constant 24 : index
    %ge_2 = arith.cmpi sge, %distance, %t_2 : index
    %add_2 = arith.index_castui %ge_2 : i1 to index
    %bucket_3 = arith.addi %bucket_2, %add_2 : index
    %t_3 = arith.constant 27 : index
    %ge_3 = arith.cmpi sge, %distance, %t_3 : index
    %add_3 = arith.index_castui %ge_3 : i1 to index
    %bucket_4 = arith.addi %bucket_3, %add_3 : index
    %t_4 = arith.constant 31 : index
    %ge_4 = arith.cmpi sge, %distance, %t_4 : index
    %add_4 = arith.index_castui %ge_4 : i1 to index
    %bucket_5 = arith.addi %bucket_4, %add_4 : index
    %t_5 = arith.constant 35 : index
    %ge_5 = arith.cmpi sge, %distance, %t_5 : index
    %add_5 = arith.index_castui %ge_5 : i1 to index
    %bucket_6 = arith.addi %bucket_5, %add_5 : index
    %t_6 = arith.constant 40 : index
    %ge_6 = arith.cmpi sge, %distance, %t_6 : index
    %add_6 = arith.index_castui %ge_6 : i1 to index
    %bucket_7 = arith.addi %bucket_6, %add_6 : index
    %t_7 = arith.constant 46 : index
    %ge_7 = arith.cmpi sge, %distance, %t_7 : index
    %add_7 = arith.index_castui %ge_7 : i1 to index
    %bucket_8 = arith.addi %bucket_7, %add_7 : index
    %t_8 = arith.constant 52 : index
    %ge_8 = arith.cmpi sge, %distance, %t_8 : index
    %add_8 = arith.index_castui %ge_8 : i1 to index
    %bucket_9 = arith.addi %bucket_8, %add_8 : index
    %t_9 = arith.constant 59 : index
    %ge_9 = arith.cmpi sge, %distance, %t_9 : index
    %add_9 = arith.index_castui %ge_9 : i1 to index
    %bucket_10 = arith.addi %bucket_9, %add_9 : index
    %t_10 = arith.constant 67 : index
    %ge_10 = arith.cmpi sge, %distance, %t_10 : index
    %add_10 = arith.index_castui %ge_10 : i1 to index
    %bucket_11 = arith.addi %bucket_10, %add_10 : index
    %t_11 = arith.constant 77 : index
    %ge_11 = arith.cmpi sge, %distance, %t_11 : index
    %add_11 = arith.index_castui %ge_11 : i1 to index
    %bucket_12 = arith.addi %bucket_11, %add_11 : index
    %t_12 = arith.constant 87 : index
    %ge_12 = arith.cmpi sge, %distance, %t_12 : index
    %add_12 = arith.index_castui %ge_12 : i1 to index
    %bucket_13 = arith.addi %bucket_12, %add_12 : index
    %t_13 = arith.constant 99 : index
    %ge_13 = arith.cmpi sge, %distance, %t_13 : index
    %add_13 = arith.index_castui %ge_13 : i1 to index
    %bucket_14 = arith.addi %bucket_13, %add_13 : index
    %t_14 = arith.constant 113 : index
    %ge_14 = arith.cmpi sge, %distance, %t_14 : index
    %add_14 = arith.index_castui %ge_14 : i1 to index
    %bucket_15 = arith.addi %bucket_14, %add_14 : index
    %entry = memref.load %b[%bucket_15, %h] : memref<32x2xbf16>
    %value = arith.extf %entry : bf16 to f64
    %minus_infinity = arith.constant 0xFFF0000000000000 : f64
    %visible = arith.cmpi sle, %offset, %c0 : index
    %masked = arith.select %visible, %value, %minus_infinity : f64
    linalg.yield %masked : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<2x2x140x16xbf16>
  %k = memref.alloc() : memref<2x2x140x16xbf16>
  %v = memref.alloc() : memref<2x2x140x16xbf16>
  %b = memref.alloc() : memref<32x2xbf16>
  %o = memref.alloc() : memref<2x2x140x16xbf16>
  %additive = memref.alloc() : memref<2x2x140x140xf64>
  %q_any = memref.cast %q : memref<2x2x140x16xbf16> to memref<*xbf16>
  %k_any = memref.cast %k : memref<2x2x140x16xbf16> to memref<*xbf16>
  %v_any = memref.cast %v : memref<2x2x140x16xbf16> to memref<*xbf16>
  %b_any = memref.cast %b : memref<32x2xbf16> to memref<*xbf16>
  %o_any = memref.cast %o : memref<2x2x140x16xbf16> to memref<*xbf16>
  %additive_any = memref.cast %additive : memref<2x2x140x140xf64> to memref<*xf64>
  %one = arith.constant 1.0 : f64
  %two = arith.constant 2.0 : f64
  %seed_q = arith.constant 1 : i64
  func.call @relattnFillBF16(%q_any, %seed_q, %two) : (memref<*xbf16>, i64, f64) -> ()
  %seed_k = arith.constant 2 : i64
  func.call @relattnFillBF16(%k_any, %seed_k, %one) : (memref<*xbf16>, i64, f64) -> ()
  %seed_v = arith.constant 3 : i64
  func.call @relattnFillBF16(%v_any, %seed_v, %one) : (memref<*xbf16>, i64, f64) -> ()
  %seed_b = arith.constant 4 : i64
  func.call @relattnFillBF16(%b_any, %seed_b, %two) : (memref<*xbf16>, i64, f64) -> ()
  func.call @definition(%b, %additive) : (memref<32x2xbf16>, memref<2x2x140x140xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %o) : (memref<2x2x140x16xbf16>, memref<2x2x140x16xbf16>, memref<2x2x140x16xbf16>, memref<32x2xbf16>, memref<2x2x140x16xbf16>) -> ()
  func.call @relattnCheckAttentionBF16(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xbf16>, memref<*xbf16>, memref<*xbf16>, memref<*xf64>, memref<*xbf16>, f64) -> ()
  memref.dealloc %q : memref<2x2x140x16xbf16>
  memref.dealloc %k : memref<2x2x140x16xbf16>
  memref.dealloc %v : memref<2x2x140x16xbf16>
  memref.dealloc %b : memref<32x2xbf16>
  memref.dealloc %o : memref<2x2x140x16xbf16>
  memref.dealloc %additive : memref<2x2x140x140xf64>
  func.call @relattnFinish() : () -> ()
  return
}
