// RUN: relattn-opt %s --relattn-to-gpu='target=rocdl chip=gfx90a format=isa' | FileCheck %s
// RUN: relattn-opt %s --relattn-to-gpu='target=rocdl chip=gfx942 format=isa' | FileCheck %s --check-prefix=CDNA3
// LLVM's assembler takes it: to an object. (64 threads are one wave there, which needs
// no barrier.)
// RUN: relattn-compile %s --target=rocdl --chip=gfx90a -o %t.s
// RUN: %llvm_bin/clang --target=amdgcn-amd-amdhsa -mcpu=gfx90a -x assembler -c %t.s -o %t.o
// RUN: %llvm_bin/llvm-readelf -h -s %t.o | FileCheck %s --check-prefix=OBJECT

// CHECK: gpu.binary @kernels {{.*}}#rocdl.target<O = 3, chip = "gfx90a"
// CHECK-SAME: v_exp_f32
// CDNA3: gpu.binary @kernels {{.*}}chip = "gfx942"
// OBJECT: EM_AMDGPU
// OBJECT: gfx90a
// OBJECT: t5_kernel
func.func @t5(%q: tensor<?x64xf32>, %k: tensor<?x64xf32>, %v: tensor<?x64xf32>, %t: tensor<32x1xf32>, %o: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = relattn.attention maps((m, d), (n, d), (n, e) -> (m, e)) ins(%q, %k, %v : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>)
    bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x1xf32>) outs(%o : tensor<?x64xf32>)
  return %0 : tensor<?x64xf32>
}
