// What Khronos' validator says of both kinds, for every type of element.
// REQUIRES: spirv-val
// RUN: sed -e s/T/f32/g -e s/@ACC/f32/g %s > %t.f32.mlir
// RUN: sed -e s/T/f16/g -e s/@ACC/f32/g %s > %t.f16.mlir
// RUN: sed -e s/T/bf16/g -e s/@ACC/f32/g %s > %t.bf16.mlir
// RUN: sed -e s/T/f64/g -e s/@ACC/f64/g %s > %t.f64.mlir
// RUN: relattn-compile %t.f32.mlir --target=spirv --chip=opencl -o %t.cl32
// RUN: spirv-val --target-env opencl2.1 %t.cl32
// RUN: relattn-compile %t.f16.mlir --target=spirv --chip=opencl -o %t.cl16
// (f16 takes cl_khr_fp16, which the profile does not know.)
// RUN: spirv-val --target-env spv1.0 %t.cl16
// RUN: relattn-compile %t.bf16.mlir --target=spirv --chip=opencl -o %t.clb16
// RUN: spirv-val --target-env opencl2.1 %t.clb16
// RUN: relattn-compile %t.f64.mlir --target=spirv --chip=opencl -o %t.cl64
// RUN: spirv-val --target-env opencl2.1 %t.cl64
// RUN: relattn-compile %t.f32.mlir --target=spirv --chip=vulkan -o %t.vk32
// RUN: spirv-val --target-env vulkan1.1 %t.vk32
// RUN: relattn-compile %t.f16.mlir --target=spirv --chip=vulkan -o %t.vk16
// RUN: spirv-val --target-env vulkan1.1 %t.vk16
// RUN: relattn-compile %t.bf16.mlir --target=spirv --chip=vulkan -o %t.vkb16
// RUN: spirv-val --target-env vulkan1.1 %t.vkb16
// RUN: relattn-compile %t.f64.mlir --target=spirv --chip=vulkan -o %t.vk64
// RUN: spirv-val --target-env vulkan1.1 %t.vk64
func.func @f(%q: tensor<?x?x24xT>, %k: tensor<?x?x24xT>, %v: tensor<?x?x24xT>, %t: tensor<32x1x@ACC>,
             %mask: tensor<?x?xi1>, %lengths: tensor<?xi64>, %o: tensor<?x?x24xT>) -> tensor<?x?x24xT> {
  %0 = relattn.attention band<-100, 40> maps((b, m, d), (b, n, d), (b, n, e) -> (b, m, e))
    ins(%q, %k, %v : tensor<?x?x24xT>, tensor<?x?x24xT>, tensor<?x?x24xT>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x1x@ACC>)
    mask(%mask (m, n) : tensor<?x?xi1>) key_lengths(%lengths : tensor<?xi64>)
    outs(%o : tensor<?x?x24xT>)
  return %0 : tensor<?x?x24xT>
}
