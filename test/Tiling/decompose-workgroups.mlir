// RUN: relattn-opt %s --relattn-decompose-attention=workgroups --split-input-file | FileCheck %s
#md = affine_map<(m, n, d, e) -> (m, d)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#me = affine_map<(m, n, d, e) -> (m, e)>

// Scores are [m, n]; the value product continues the rescaled output; sums of one
// level; powers of 2 with one multiply-add, whose shift is rounded, in the factor
// as well. A maximum that is up to 5.5 too low is
// kept, so that most factors of the output are 1.
// CHECK-LABEL: func @step
// CHECK: %[[BIAS:.*]] = linalg.generic {{.*}} {relattn.tile = "bias"}
// CHECK:   tensor.extract %arg3
// CHECK: %[[SCORES:.*]] = linalg.generic {{.*}} ins(%arg0, %arg1 {{.*}} outs(%[[BIAS]] {{.*}} {relattn.tile = "scores"}
// CHECK:   arith.extf %{{.*}} : bf16 to f32
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[SCORES]] {{.*}} {relattn.tile = "max"}
// CHECK: %[[FACTOR:.*]] = linalg.generic {{.*}} ins(%arg6, %[[MAX]] {{.*}} {relattn.tile = "row"}
// CHECK:   %[[SLACK:.*]] = arith.constant 5.500000e+00 : f32
// CHECK:   %[[LIMIT:.*]] = arith.addf %[[BEFORE:.*]], %[[SLACK]] : f32
// CHECK:   %[[ABOVE:.*]] = arith.cmpf ogt, %[[OF_TILE:.*]], %[[LIMIT]] : f32
// CHECK:   %[[KEPT:.*]] = arith.select %[[ABOVE]], %[[OF_TILE]], %[[BEFORE]] : f32
// CHECK:   %[[KEPT_SHIFT:.*]] = arith.select %{{.*}}, %{{.*}}, %[[KEPT]] : f32
// CHECK:   %[[FROM:.*]] = arith.mulf %[[BEFORE]], %cst{{.*}} : f32
// CHECK:   %[[TO:.*]] = arith.mulf %[[KEPT_SHIFT]], %cst{{.*}} : f32
// CHECK:   %[[EXPONENT:.*]] = arith.subf %[[FROM]], %[[TO]] : f32
// CHECK:   math.exp2 %[[EXPONENT]]
// CHECK: %[[NEXT:.*]] = linalg.generic {{.*}} ins(%[[MAX]] {{.*}} outs(%arg6 {{.*}} {relattn.tile = "row"}
// CHECK: %[[SHIFT:.*]] = linalg.generic {{.*}} ins(%[[NEXT]] {{.*}} {relattn.tile = "row"}
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[FACTOR]] {{.*}} outs(%arg7 {{.*}} {relattn.tile = "row"}
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[FACTOR]] {{.*}} outs(%arg5 {{.*}} {relattn.tile = "rare_rescale"}
// CHECK: %[[P:.*]]:2 = linalg.generic {{.*}} ins(%[[SHIFT]] {{.*}} outs(%[[SCORES]], %[[SUM]] {{.*}} {relattn.tile = "exp"}
// CHECK:   %[[BACK:.*]] = arith.negf
// CHECK:   %[[PRODUCT:.*]] = arith.mulf {{.*}} fastmath<contract>
// CHECK:   arith.addf %[[PRODUCT]], %[[BACK]] fastmath<contract>
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[P]]#0, %arg2 {{.*}} outs(%[[SCALED]] {{.*}} {relattn.tile = "values"}
// CHECK: return %[[OUT]], %[[NEXT]], %[[P]]#1
func.func @step(%query: tensor<16x64xbf16>, %key: tensor<32x64xbf16>, %value: tensor<32x64xbf16>, %strip: tensor<?xf32>, %place: index, %out: tensor<16x64xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> (tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>) {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<16x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>)
    strip(%strip at %place : tensor<?xf32>) outs(%out, %max, %sum : tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #me]}
  return %0#0, %0#1, %0#2 : tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>
}

// -----

#md = affine_map<(m, n, d, e) -> (m, d)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#me = affine_map<(m, n, d, e) -> (m, e)>
#all = affine_map<(m, n, d, e) -> ()>
#mn = affine_map<(m, n, d, e) -> (m, n)>

// One number for all scores, divided by the scale, as are numbers of a mask; these
// may be any, so that score and maximum are subtracted first.
// CHECK-LABEL: func @scaled
// CHECK: linalg.generic {{.*}} ins(%arg3 : tensor<f32>) {{.*}} {relattn.tile = "bias"}
// CHECK:   arith.mulf %{{.*}}, %cst{{.*}} : f32
// CHECK: relattn.tile = "mask"
// CHECK:   arith.extf %{{.*}} : f16 to f32
// CHECK:   arith.mulf %{{.*}}, %cst{{.*}} : f32
// CHECK: relattn.tile = "exp"
// CHECK:   arith.mulf {{.*}} fastmath<contract>
// CHECK:   %[[BELOW:.*]] = arith.addf {{.*}} fastmath<contract>
// CHECK:   %[[EXPONENT:.*]] = arith.mulf %[[BELOW]]
// CHECK:   math.exp2 %[[EXPONENT]]
func.func @scaled(%query: tensor<16x64xf16>, %key: tensor<32x64xf16>, %value: tensor<32x64xf16>, %bias: tensor<f32>, %mask: tensor<?x32xf16>, %out: tensor<16x64xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> tensor<16x64xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<16x64xf16>, tensor<32x64xf16>, tensor<32x64xf16>)
    bias(%bias : tensor<f32>) mask(%mask : tensor<?x32xf16>) outs(%out, %max, %sum : tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #me], bias_map = #all, mask_map = #mn, scale = 0.125}
  return %0#0 : tensor<16x64xf32>
}

// -----

#md = affine_map<(m, n, d, e) -> (m, d)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#me = affine_map<(m, n, d, e) -> (m, e)>

// A scale that nothing can be divided by: multiplied into the scores, before the
// strip is added.
// CHECK-LABEL: func @negative
// CHECK: linalg.fill {relattn.tile = "bias"}
// CHECK: relattn.tile = "scores"
// CHECK: relattn.tile = "mask"
// CHECK:   arith.mulf %{{.*}}, %cst{{.*}} : f32
// CHECK: relattn.tile = "mask"
// CHECK:   tensor.extract %arg3
// CHECK:   arith.addf
func.func @negative(%query: tensor<16x64xf16>, %key: tensor<32x64xf16>, %value: tensor<32x64xf16>, %strip: tensor<?xf32>, %place: index, %out: tensor<16x64xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> tensor<16x64xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<16x64xf16>, tensor<32x64xf16>, tensor<32x64xf16>)
    strip(%strip at %place : tensor<?xf32>) outs(%out, %max, %sum : tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #me], scale = -0.75}
  return %0#0 : tensor<16x64xf32>
}

// -----

#md = affine_map<(m, n, d, e) -> (m, d)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#me = affine_map<(m, n, d, e) -> (m, e)>

// Factors of 32 bits: no matrix unit, whose products the branch would spare.
// CHECK-LABEL: func @f32
// CHECK-NOT: arith.cmpf ogt
// CHECK: relattn.tile = "rescale"
func.func @f32(%query: tensor<16x64xf32>, %key: tensor<32x64xf32>, %value: tensor<32x64xf32>, %out: tensor<16x64xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>) -> tensor<16x64xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<16x64xf32>, tensor<32x64xf32>, tensor<32x64xf32>)
    outs(%out, %max, %sum : tensor<16x64xf32>, tensor<16xf32>, tensor<16xf32>)
    {indexing_maps = [#md, #nd, #ne, #me]}
  return %0#0 : tensor<16x64xf32>
}
