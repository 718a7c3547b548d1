// RUN: relattn-opt %s --relattn-tile-attention --relattn-decompose-attention --relattn-tile-registers --canonicalize --cse --canonicalize | FileCheck %s --check-prefix=ROWS
// DEFINE: %{vectorize} = relattn-opt %s --relattn-tile-attention --relattn-decompose-attention --relattn-tile-registers --canonicalize --cse --canonicalize --relattn-tile-registers=reduction --canonicalize --cse --canonicalize
// RUN: %{vectorize} --relattn-vectorize-tiles --canonicalize --cse --canonicalize | FileCheck %s --check-prefix=VECTOR
// RUN: %{vectorize} --relattn-vectorize-tiles=key-unroll=2 --canonicalize --cse --canonicalize | FileCheck %s --check-prefix=KEYS
// RUN: %{vectorize} --relattn-vectorize-tiles="unroll=1 key-unroll=0" --canonicalize --cse --canonicalize | FileCheck %s --check-prefix=ONE
// RUN: not relattn-opt %s --relattn-tile-registers=rows=0 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: relattn-opt %s --relattn-tile-attention --relattn-decompose-attention --relattn-vectorize-tiles --remarks-filter=relattn 2>&1 | FileCheck %s --check-prefix=DYNAMIC
// BAD: error: expected at least one row
// DYNAMIC: remark: [Missed] VectorizeTiles {{.*}}Reason="a tile stays a loop"

// Tiles of 6, 2 and 1 rows of the scores, with their maximum; tiles of 6 and 4
// rows of the output, with the value product.
// ROWS-LABEL: func @f
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x16xf32>) attrs =  {relattn.tile = "scores"}
// ROWS: linalg.generic {{.*}} ins(%{{.*}} : tensor<6x16xf32>) {{.*}} {relattn.tile = "max"}
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<2x16xf32>) attrs =  {relattn.tile = "scores"}
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x16xf32>) attrs =  {relattn.tile = "scores"}
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x16xf32>) attrs =  {relattn.tile = "values"}
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x16xf32>) attrs =  {relattn.tile = "rescale"}
// ROWS: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x16xf32>) attrs =  {relattn.tile = "values"}

// The last keys of half a panel one by one.
// RUN: relattn-opt %s --relattn-tile-attention=lanes=32 --relattn-decompose-attention --relattn-tile-registers --canonicalize --cse --canonicalize | FileCheck %s --check-prefix=HALF
// HALF-LABEL: func @f
// HALF: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x16xf32>) attrs =  {relattn.tile = "scores"}
// HALF-NOT: tensor<2x16xf32>) attrs =  {relattn.tile = "scores"}
// HALF: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x16xf32>) attrs =  {relattn.tile = "scores"}
// HALF: } else {
// HALF: linalg.generic {{.*}} outs(%{{.*}} : tensor<6x32xf32>) attrs =  {relattn.tile = "scores"}
// HALF: linalg.generic {{.*}} outs(%{{.*}} : tensor<2x32xf32>) attrs =  {relattn.tile = "scores"}
// HALF: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x32xf32>) attrs =  {relattn.tile = "scores"}

