// RUN: relattn-opt %s --relattn-decompose-attention --split-input-file | FileCheck %s
#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>

// The strip is the scores' accumulator; the value product starts from zero.
// CHECK-LABEL: func @step
// CHECK: %[[BUFFER:.*]] = bufferization.alloc_tensor() : tensor<96x16xf32>
// CHECK: %[[TILE:.*]] = tensor.extract_slice %[[BUFFER]]
// CHECK: %[[BIAS:.*]] = linalg.generic {{.*}} outs(%[[TILE]] {{.*}} {relattn.tile = "bias"}
// CHECK:   tensor.extract %arg3
// CHECK: %[[SCORES:.*]] = linalg.generic {{.*}} ins(%arg1, %arg0 {{.*}} outs(%[[BIAS]] {{.*}} {relattn.tile = "scores"}
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[SCORES]] {{.*}} outs(%arg6 {{.*}} {relattn.tile = "max"}
// CHECK: %[[SHIFT:.*]] = linalg.generic {{.*}} ins(%[[MAX]] {{.*}} {relattn.tile = "row"}
// CHECK:   arith.cmpf oeq
// CHECK: %[[SCALE:.*]] = linalg.generic {{.*}} ins(%arg6, %[[SHIFT]] {{.*}} {relattn.tile = "row"}
// CHECK:   math.exp %{{.*}} {relattn.nonpositive}
// CHECK: %[[P:.*]]:2 = linalg.generic {{.*}} ins(%[[SHIFT]] {{.*}} outs(%[[SCORES]], {{.*}} {relattn.tile = "exp"}
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[SCALE]], %[[P]]#1 {{.*}} outs(%arg7
// CHECK: %[[ZERO:.*]] = linalg.fill {relattn.tile = "zero"}
// CHECK: %[[PRODUCT:.*]] = linalg.generic {{.*}} ins(%arg2, %[[P]]#0 {{.*}} outs(%[[ZERO]] {{.*}} {relattn.tile = "values"}
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[SCALE]], %[[PRODUCT]] {{.*}} outs(%arg5 {{.*}} {relattn.tile = "rescale"}
// CHECK: return %[[OUT]], %[[MAX]], %[[SUM]]
func.func @step(%query: tensor<64x16xf32>, %key: tensor<?x64xf32>, %value: tensor<?x64xf32>, %strip: tensor<?xf32>, %place: index, %out: tensor<64x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> (tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>) {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<64x16xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
    strip(%strip at %place : tensor<?xf32>) outs(%out, %max, %sum : tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #em], max_keys = 96}
  return %0#0, %0#1, %0#2 : tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>
}

// -----

#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
#n = affine_map<(m, n, d, e) -> (n)>
#mn = affine_map<(m, n, d, e) -> (m, n)>

// Booleans become 0 and -inf, for the queries that exist; without a bound of the
// keys the scores are a tensor of each step's own.
// CHECK-LABEL: func @masks
// CHECK: %[[SCORES:.*]] = tensor.empty(%{{.*}}) : tensor<?x16xf32>
// CHECK: linalg.fill {relattn.tile = "bias"}
// CHECK: linalg.generic {{.*}} ins(%arg3 : tensor<?xf32>) {{.*}} {relattn.tile = "mask"}
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%arg4 : tensor<?x?xi1>)
// CHECK-NOT: relattn.tile
// CHECK:   arith.select
// CHECK: linalg.generic {{.*}} ins(%[[WIDE]] {{.*}} {relattn.tile = "mask"}
func.func @masks(%query: tensor<64x16xf32>, %key: tensor<?x64xf32>, %value: tensor<?x64xf32>, %bias: tensor<?xf32>, %mask: tensor<?x?xi1>, %out: tensor<64x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> tensor<64x16xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<64x16xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
    bias(%bias : tensor<?xf32>) mask(%mask : tensor<?x?xi1>) outs(%out, %max, %sum : tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #em], bias_map = #n, mask_map = #mn}
  return %0#0 : tensor<64x16xf32>
}
