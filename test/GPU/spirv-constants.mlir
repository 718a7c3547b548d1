// RUN: relattn-opt %s --relattn-convert-kernels-to-spirv=chip=vulkan | FileCheck %s

// A load of a constant becomes a choice, also where it follows at once; 64 bits
// become 32, and what does not fit the nearest number.
// CHECK: spirv.func @k
// CHECK-DAG: spirv.Constant 2147483647 : i32
// CHECK-NOT: i64
// CHECK: spirv.Select
// CHECK: spirv.Store "StorageBuffer"
module attributes {gpu.container_module} {
  gpu.module @kernels {
    memref.global constant @c : memref<4xi64> = dense<[3, 7, -2, 9223372036854775807]>
    gpu.func @k(%x: memref<4xf32>, %i: index) kernel {
      %g = memref.get_global @c : memref<4xi64>
      %v = memref.load %g[%i] : memref<4xi64>
      %f = arith.sitofp %v : i64 to f32
      memref.store %f, %x[%i] : memref<4xf32>
      gpu.return
    }
  }
  func.func @f(%x: memref<4xf32>, %i: index) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<4xf32>, %i : index)
    return
  }
}