// The accumulators of a tile are carried around its reduction, whose broadcast
// operand is read by scalars; they start as vectors of the strip, which do not go
// through the scores' buffer; nothing is masked.
// VECTOR-LABEL: func @f
// VECTOR-NOT: vector.mask
// VECTOR-NOT: relattn.tile
// VECTOR: vector.transfer_read %{{.*}} : tensor<?xf32>, vector<16xf32>
// VECTOR-NOT: vector.transfer_write
// VECTOR: %[[STRIP:.*]] = vector.insert %{{.*}}, %{{.*}} [5] : vector<16xf32> into vector<6x16xf32>
// VECTOR-NEXT: scf.for %{{.*}} = %c0 to %c64 step %c4 iter_args(%{{.*}} = %[[STRIP]]) -> (vector<6x16xf32>)
// VECTOR:   tensor.extract
// VECTOR:   vector.from_elements
// VECTOR:   vector.contract
// VECTOR: arith.cmpf ogt
// VECTOR-NOT: arith.maximumf
// In smaller tiles a static reduction is unrolled by 2.
// VECTOR: scf.for %{{.*}} = %c0 to %c64 step %c2 iter_args({{.*}}) -> (vector<2x16xf32>)
// Eight rows of weights are summed from zero before they join the tile's sum.
// VECTOR: scf.for %{{.*}} step %c8 iter_args(%{{.*}} = %{{.*}}, %[[SUM:.*]] = %[[ZERO:cst.*]]) -> (tensor<?x16xf32>, vector<16xf32>) {
// VECTOR:   %[[PART:.*]]:2 = scf.for %{{.*}} = %c0 to %c8 step %c1 iter_args(%{{.*}} = %{{.*}}, %[[ROW:.*]] = %[[ZERO]])
// VECTOR:     math.exp %{{.*}} {relattn.bounded} : vector<16xf32>
// VECTOR:     arith.addf %[[ROW]], %{{.*}} : vector<16xf32>
// VECTOR:   arith.addf %[[SUM]], %[[PART]]#1
// Keys are taken four at a time, and the last ones one by one; in the smaller tile
// all are.
// VECTOR: %[[WHOLE:.*]] = scf.for %{{.*}} = %c0 to %[[FOURS:.*]] step %c4 iter_args({{.*}}) -> (vector<6x16xf32>)
// VECTOR-COUNT-4: vector.contract
// VECTOR: scf.for %{{.*}} = %[[FOURS]] to %{{.*}} step %c1 iter_args(%{{.*}} = %[[WHOLE]]) -> (vector<6x16xf32>)
// VECTOR: vector.contract
// VECTOR-NOT: vector.contract
// VECTOR: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 iter_args({{.*}}) -> (vector<4x16xf32>)
// KEYS: scf.for %{{.*}} = %c0 to %[[TWOS:.*]] step %c2 iter_args({{.*}}) -> (vector<6x16xf32>)
// KEYS-COUNT-2: vector.contract
// KEYS: scf.for %{{.*}} = %[[TWOS]] to
// ONE: scf.for %{{.*}} = %c0 to %c64 step %c1 iter_args({{.*}}) -> (vector<6x16xf32>)
// ONE: math.exp
// ONE: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 iter_args({{.*}}) -> (vector<6x16xf32>)
func.func @f(%q: tensor<4x?x64xf32>, %k: tensor<4x?x64xf32>, %table: tensor<32x4xf32>, %init: tensor<4x?x64xf32>) -> tensor<4x?x64xf32> {
  %out = relattn.attention ins(%q, %k, %k : tensor<4x?x64xf32>, tensor<4x?x64xf32>, tensor<4x?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128>, %table : tensor<32x4xf32>) outs(%init : tensor<4x?x64xf32>)
  return %out : tensor<4x?x64xf32>
}

// A maximum of the program's own keeps its NaN.
// VECTOR-LABEL: func @maximum_of_the_program
// VECTOR: arith.maximumf %arg2, %arg3 : vector<8xf32>
func.func @maximum_of_the_program(%q: tensor<4x?x64xf32>, %init: tensor<4x?x64xf32>, %a: vector<8xf32>, %b: vector<8xf32>) -> (tensor<4x?x64xf32>, vector<8xf32>) {
  %max = arith.maximumf %a, %b : vector<8xf32>
  %out = relattn.attention ins(%q, %q, %q : tensor<4x?x64xf32>, tensor<4x?x64xf32>, tensor<4x?x64xf32>) outs(%init : tensor<4x?x64xf32>)
  return %out, %max : tensor<4x?x64xf32>, vector<8xf32>
}

// Of a single key the products have no reduction: the loops around them are those
// over panels and rows, which stay.
// VECTOR-LABEL: func @one_key
// VECTOR: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 {{.*}} -> (tensor<4x24x16xf32>, tensor<4x16xf32>, tensor<4x16xf32>)
// VECTOR:   vector.contract
// VECTOR-NOT: vector.contract
// VECTOR:   scf.for %{{.*}} = %c0 to %c24 step %c6
// VECTOR:     vector.contract
// VECTOR-NOT: vector.contract
func.func @one_key(%q: tensor<?x1xf32>, %k: tensor<1x1xf32>, %v: tensor<1x24xf32>, %init: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %out = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x1xf32>, tensor<1x1xf32>, tensor<1x24xf32>) outs(%init : tensor<?x24xf32>)
  return %out : tensor<?x24xf32>
}
