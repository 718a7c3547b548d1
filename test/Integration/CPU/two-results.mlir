// RUN: relattn-opt %s --relattn-to-cpu | %run_main | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | %run_main | FileCheck %s

// Two products that start from one tensor of zeros and go to two buffers. The
// second is computed after the first one's last use as a tensor, but not in the
// first one's buffer.
// CHECK: data =
// CHECK-NEXT: {{\[\[}}1, 2],
// CHECK-NEXT: [3, 4]]
// CHECK: data =
// CHECK-NEXT: {{\[\[}}2, 1],
// CHECK-NEXT: [4, 3]]

func.func private @printMemrefF32(memref<*xf32>) attributes {llvm.emit_c_interface}

func.func @products(%x: memref<2x2xf32>, %y: memref<2x2xf32>, %w: memref<2x2xf32>, %o0: memref<2x2xf32>, %o1: memref<2x2xf32>) {
  %xt = bufferization.to_tensor %x restrict : memref<2x2xf32> to tensor<2x2xf32>
  %yt = bufferization.to_tensor %y restrict : memref<2x2xf32> to tensor<2x2xf32>
  %wt = bufferization.to_tensor %w restrict : memref<2x2xf32> to tensor<2x2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x2xf32>) -> tensor<2x2xf32>
  %first = linalg.matmul ins(%xt, %yt : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  %second = linalg.matmul ins(%first, %wt : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zeros : tensor<2x2xf32>) -> tensor<2x2xf32>
  bufferization.materialize_in_destination %first in restrict writable %o0 : (tensor<2x2xf32>, memref<2x2xf32>) -> ()
  bufferization.materialize_in_destination %second in restrict writable %o1 : (tensor<2x2xf32>, memref<2x2xf32>) -> ()
  return
}

memref.global constant @x : memref<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]>
memref.global constant @identity : memref<2x2xf32> = dense<[[1.0, 0.0], [0.0, 1.0]]>
memref.global constant @swap : memref<2x2xf32> = dense<[[0.0, 1.0], [1.0, 0.0]]>

func.func @main() {
  %x = memref.get_global @x : memref<2x2xf32>
  %y = memref.get_global @identity : memref<2x2xf32>
  %w = memref.get_global @swap : memref<2x2xf32>
  %o0 = memref.alloc() : memref<2x2xf32>
  %o1 = memref.alloc() : memref<2x2xf32>
  call @products(%x, %y, %w, %o0, %o1) : (memref<2x2xf32>, memref<2x2xf32>, memref<2x2xf32>, memref<2x2xf32>, memref<2x2xf32>) -> ()
  %0 = memref.cast %o0 : memref<2x2xf32> to memref<*xf32>
  call @printMemrefF32(%0) : (memref<*xf32>) -> ()
  %1 = memref.cast %o1 : memref<2x2xf32> to memref<*xf32>
  call @printMemrefF32(%1) : (memref<*xf32>) -> ()
  memref.dealloc %o0 : memref<2x2xf32>
  memref.dealloc %o1 : memref<2x2xf32>
  return
}
