// The pass without its pipeline: tiles that NVIDIA's matrix units would take are
// computed element by element where the GPU is another one's.
// RUN: relattn-opt %s --relattn-tile-attention='workgroups lanes=64 matrix-units=false' --relattn-decompose-attention=workgroups --canonicalize --cse --empty-tensor-to-alloc-tensor --one-shot-bufferize='bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map' --canonicalize --cse --canonicalize -o %t.mlir
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=target=rocdl | FileCheck %s
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=target=spirv | FileCheck %s
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=matrix-units=false | FileCheck %s
// CHECK: gpu.launch
// CHECK-NOT: nvvm.mma
// CHECK-NOT: nvgpu.
// CHECK: scf.for
// CHECK: gpu.terminator
func.func @f(%q: tensor<?x64xf16>, %k: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}
