// RUN: relattn-opt %s --relattn-to-gpu=target=spirv --mlir-print-ir-after=relattn-convert-kernels-to-spirv -o /dev/null 2>&1 | FileCheck %s --check-prefixes=CHECK,OPENCL
// RUN: relattn-opt %s --relattn-to-gpu='target=spirv chip=vulkan' --mlir-print-ir-after=relattn-convert-kernels-to-spirv -o /dev/null 2>&1 | FileCheck %s --check-prefixes=CHECK,VULKAN
// RUN: relattn-opt %s --relattn-to-gpu=target=spirv | FileCheck %s --check-prefix=HOST

// The number of buffers, and each with its size.
// CHECK: gpu.launch_func @kernels::@t5_kernel_0
// CHECK-SAME: args(%c5{{.*}} : index, %{{.*}} : index,
// Buffers and then sizes; no vendor's intrinsic, no shuffle.
// OPENCL: spirv.module {{.*}}Physical64 OpenCL
// VULKAN: spirv.module {{.*}}Logical GLSL450
// VULKAN: spirv.GlobalVariable @__push_constant_var__ : !spirv.ptr<!spirv.struct<(!spirv.array<6 x i32, stride=4> [0])>, PushConstant>
// CHECK-NOT: llvm.
// CHECK-DAG: spirv.GlobalVariable @t5_kernel_0.shared0 : {{.*}}Workgroup
// OPENCL: spirv.func @t5_kernel_0(%arg0: !spirv.ptr<i16, CrossWorkgroup>, {{.*}}, %arg5: i64
// VULKAN: spirv.func @t5_kernel_0(%arg0: {{.*}}!spirv.rtarray<i16, stride=2> [0])>, StorageBuffer>
// CHECK-SAME: spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [64, 1, 1]
// VULKAN-SAME: target_width = 32
// CHECK: spirv.mlir.loop
// CHECK: spirv.ControlBarrier <Workgroup>, <Workgroup>
// CHECK-NOT: spirv.{{(CL|GL)}}.exp
// CHECK: func.func private @t5_kernel_0() attributes {gpu.kernel}

// HOST: gpu.binary @kernels [#gpu.object<#spirv.target_env<{{.*}}, bin = "\03\02#\07
// HOST: llvm.func @mgpuMemAlloc
func.func @t5(%q: tensor<?x24xbf16>, %k: tensor<?x24xbf16>, %v: tensor<?x24xbf16>, %t: tensor<32x1xf32>, %o: tensor<?x24xbf16>) -> tensor<?x24xbf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x24xbf16>, tensor<?x24xbf16>, tensor<?x24xbf16>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x1xf32>) outs(%o : tensor<?x24xbf16>)
  return %0 : tensor<?x24xbf16>
}
