//===- Workgroup.cpp - The threads of a workgroup on one CPU --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fibers are started by ucontext and switched by _setjmp and _longjmp, which,
// unlike swapcontext, ask nothing of the kernel.
//
//===----------------------------------------------------------------------===//

#include "Workgroup.h"
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

using namespace emulator;

namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr size_t kPage = 4096;
/// More than any chip has.
constexpr size_t kMaxShared = 256 << 10;

struct Copy {
  char *target;
  const char *source;
  uint32_t bytes, size;
};

struct Fiber {
  ucontext_t start;
  jmp_buf state;
  std::unique_ptr<char[]> stack;
  bool isStarted = false, isDone = false;
  /// What it waits for.
  const char *place = nullptr;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

struct Warp {
  uint32_t arrived = 0;
  uint64_t generation = 0;
  /// Two turns: who is fast may be at the next exchange.
  Message messages[2][kLanes];
};

struct Schedule {
  bool reverse = false, greedy = false, eager = false;

  Schedule() {
    const char *words = getenv("RELATTN_EMULATOR");
    if (!words)
      return;
    std::string list = std::string(words) + ",", word;
    for (char c : list) {
      if (c != ',' && c != ' ') {
        word += c;
        continue;
      }
      if (word == "reverse")
        reverse = true;
      else if (word == "greedy")
        greedy = true;
      else if (word == "eager")
        eager = true;
      else if (!word.empty() && word != "count" && word.rfind("fault-", 0) != 0)
        fail("unknown word in RELATTN_EMULATOR: %s", word.c_str());
      word.clear();
    }
  }
};

/// Shared memory ends where pages that nobody may touch begin.
class SharedMemory {
public:
  SharedMemory() {
    size_t bytes = kMaxShared + 2 * kPage;
    void *pages =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
      fail("no memory");
    first = static_cast<char *>(pages) + kPage;
    mprotect(first, kMaxShared, PROT_READ | PROT_WRITE);
  }

  void reset(uint32_t bytes) {
    if (bytes > kMaxShared)
      fail("%u bytes of shared memory, more than any chip has", bytes);
    size = (bytes + 15) / 16 * 16;
    base = first + kMaxShared - size;
    // NaN in every type: what nobody wrote shows.
    memset(base, 0xff, size);
  }

  bool contains(const void *address) const {
    const char *byte = static_cast<const char *>(address);
    return byte >= first - kPage && byte < first + kMaxShared + kPage;
  }

  char *first, *base = nullptr;
  size_t size = 0;
};

struct Workgroup {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  uint32_t arrived = 0;
  uint64_t generation = 0;
  Dim3 block{}, blockSize{}, gridSize{};
};

Workgroup *group;
uint32_t current;
jmp_buf scheduler;
const std::function<void()> *body;
/// Grows with every step that some thread makes.
uint64_t progress;

SharedMemory &getShared() {
  static SharedMemory memory;
  return memory;
}

const Schedule &getSchedule() {
  static Schedule schedule;
  return schedule;
}

void run() {
  (*body)();
  group->fibers[current].isDone = true;
  ++progress;
  _longjmp(scheduler, 1);
}

void resume(uint32_t index) {
  Fiber &fiber = group->fibers[index];
  current = index;
  if (_setjmp(scheduler))
    return;
  if (fiber.isStarted)
    _longjmp(fiber.state, 1);
  fiber.isStarted = true;
  setcontext(&fiber.start);
}

void yield() {
  if (!_setjmp(group->fibers[current].state))
    _longjmp(scheduler, 1);
}

void onFault(int, siginfo_t *info, void *) {
  if (getShared().contains(info->si_addr))
    fail("thread %u accesses shared memory out of its bounds, %ld bytes from "
         "its start (it has %zu)",
         current, long(static_cast<char *>(info->si_addr) - getShared().base),
         getShared().size);
  fail("thread %u accesses memory that is not there", current);
}

void reportDeadlock() {
  const Dim3 &block = group->block;
  std::string places;
  uint32_t shown = 0;
  for (uint32_t i = 0; i < group->fibers.size() && shown < 40; ++i) {
    const Fiber &fiber = group->fibers[i];
    if (fiber.isDone)
      continue;
    places += " " + std::to_string(i) + "@" + (fiber.place ? fiber.place : "?");
    ++shown;
  }
  fail("deadlock in block %u,%u,%u: threads wait at%s", block.x, block.y,
       block.z, places.c_str());
}

void runBlock() {
  const Schedule &schedule = getSchedule();
  uint32_t count = group->fibers.size();
  for (Fiber &fiber : group->fibers) {
    fiber.stack = std::make_unique<char[]>(kStackBytes);
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStackBytes;
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, run, 0);
  }
  auto resumeAll = [&](uint32_t first, uint32_t last) {
    for (uint32_t i = first; i < last; ++i) {
      uint32_t index = schedule.reverse ? count - 1 - i : i;
      if (!group->fibers[index].isDone)
        resume(index);
    }
  };
  uint32_t step = schedule.greedy ? kLanes : count;
  for (uint32_t left = count; left;) {
    uint64_t before = progress;
    for (uint32_t first = 0; first < count; first += step) {
      uint32_t last = std::min(count, first + step);
      uint64_t seen;
      do {
        seen = progress;
        resumeAll(first, last);
      } while (schedule.greedy && seen != progress);
    }
    left = 0;
    for (const Fiber &fiber : group->fibers)
      left += !fiber.isDone;
    if (left && progress == before)
      reportDeadlock();
  }
  for (const Fiber &fiber : group->fibers) {
    bool isUnderWay = !fiber.open.empty();
    for (const auto &copies : fiber.groups)
      isUnderWay |= !copies.empty();
    if (isUnderWay)
      fail("a thread ends with copies that it did not wait for");
  }
}

} // namespace

