// RUN: relattn-opt %s --relattn-lower-tiles-to-loops | FileCheck %s
// RUN: relattn-opt %s --relattn-lower-tiles-to-loops=one-worker | FileCheck %s --check-prefix=ONE
// RUN: relattn-opt %s --relattn-to-cpu | FileCheck %s --check-prefix=HEAP
// RUN: relattn-opt %s --relattn-to-cpu=threads=openmp | FileCheck %s --check-prefix=STACK

// linalg in workers becomes sequential loops, and so does a copy with strides;
// outside of them linalg stays.
// CHECK-LABEL: func @worker
// CHECK: linalg.fill
// CHECK: scf.forall
// CHECK:   memref.alloc() : memref<8xf32>
// CHECK:   scf.for
// CHECK-NOT: linalg.
// CHECK:   memref.store
// CHECK:   scf.for
// CHECK-NOT: memref.copy
// CHECK: return

// One worker after another: what they make is made before their loop, but for
// what the program frees itself.
// ONE-LABEL: func @worker
// ONE: memref.alloc() : memref<8xf32>
// ONE: scf.forall
// ONE-NOT: memref.alloc() : memref<8xf32>
// ONE: memref.alloc() {bufferization.manual_deallocation} : memref<4xf32>
// ONE: memref.dealloc
// ONE: return
func.func @worker(%m: memref<?x8xf32, strided<[?, ?]>>, %out: memref<?x8xf32>, %n: index) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<?x8xf32>)
  scf.forall (%i) in (%n) {
    %tile = memref.alloc() : memref<8xf32>
    linalg.fill ins(%zero : f32) outs(%tile : memref<8xf32>)
    %row = memref.subview %m[%i, 0] [1, 8] [1, 1] : memref<?x8xf32, strided<[?, ?]>> to memref<8xf32, strided<[?], offset: ?>>
    memref.copy %tile, %row : memref<8xf32> to memref<8xf32, strided<[?], offset: ?>>
    %own = memref.alloc() {bufferization.manual_deallocation} : memref<4xf32>
    memref.dealloc %own : memref<4xf32>
  }
  return
}

// A buffer that a step hands to the next one is another buffer there.
// CHECK-LABEL: func @carried
// CHECK: scf.forall
// CHECK: scf.for
// CHECK-NEXT: memref.alloca() : memref<4xf32>
// ONE-LABEL: func @carried
// ONE: scf.for
// ONE: scf.for
// ONE: memref.alloc() : memref<8xf32>
func.func @carried(%n: index, %x: memref<4xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.forall (%i) in (%n) {
    %r = scf.for %j = %c0 to %n step %c1 iter_args(%old = %x) -> memref<4xf32> {
      %new = memref.alloca() : memref<4xf32>
      %v = memref.load %old[%c0] : memref<4xf32>
      memref.store %v, %new[%c0] : memref<4xf32>
      scf.yield %new : memref<4xf32>
    }
    %s = scf.for %j = %c0 to %n step %c1 iter_args(%old = %y) -> memref<8xf32> {
      %new = memref.alloc() : memref<8xf32>
      %v = memref.load %old[%c0] : memref<8xf32>
      memref.store %v, %new[%c0] : memref<8xf32>
      scf.yield %new : memref<8xf32>
    }
  }
  return
}

// Workers in workers.
// CHECK-LABEL: func @nested
// CHECK: scf.forall
// CHECK: scf.forall
// CHECK-NOT: linalg.
// CHECK: return
func.func @nested(%out: memref<4x5x8xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (4) {
    scf.forall (%j) in (5) {
      %row = memref.subview %out[%i, %j, 0] [1, 1, 8] [1, 1, 1] : memref<4x5x8xf32> to memref<8xf32, strided<[1], offset: ?>>
      linalg.fill ins(%zero : f32) outs(%row : memref<8xf32, strided<[1], offset: ?>>)
    }
  }
  return
}

// The stack does not grow with the steps of a worker; what a thread of its own
// has stays there.
// CHECK-LABEL: func @steps
// CHECK: scf.forall
// CHECK-NEXT: memref.alloca() : memref<16xf32>
// CHECK-NEXT: memref.alloca() : memref<8xf32>
// CHECK-NEXT: scf.for
// CHECK: scf.parallel
// CHECK-NEXT: memref.alloca() : memref<4xf32>
func.func @steps(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  scf.forall (%i) in (%n) {
    scf.for %j = %c0 to %n step %c1 {
      %a = memref.alloca() : memref<16xf32>
      memref.store %one, %a[%c0] : memref<16xf32>
      %first = arith.cmpi eq, %j, %c0 : index
      scf.if %first {
        %b = memref.alloca() : memref<8xf32>
        memref.store %one, %b[%c0] : memref<8xf32>
      }
      scf.parallel (%k) = (%c0) to (%n) step (%c1) {
        %c = memref.alloca() : memref<4xf32>
        memref.store %one, %c[%c0] : memref<4xf32>
      }
    }
  }
  return
}

// Tiles are on the heap for one thread, once for all of an op's workers, and on
// the stacks of several: a function of many layers has no frame of many tiles.
// HEAP-LABEL: llvm.func @layer
// HEAP-NOT: llvm.alloca
// HEAP-LABEL: llvm.func @_mlir_ciface_layer
// STACK-LABEL: llvm.func @layer
// STACK: omp.parallel
// STACK-NOT: omp.wsloop
// STACK: llvm.atomicrmw add
// STACK: llvm.alloca
func.func @layer(%q: tensor<4x?x64xf32>, %init: tensor<4x?x64xf32>) -> tensor<4x?x64xf32> attributes {llvm.emit_c_interface} {
  %out = relattn.attention ins(%q, %q, %q : tensor<4x?x64xf32>, tensor<4x?x64xf32>, tensor<4x?x64xf32>) outs(%init : tensor<4x?x64xf32>)
  return %out : tensor<4x?x64xf32>
}
