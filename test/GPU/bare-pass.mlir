// The pass without its pipeline: tiles that NVIDIA's matrix units would take are
// computed element by element where the GPU is another one's.
// RUN: relattn-opt %s --relattn-tile-attention='workgroups lanes=128' --relattn-decompose-attention=workgroups --canonicalize --cse --empty-tensor-to-alloc-tensor --one-shot-bufferize='bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map' --canonicalize --cse --canonicalize -o %t.mlir
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=target=rocdl | FileCheck %s --implicit-check-not=nvvm --implicit-check-not=nvgpu.
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=target=spirv | FileCheck %s --implicit-check-not=nvvm --implicit-check-not=nvgpu.
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu | FileCheck %s --check-prefix=NVIDIA
// RUN: relattn-opt %t.mlir --relattn-convert-tiles-to-gpu=matrix-units=false | FileCheck %s --implicit-check-not=nvvm.mma --implicit-check-not=nvgpu.
// CHECK: gpu.launch
// CHECK: gpu.terminator
// NVIDIA: nvvm.mma.sync
func.func @f(%q: tensor<?x64xf16>, %k: tensor<?x64xf16>, %o: tensor<?x64xf16>) -> tensor<?x64xf16> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %k : tensor<?x64xf16>, tensor<?x64xf16>, tensor<?x64xf16>) outs(%o : tensor<?x64xf16>)
  return %0 : tensor<?x64xf16>
}