void emulator::fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fflush(stdout);
  fprintf(stderr, "nvptx emulator: error: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  fflush(stderr);
  _exit(70);
}

void emulator::launch(Dim3 grid, Dim3 block, uint32_t sharedBytes,
                      const std::function<void()> &kernel) {
  static char alternate[64 << 10];
  stack_t stack{};
  stack.ss_sp = alternate;
  stack.ss_size = sizeof(alternate);
  sigaltstack(&stack, nullptr);
  struct sigaction action{}, before{};
  action.sa_sigaction = onFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before);

  uint32_t count = block.x * block.y * block.z;
  if (!count || !grid.x || !grid.y || !grid.z || count > 1024)
    fail("a grid of %u,%u,%u blocks of %u,%u,%u threads cannot be launched",
         grid.x, grid.y, grid.z, block.x, block.y, block.z);
  body = &kernel;
  for (uint32_t z = 0; z < grid.z; ++z)
    for (uint32_t y = 0; y < grid.y; ++y)
      for (uint32_t x = 0; x < grid.x; ++x) {
        Workgroup workgroup;
        workgroup.fibers = std::vector<Fiber>(count);
        workgroup.warps.resize((count + kLanes - 1) / kLanes);
        workgroup.block = {x, y, z};
        workgroup.blockSize = block;
        workgroup.gridSize = grid;
        group = &workgroup;
        getShared().reset(sharedBytes);
        runBlock();
      }
  sigaction(SIGSEGV, &before, nullptr);
}

Dim3 emulator::getThread() {
  const Dim3 &size = group->blockSize;
  return {current % size.x, current / size.x % size.y,
          current / size.x / size.y};
}
Dim3 emulator::getBlock() { return group->block; }
Dim3 emulator::getBlockSize() { return group->blockSize; }
Dim3 emulator::getGridSize() { return group->gridSize; }
void *emulator::getSharedMemory() { return getShared().base; }

void emulator::checkShared(const void *address, uint32_t bytes,
                           uint32_t alignment, const char *what) {
  const char *first = static_cast<const char *>(address);
  const SharedMemory &memory = getShared();
  if (first < memory.base || first + bytes > memory.base + memory.size)
    fail("thread %u: %s out of the bounds of shared memory, at byte %ld of %zu",
         current, what, long(first - memory.base), memory.size);
  if (reinterpret_cast<uintptr_t>(address) % alignment)
    fail("thread %u: %s at an address that is no multiple of %u", current, what,
         alignment);
}

void emulator::barrier() {
  uint64_t generation = group->generation;
  Fiber &fiber = group->fibers[current];
  fiber.place = "barrier";
  if (++group->arrived == group->fibers.size()) {
    group->arrived = 0;
    ++group->generation;
    ++progress;
  } else {
    while (group->generation == generation)
      yield();
  }
  fiber.place = nullptr;
}

void emulator::exchange(
    const char *what, const Message &own,
    const std::function<void(const Message *lanes, uint32_t lane)> &use) {
  uint32_t lane = current % kLanes;
  Warp &warp = group->warps[current / kLanes];
  Fiber &fiber = group->fibers[current];
  uint64_t generation = warp.generation;
  Message *messages = warp.messages[generation % 2];
  messages[lane] = own;
  fiber.place = what;
  if (++warp.arrived == kLanes) {
    warp.arrived = 0;
    ++warp.generation;
    ++progress;
  } else {
    while (warp.generation == generation)
      yield();
  }
  fiber.place = nullptr;
  use(messages, lane);
}

static void land(const Copy &copy) {
  memcpy(copy.target, copy.source, copy.bytes);
  memset(copy.target + copy.bytes, 0, copy.size - copy.bytes);
}

void emulator::copyAsync(void *target, const void *source, uint32_t bytes,
                         uint32_t size) {
  checkShared(target, size, size, "an asynchronous copy");
  if (reinterpret_cast<uintptr_t>(source) % size)
    fail("thread %u: an asynchronous copy from an address that is no multiple "
         "of "
         "%u",
         current, size);
  Copy copy{static_cast<char *>(target), static_cast<const char *>(source),
            std::min(bytes, size), size};
  if (getSchedule().eager)
    land(copy);
  else
    group->fibers[current].open.push_back(copy);
}

void emulator::commitGroup() {
  Fiber &fiber = group->fibers[current];
  fiber.groups.push_back(std::move(fiber.open));
  fiber.open.clear();
}

void emulator::waitGroup(uint32_t pending) {
  Fiber &fiber = group->fibers[current];
  while (fiber.groups.size() > pending) {
    for (const Copy &copy : fiber.groups.front())
      land(copy);
    fiber.groups.pop_front();
  }
}
