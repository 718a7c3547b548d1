// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=schedule=reference | %run_main | FileCheck %s

// A band that ends at the smallest and the largest number hides nothing, from
// panels and from rows (a second block of keys among them); half of it hides what
// lies behind the query. Each result is the mean of the numbers of the keys seen.
// CHECK: panels
// CHECK-NEXT: 299.5
// CHECK-NEXT: 299.5
// CHECK: rows
// CHECK-NEXT: 299.5
// CHECK-NEXT: 299.5
// CHECK: rows of the first keys
// CHECK-NEXT: 0
// CHECK-NEXT: 0.5

func.func @print(%result: tensor<?x1xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %first = tensor.extract %result[%c0, %c0] : tensor<?x1xf32>
  %second = tensor.extract %result[%c1, %c0] : tensor<?x1xf32>
  vector.print %first : f32
  vector.print %second : f32
  return
}

func.func @main() {
  %zero = arith.constant 0.0 : f32
  %q20 = tensor.splat %zero : tensor<20x1xf32>
  %q2 = tensor.splat %zero : tensor<2x1xf32>
  %k = tensor.splat %zero : tensor<600x1xf32>
  %v = tensor.generate {
  ^bb0(%i: index, %j: index):
    %wide = arith.index_cast %i : index to i64
    %number = arith.sitofp %wide : i64 to f32
    tensor.yield %number : f32
  } : tensor<600x1xf32>
  vector.print str "panels\n"
  %panels = relattn.attention band<-9223372036854775808, 9223372036854775807> maps((m, d), (n, d), (n, e) -> (m, e))
    ins(%q20, %k, %v : tensor<20x1xf32>, tensor<600x1xf32>, tensor<600x1xf32>) outs(%q20 : tensor<20x1xf32>)
  %0 = tensor.cast %panels : tensor<20x1xf32> to tensor<?x1xf32>
  func.call @print(%0) : (tensor<?x1xf32>) -> ()
  vector.print str "rows\n"
  %rows = relattn.attention band<-9223372036854775808, 9223372036854775807> maps((m, d), (n, d), (n, e) -> (m, e))
    ins(%q2, %k, %v : tensor<2x1xf32>, tensor<600x1xf32>, tensor<600x1xf32>) outs(%q2 : tensor<2x1xf32>)
  %1 = tensor.cast %rows : tensor<2x1xf32> to tensor<?x1xf32>
  func.call @print(%1) : (tensor<?x1xf32>) -> ()
  vector.print str "rows of the first keys\n"
  %seen = relattn.attention band<-9223372036854775808, 0> maps((m, d), (n, d), (n, e) -> (m, e))
    ins(%q2, %k, %v : tensor<2x1xf32>, tensor<600x1xf32>, tensor<600x1xf32>) outs(%q2 : tensor<2x1xf32>)
  %2 = tensor.cast %seen : tensor<2x1xf32> to tensor<?x1xf32>
  func.call @print(%2) : (tensor<?x1xf32>) -> ()
  return
}
