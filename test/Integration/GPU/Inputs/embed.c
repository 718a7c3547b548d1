/* Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Launches compiled kernels from C, by the header that relattn-compile wrote
 * (KERNEL_HEADER), and compares with the definition in double precision.
 *
 *   embed kernels
 *
 * `struct relattn_device` is implemented on MLIR's mgpu functions, so that the same
 * program runs on the emulator of NVPTX code, on OpenCL and on Vulkan. A program for
 * one GPU would call cuModuleLoadData, cuMemAlloc, cuLaunchKernel and so on instead.
 */
#include KERNEL_HEADER
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void *mgpuModuleLoad(void *data, size_t size);
void *mgpuModuleGetFunction(void *module, const char *name);
void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY, intptr_t gridZ, intptr_t blockX,
                      intptr_t blockY, intptr_t blockZ, int32_t shared, void *stream, void **params, void **extra,
                      size_t count);
void *mgpuMemAlloc(uint64_t bytes, void *stream, _Bool shared);
void mgpuMemFree(void *memory, void *stream);
void mgpuMemcpy(void *target, const void *source, size_t bytes, void *stream);

static void *allocate(void *user, size_t bytes) {
  (void)user;
  return mgpuMemAlloc(bytes, NULL, 0);
}
static void release(void *user, void *memory) {
  (void)user;
  mgpuMemFree(memory, NULL);
}
static void copy(void *user, void *target, const void *source, size_t bytes) {
  (void)user;
  mgpuMemcpy(target, source, bytes, NULL);
}
static void launch(void *user, const char *kernel, const uint32_t grid[3], const uint32_t block[3],
                   uint32_t shared_bytes, void **params, uint32_t num_params) {
  mgpuLaunchKernel(mgpuModuleGetFunction(user, kernel), grid[0], grid[1], grid[2], block[0], block[1], block[2],
                   (int32_t)shared_bytes, NULL, params, NULL, num_params);
}

enum { H = 2, M = 75, N = 130, D = 16, BUCKETS = 32, MAX_DISTANCE = 128 };
static float query[H][M][D], key[H][N][D], value[H][N][D], table[BUCKETS][H], *output;

/* T5's bucket of an offset, bidirectional (Raffel et al. 2020). */
static int bucket(int offset) {
  int half = BUCKETS / 2, exact = half / 2, distance = abs(offset);
  int first = offset > 0 ? half : 0;
  if (distance < exact)
    return first + distance;
  int far = exact + (int)(log((double)distance / exact) / log((double)MAX_DISTANCE / exact) * (half - exact));
  return first + (far < half - 1 ? far : half - 1);
}

static void *read(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END))
    return NULL;
  *size = (size_t)ftell(file);
  rewind(file);
  void *data = malloc(*size);
  if (fread(data, 1, *size, file) != *size)
    return NULL;
  fclose(file);
  return data;
}

static void fill(float *numbers, size_t count) {
  static unsigned state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    numbers[i] = (float)(state >> 8) / (1 << 23) - 1;
  }
}

static double worst(void) {
  double error = 0;
  for (int h = 0; h < H; ++h)
    for (int i = 0; i < M; ++i) {
      double weight[N], sum = 0, max = -INFINITY;
      for (int j = 0; j < N; ++j) {
        weight[j] = table[bucket(j - i)][h];
        for (int d = 0; d < D; ++d)
          weight[j] += (double)query[h][i][d] * key[h][j][d];
        max = fmax(max, weight[j]);
      }
      for (int j = 0; j < N; ++j)
        sum += weight[j] = exp(weight[j] - max);
      for (int e = 0; e < D; ++e) {
        double expected = 0;
        for (int j = 0; j < N; ++j)
          expected += weight[j] * value[h][j][e] / sum;
        error = fmax(error, fabs(expected - output[(h * M + i) * D + e]));
      }
    }
  return error;
}

int main(int argc, char **argv) {
  size_t size = 0;
  void *code = argc > 1 ? read(argv[1], &size) : NULL;
  if (!code) {
    fprintf(stderr, "usage: embed kernels\n");
    return 1;
  }
  struct relattn_device device = {mgpuModuleLoad(code, size), allocate, release, copy, launch};
  fill(&query[0][0][0], sizeof(query) / 4);
  fill(&key[0][0][0], sizeof(key) / 4);
  fill(&value[0][0][0], sizeof(value) / 4);
  fill(&table[0][0], sizeof(table) / 4);

  /* Tensors in the device's memory. */
  void *q = allocate(NULL, sizeof(query)), *k = allocate(NULL, sizeof(key)), *v = allocate(NULL, sizeof(value));
  void *t = allocate(NULL, sizeof(table)), *init = allocate(NULL, sizeof(query)), *result = NULL;
  copy(NULL, q, query, sizeof(query));
  copy(NULL, k, key, sizeof(key));
  copy(NULL, v, value, sizeof(value));
  copy(NULL, t, table, sizeof(table));
  int64_t numQueries = 0;
#ifdef CHECKS_ALIGNMENT
  printf("misaligned: %d\n", attention(&device, q, M, (char *)k + 4, N, v, N, t, init, M, &result, &numQueries));
#endif
  int status = attention(&device, q, M, k, N, v, N, t, init, M, &result, &numQueries);
  output = malloc(sizeof(query));
  copy(NULL, output, result, sizeof(query));
  double error = worst();
  printf("status %d, %d queries, %s\n", status, (int)numQueries, error < 2e-5 ? "right" : "WRONG");
  if (error >= 2e-5)
    printf("error %g\n", error);
  return status != 0 || error >= 2e-5;
}
