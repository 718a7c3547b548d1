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
// CHECK:   math.exp %{{.*}} {relattn.bounded}
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

// -----

// One query is a row: 16 partial sums for each score, scores padded by -inf to
// vectors of 16, lanes along the columns of the values.
#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
// CHECK-LABEL: func @row
// CHECK: %[[BUFFER:.*]] = bufferization.alloc_tensor() : tensor<32x16xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[BUFFER]] {{.*}} into tensor<512xf32>
// CHECK: %[[SCORES:.*]] = tensor.extract_slice %[[FLAT]]
// CHECK: %[[STRIP:.*]] = tensor.extract_slice %arg3[%arg4]
// CHECK: %[[BIAS:.*]] = linalg.copy ins(%[[STRIP]] {{.*}} outs(%[[SCORES]]
// CHECK: %[[KEYS:.*]] = tensor.expand_shape %arg1 {{.*}} into tensor<?x4x16xf32>
// CHECK: %[[DOTS:.*]] = linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[KEYS]], {{.*}} {relattn.tile = "dots"}
// CHECK: linalg.generic {{.*}} ins(%[[DOTS]] {{.*}} outs(%[[BIAS]] {{.*}} {relattn.tile = "dots_sum"}
// CHECK: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<?xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<16xf32>) attrs =  {relattn.tile = "max"}
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?x16xf32>, tensor<16xf32>) attrs =  {relattn.tile = "exp"}
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<64xf32>) attrs =  {relattn.tile = "row_values"}
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<64xf32>) attrs =  {relattn.tile = "rescale"}
func.func @row(%query: tensor<64x1xf32>, %key: tensor<?x64xf32>, %value: tensor<?x64xf32>, %strip: tensor<?xf32>, %place: index, %out: tensor<64x1xf32>, %max: tensor<1xf32>, %sum: tensor<1xf32>) -> (tensor<64x1xf32>, tensor<1xf32>, tensor<1xf32>) {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<64x1xf32>, tensor<?x64xf32>, tensor<?x64xf32>) strip(%strip at %place ascending : tensor<?xf32>)
    outs(%out, %max, %sum : tensor<64x1xf32>, tensor<1xf32>, tensor<1xf32>) {indexing_maps = [#md, #nd, #ne, #em], max_keys = 500}
  return %0#0, %0#1, %0#2 : tensor<64x1xf32>, tensor<1xf32>, tensor<1xf32>
}

// -----

// Narrow keys and values are widened where they are multiplied.
// CHECK-LABEL: func @narrow_row
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<?x4x16xbf16>, tensor<4x16xf32>) {{.*}} {relattn.tile = "dots"}
// CHECK:   arith.extf
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<?xf32>, tensor<?x64xbf16>) {{.*}} {relattn.tile = "row_values"}
// CHECK:   arith.extf
func.func @narrow_row(%query: tensor<64x1xf32>, %key: tensor<?x64xbf16>, %value: tensor<?x64xbf16>, %out: tensor<64x1xf32>, %max: tensor<1xf32>, %sum: tensor<1xf32>) -> tensor<64x1xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %value : tensor<64x1xf32>, tensor<?x64xbf16>, tensor<?x64xbf16>)
    outs(%out, %max, %sum : tensor<64x1xf32>, tensor<1xf32>, tensor<1xf32>)
    {indexing_maps = [affine_map<(m, n, d, e) -> (d, m)>, affine_map<(m, n, d, e) -> (n, d)>, affine_map<(m, n, d, e) -> (n, e)>, affine_map<(m, n, d, e) -> (e, m)>], max_keys = 64 : i64}
  return %0#0 : tensor<64x1xf32>
}

// -----

// d = 20 has parts of 4; without a bound of the keys it stays a panel.
#md = affine_map<(m, n, d, e) -> (d, m)>
#nd = affine_map<(m, n, d, e) -> (n, d)>
#ne = affine_map<(m, n, d, e) -> (n, e)>
#em = affine_map<(m, n, d, e) -> (e, m)>
// CHECK-LABEL: func @row_of_twenty
// CHECK: tensor.expand_shape %arg1 {{.*}} into tensor<32x5x4xf32>
// CHECK-NOT: linalg.fill ins(%{{.*}}) outs(%{{.*}} : tensor<0xf32>)
// CHECK: relattn.tile = "dots"
// CHECK: relattn.tile = "scores"
func.func @row_of_twenty(%query: tensor<20x1xf32>, %key: tensor<32x20xf32>, %more: tensor<?x20xf32>, %out: tensor<20x1xf32>, %max: tensor<1xf32>, %sum: tensor<1xf32>) -> tensor<20x1xf32> {
  %0:3 = relattn.online_attention ins(%query, %key, %key : tensor<20x1xf32>, tensor<32x20xf32>, tensor<32x20xf32>)
    outs(%out, %max, %sum : tensor<20x1xf32>, tensor<1xf32>, tensor<1xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  %1:3 = relattn.online_attention ins(%query, %more, %more : tensor<20x1xf32>, tensor<?x20xf32>, tensor<?x20xf32>)
    outs(%0#0, %0#1, %0#2 : tensor<20x1xf32>, tensor<1xf32>, tensor<1xf32>) {indexing_maps = [#md, #nd, #ne, #em]}
  return %1#0 : tensor<20x1xf32>
}

// -----

// Parts outermost, so that they are added in their order; one exponential for
// each part and row.
#outs = affine_map<(s, m, e) -> (m, s, e)>
#rows = affine_map<(s, m, e) -> (m, s)>
// CHECK-LABEL: func @merge
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%arg1 {{.*}} outs(%arg4
// CHECK: %[[OWN:.*]] = linalg.generic {{.*}} ins(%arg4, %[[MAX]]
// CHECK: %[[SCALES:.*]] = linalg.generic {{.*}} ins(%arg1, %[[MAX]]
// CHECK: math.exp
// CHECK: %[[START:.*]] = linalg.generic {{.*}} ins(%[[OWN]] {{.*}} outs(%arg3
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} iterator_types = ["reduction", "parallel", "parallel"]} ins(%arg0, %[[SCALES]] {{.*}} outs(%[[START]]
// CHECK: return %[[OUT]], %[[MAX]]
func.func @merge(%outs: tensor<8x?x64xf32>, %maxes: tensor<8x?xf32>, %sums: tensor<8x?xf32>, %out: tensor<8x64xf32>, %max: tensor<8xf32>, %sum: tensor<8xf32>) -> (tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {
  %0:3 = relattn.merge ins(%outs, %maxes, %sums : tensor<8x?x64xf32>, tensor<8x?xf32>, tensor<8x?xf32>) outs(%out, %max, %sum : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>) {indexing_maps = [#outs, #rows]}
  return %0#0, %0#1, %0#2 : tensor<8x64xf32>, tensor<8xf32>, tensor<8xf32>
}
