// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// T5 with 32 buckets in both directions, longer than saturation (91). The
// thresholds are the published ones; buckets of later keys begin at 16.

// CHECK: attention: ok
// CHECK: 1 passed, 0 failed

func.func private @relattnFillF32(memref<*xf32>, i64, f64) attributes {llvm.emit_c_interface}
func.func private @relattnCheckAttentionF32(memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) attributes {llvm.emit_c_interface}
func.func private @relattnFinish() attributes {llvm.emit_c_interface}

// The op under test.
func.func @attention(%q: memref<1x2x150x16xf32>, %k: memref<1x2x210x16xf32>, %v: memref<1x2x210x16xf32>, %b: memref<32x2xf32>, %o: memref<1x2x150x16xf32>) {
  %query = bufferization.to_tensor %q restrict : memref<1x2x150x16xf32> to tensor<1x2x150x16xf32>
  %key = bufferization.to_tensor %k restrict : memref<1x2x210x16xf32> to tensor<1x2x210x16xf32>
  %value = bufferization.to_tensor %v restrict : memref<1x2x210x16xf32> to tensor<1x2x210x16xf32>
  %bias = bufferization.to_tensor %b restrict : memref<32x2xf32> to tensor<32x2xf32>
  %init = bufferization.to_tensor %o restrict writable : memref<1x2x150x16xf32> to tensor<1x2x150x16xf32>
  %out = relattn.attention
      ins(%query, %key, %value : tensor<1x2x150x16xf32>, tensor<1x2x210x16xf32>, tensor<1x2x210x16xf32>)
      bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %bias : tensor<32x2xf32>)
      outs(%init : tensor<1x2x150x16xf32>)
  bufferization.materialize_in_destination %out in restrict writable %o : (tensor<1x2x150x16xf32>, memref<1x2x150x16xf32>) -> ()
  return
}

// Its bias and mask, from the definition: -inf where hidden.
func.func @definition(%b: memref<32x2xf32>, %additive: memref<1x2x150x210xf64>) {
  linalg.generic {
      indexing_maps = [affine_map<(b, h, i, j) -> (b, h, i, j)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%additive : memref<1x2x150x210xf64>) {
  ^bb0(%unused: f64):
    %h = linalg.index 1 : index
    %i = linalg.index 2 : index
    %j = linalg.index 3 : index
    %offset = arith.subi %j, %i : index
    %c0 = arith.constant 0 : index
    %negated = arith.subi %c0, %offset : index
    %distance = arith.maxsi %offset, %negated : index
    %c8 = arith.constant 8 : index
    %bucket_0 = arith.minsi %distance, %c8 : index
    %t_0 = arith.constant 12 : index
    %ge_0 = arith.cmpi sge, %distance, %t_0 : index
    %add_0 = arith.index_castui %ge_0 : i1 to index
    %bucket_1 = arith.addi %bucket_0, %add_0 : index
    %t_1 = arith.constant 16 : index
    %ge_1 = arith.cmpi sge, %distance, %t_1 : index
    %add_1 = arith.index_castui %ge_1 : i1 to index
    %bucket_2 = arith.addi %bucket_1, %add_1 : index
    %t_2 = arith.constant 23 : index
    %ge_2 = arith.cmpi sge, %distance, %t_2 : index
    %add_2 = arith.index_castui %ge_2 : i1 to index
    %bucket_3 = arith.addi %bucket_2, %add_2 : index
    %t_3 = arith.constant 32 : index
    %ge_3 = arith.cmpi sge, %distance, %t_3 : index
    %add_3 = arith.index_castui %ge_3 : i1 to index
    %bucket_4 = arith.addi %bucket_3, %add_3 : index
    %t_4 = arith.constant 46 : index
    %ge_4 = arith.cmpi sge, %distance, %t_4 : index
    %add_4 = arith.index_castui %ge_4 : i1 to index
    %bucket_5 = arith.addi %bucket_4, %add_4 : index
    %t_5 = arith.constant 64 : index
    %ge_5 = arith.cmpi sge, %distance, %t_5 : index
    %add_5 = arith.index_castui %ge_5 : i1 to index
    %bucket_6 = arith.addi %bucket_5, %add_5 : index
    %t_6 = arith.constant 91 : index
    %ge_6 = arith.cmpi sge, %distance, %t_6 : index
    %add_6 = arith.index_castui %ge_6 : i1 to index
    %bucket_7 = arith.addi %bucket_6, %add_6 : index
    %later = arith.cmpi sgt, %offset, %c0 : index
    %c16_rows = arith.constant 16 : index
    %side = arith.select %later, %c16_rows, %c0 : index
    %row = arith.addi %bucket_7, %side : index
    %entry = memref.load %b[%row, %h] : memref<32x2xf32>
    %value = arith.extf %entry : f32 to f64
    linalg.yield %value : f64
  }
  return
}

func.func @main() {
  %q = memref.alloc() : memref<1x2x150x16xf32>
  %k = memref.alloc() : memref<1x2x210x16xf32>
  %v = memref.alloc() : memref<1x2x210x16xf32>
  %b = memref.alloc() : memref<32x2xf32>
  %o = memref.alloc() : memref<1x2x150x16xf32>
  %additive = memref.alloc() : memref<1x2x150x210xf64>
  %q_any = memref.cast %q : memref<1x2x150x16xf32> to memref<*xf32>
  %k_any = memref.cast %k : memref<1x2x210x16xf32> to memref<*xf32>
  %v_any = memref.cast %v : memref<1x2x210x16xf32> to memref<*xf32>
  %b_any = memref.cast %b : memref<32x2xf32> to memref<*xf32>
  %o_any = memref.cast %o : memref<1x2x150x16xf32> to memref<*xf32>
  %additive_any = memref.cast %additive : memref<1x2x150x210xf64> to memref<*xf64>
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
  func.call @definition(%b, %additive) : (memref<32x2xf32>, memref<1x2x150x210xf64>) -> ()
  func.call @attention(%q, %k, %v, %b, %o) : (memref<1x2x150x16xf32>, memref<1x2x210x16xf32>, memref<1x2x210x16xf32>, memref<32x2xf32>, memref<1x2x150x16xf32>) -> ()
  func.call @relattnCheckAttentionF32(%q_any, %k_any, %v_any, %additive_any, %o_any, %one) : (memref<*xf32>, memref<*xf32>, memref<*xf32>, memref<*xf64>, memref<*xf32>, f64) -> ()
  memref.dealloc %q : memref<1x2x150x16xf32>
  memref.dealloc %k : memref<1x2x210x16xf32>
  memref.dealloc %v : memref<1x2x210x16xf32>
  memref.dealloc %b : memref<32x2xf32>
  memref.dealloc %o : memref<1x2x150x16xf32>
  memref.dealloc %additive : memref<1x2x150x210xf64>
  func.call @relattnFinish() : () -> ()
  return
}
