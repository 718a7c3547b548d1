// Two adds that are no bias fold, executed with and without the pass; the text
// between the tools shows that no named op lost its meaning.
// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-fold-bias-into-scores | relattn-opt --relattn-to-cpu | %run_main | FileCheck %s

func.func private @printMemrefI32(tensor<*xi32>)

// 100 + the sum over 4 keys of 3 products 1 * 2.
// CHECK: [124,{{ +}}124]
// A product of 6 plus a bias of 5, transposed on the way.
// CHECK-COUNT-4: [11,{{ +}}11]
func.func @main() {
  %zero = arith.constant 0 : i32
  %q = arith.constant dense<1> : tensor<2x3xi32>
  %k = arith.constant dense<2> : tensor<3x4xi32>
  %start = arith.constant dense<100> : tensor<2xi32>
  %bias = arith.constant dense<5> : tensor<4x2xi32>
  %empty = tensor.empty() : tensor<2x4xi32>
  %zeros = linalg.fill ins(%zero : i32) outs(%empty : tensor<2x4xi32>) -> tensor<2x4xi32>
  %s0 = linalg.matmul ins(%q, %k : tensor<2x3xi32>, tensor<3x4xi32>) outs(%zeros : tensor<2x4xi32>) -> tensor<2x4xi32>
  %sum = linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>], iterator_types = ["parallel", "reduction"]}
      ins(%s0 : tensor<2x4xi32>) outs(%start : tensor<2xi32>) {
  ^bb0(%s: i32, %acc: i32):
    %0 = arith.addi %s, %acc : i32
    linalg.yield %0 : i32
  } -> tensor<2xi32>
  %sum_any = tensor.cast %sum : tensor<2xi32> to tensor<*xi32>
  call @printMemrefI32(%sum_any) : (tensor<*xi32>) -> ()

  %out = tensor.empty() : tensor<4x2xi32>
  %s1 = linalg.matmul ins(%q, %k : tensor<2x3xi32>, tensor<3x4xi32>) outs(%zeros : tensor<2x4xi32>) -> tensor<2x4xi32>
  %t = linalg.elementwise kind=#linalg.elementwise_kind<add>
      indexing_maps = [affine_map<(n, m) -> (m, n)>, affine_map<(n, m) -> (n, m)>, affine_map<(n, m) -> (n, m)>]
      ins(%s1, %bias : tensor<2x4xi32>, tensor<4x2xi32>) outs(%out : tensor<4x2xi32>) -> tensor<4x2xi32>
  %t_any = tensor.cast %t : tensor<4x2xi32> to tensor<*xi32>
  call @printMemrefI32(%t_any) : (tensor<*xi32>) -> ()
  return
}
