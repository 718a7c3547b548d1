// RUN: relattn-opt %s --relattn-hide-indices | FileCheck %s
// RUN: relattn-opt %s --relattn-hide-indices --relattn-show-indices | FileCheck %s --check-prefix=BACK
// BACK-NOT: index_cast %{{.*}} : index to i64
// BACK-LABEL: func.func @others
// BACK: arith.index_cast %{{.*}} : index to i64
// BACK: arith.index_cast %{{.*}} {relattn.hides} : i32 to index
// What is used elsewhere as well stays; marked casts that lose bits, or of nothing,
// are not ours.
// BACK-LABEL: func.func @marked
// BACK: %[[INTEGER:.*]] = arith.index_cast %[[N:.*]] : index to i64
// BACK: %[[NARROW:.*]] = arith.index_cast %[[N]] : index to i32
// BACK: %[[LOST:.*]] = arith.index_cast %[[NARROW]] {relattn.hides} : i32 to index
// BACK: return %[[INTEGER]], %[[N]], %[[LOST]]

// One cast for all uses of an index, of a slice or of a vector; constants and the
// indices of what is no subset stay.
// CHECK-LABEL: func.func @workers
// CHECK: scf.forall (%[[I:.*]]) in (4)
// CHECK: %[[INTEGER:.*]] = arith.index_cast %[[I]] : index to i64
// CHECK: %[[HIDDEN:.*]] = arith.index_cast %[[INTEGER]] {relattn.hides} : i64 to index
// CHECK: tensor.extract_slice %{{.*}}[%[[HIDDEN]], 0] [1, 8]
// CHECK: vector.transfer_read %{{.*}}[%c0]
// CHECK: tensor.extract %{{.*}}[%[[I]], %c0]
// CHECK: %[[WRITTEN:.*]] = vector.transfer_write %{{.*}}[%[[HIDDEN]], %c0]
// CHECK: tensor.parallel_insert_slice %{{.*}} into %{{.*}}[%[[HIDDEN]], 0]
func.func @workers(%t: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %0 = scf.forall (%i) in (4) shared_outs(%out = %t) -> tensor<4x8xf32> {
    %row = tensor.extract_slice %t[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<8xf32>
    %vector = vector.transfer_read %row[%c0], %zero {in_bounds = [true]} : tensor<8xf32>, vector<8xf32>
    %weights = math.exp %vector {relattn.bounded} : vector<8xf32>
    %element = tensor.extract %t[%i, %c0] : tensor<4x8xf32>
    %sum = vector.broadcast %element : f32 to vector<8xf32>
    %all = arith.addf %weights, %sum : vector<8xf32>
    %written = vector.transfer_write %all, %out[%i, %c0] {in_bounds = [true]} : vector<8xf32>, tensor<4x8xf32>
    %part = tensor.extract_slice %written[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<1x8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %part into %out[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<4x8xf32>
    }
  }
  return %0 : tensor<4x8xf32>
}

// Loops without weights, and casts of somebody else.
// CHECK-LABEL: func.func @others
// CHECK: scf.forall (%[[I:.*]]) in (4)
// CHECK: tensor.extract_slice %{{.*}}[%[[I]], 0]
func.func @others(%t: tensor<4x8xf32>, %n: index, %m: i32) -> (tensor<4x8xf32>, i64, index) {
  %0 = scf.forall (%i) in (4) shared_outs(%out = %t) -> tensor<4x8xf32> {
    %row = tensor.extract_slice %t[%i, 0] [1, 8] [1, 1] : tensor<4x8xf32> to tensor<1x8xf32>
    %e = math.exp %row : tensor<1x8xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %e into %out[%i, 0] [1, 8] [1, 1] : tensor<1x8xf32> into tensor<4x8xf32>
    }
  }
  %1 = arith.index_cast %n : index to i64
  %2 = arith.index_cast %m {relattn.hides} : i32 to index
  return %0, %1, %2 : tensor<4x8xf32>, i64, index
}

func.func @marked(%n: index) -> (i64, index, index) {
  %0 = arith.index_cast %n : index to i64
  %1 = arith.index_cast %0 {relattn.hides} : i64 to index
  %2 = arith.index_cast %n : index to i32
  %3 = arith.index_cast %2 {relattn.hides} : i32 to index
  return %0, %1, %3 : i64, index, index
}

// In a region without order the cast that is hidden may come first.
// BACK-NOT: index_cast
module @graph {
  %hidden = arith.index_cast %integer {relattn.hides} : i64 to index
  %integer = arith.index_cast %x : index to i64
  %x = arith.constant 0 : index
}
