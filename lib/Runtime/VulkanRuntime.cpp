//===- VulkanRuntime.cpp - Host code of GPU programs, on Vulkan -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that MLIR's lowering of the gpu dialect calls (mgpu*), for
// kernels in SPIR-V. Tensors are in the host's memory: a launch moves its
// buffers to the device and what it wrote back, and waits. The device is the
// first one that computes (VK_DRIVER_FILES and VK_ICD_FILENAMES choose the
// drivers that the loader looks at). Every feature that a kernel may need and
// the device has is switched on.
//
// An error ends the process with its name, at once (what runs at its end may
// need the device): host code has no way to return it.
//
//===----------------------------------------------------------------------===//

#include "HostMemory.h"
#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include <vulkan/vulkan.h>

namespace {

[[noreturn]] void fail(const char *what) {
  fprintf(stderr, "relattn: error: Vulkan: %s\n", what);
  fflush(nullptr);
  _Exit(1);
}

void check(VkResult result, const char *what) {
  if (result == VK_SUCCESS)
    return;
  fprintf(stderr, "relattn: error: Vulkan: %s failed with code %d\n", what,
          result);
  fflush(nullptr);
  _Exit(1);
}

template <typename Info>
Info create(VkStructureType type, void *next = nullptr) {
  Info info{};
  info.sType = type;
  info.pNext = next;
  return info;
}

/// Sizes that a kernel may be told: what every driver takes.
constexpr uint32_t kMaxPushConstants = 32;

struct Device {
  Device() {
    auto application =
        create<VkApplicationInfo>(VK_STRUCTURE_TYPE_APPLICATION_INFO);
    application.apiVersion = VK_API_VERSION_1_2;
    auto info =
        create<VkInstanceCreateInfo>(VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO);
    info.pApplicationInfo = &application;
    check(vkCreateInstance(&info, nullptr, &instance), "vkCreateInstance");
    findDevice();
    createDevice();
    vkGetDeviceQueue(device, family, 0, &queue);
    auto pool = create<VkCommandPoolCreateInfo>(
        VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO);
    pool.queueFamilyIndex = family;
    check(vkCreateCommandPool(device, &pool, nullptr, &commands),
          "vkCreateCommandPool");
    watchForEnd();
  }

  void findDevice() {
    uint32_t count = 0;
    check(vkEnumeratePhysicalDevices(instance, &count, nullptr),
          "vkEnumeratePhysicalDevices");
    std::vector<VkPhysicalDevice> devices(count);
    check(vkEnumeratePhysicalDevices(instance, &count, devices.data()),
          "vkEnumeratePhysicalDevices");
    for (VkPhysicalDevice candidate : devices) {
      uint32_t numFamilies = 0;
      vkGetPhysicalDeviceQueueFamilyProperties(candidate, &numFamilies,
                                               nullptr);
      std::vector<VkQueueFamilyProperties> families(numFamilies);
      vkGetPhysicalDeviceQueueFamilyProperties(candidate, &numFamilies,
                                               families.data());
      vkGetPhysicalDeviceProperties(candidate, &properties);
      if (properties.apiVersion < VK_API_VERSION_1_2)
        continue;
      for (family = 0; family < numFamilies; ++family) {
        if (!(families[family].queueFlags & VK_QUEUE_COMPUTE_BIT))
          continue;
        physical = candidate;
        return;
      }
    }
    fail("no device of version 1.2 that computes");
  }

  /// With the features for types that kernels may have, if it has them.
  void createDevice() {
    auto features12 = create<VkPhysicalDeviceVulkan12Features>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
    auto features11 = create<VkPhysicalDeviceVulkan11Features>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &features12);
    auto features = create<VkPhysicalDeviceFeatures2>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &features11);
    vkGetPhysicalDeviceFeatures2(physical, &features);
    auto used12 = create<VkPhysicalDeviceVulkan12Features>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
    used12.shaderFloat16 = features12.shaderFloat16;
    used12.shaderInt8 = features12.shaderInt8;
    used12.storageBuffer8BitAccess = features12.storageBuffer8BitAccess;
    auto used11 = create<VkPhysicalDeviceVulkan11Features>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &used12);
    used11.storageBuffer16BitAccess = features11.storageBuffer16BitAccess;
    auto used = create<VkPhysicalDeviceFeatures2>(
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &used11);
    used.features.shaderFloat64 = features.features.shaderFloat64;
    used.features.shaderInt64 = features.features.shaderInt64;
    used.features.shaderInt16 = features.features.shaderInt16;

    capabilities = {
        {9, {"shaderFloat16", used12.shaderFloat16}},
        {10, {"shaderFloat64", used.features.shaderFloat64}},
        {11, {"shaderInt64", used.features.shaderInt64}},
        {22, {"shaderInt16", used.features.shaderInt16}},
        {39, {"shaderInt8", used12.shaderInt8}},
        {4433, {"storageBuffer16BitAccess", used11.storageBuffer16BitAccess}},
        {4448, {"storageBuffer8BitAccess", used12.storageBuffer8BitAccess}}};
    float priority = 1;
    auto queues = create<VkDeviceQueueCreateInfo>(
        VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO);
    queues.queueFamilyIndex = family;
    queues.queueCount = 1;
    queues.pQueuePriorities = &priority;
    auto info =
        create<VkDeviceCreateInfo>(VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &used);
    info.queueCreateInfoCount = 1;
    info.pQueueCreateInfos = &queues;
    check(vkCreateDevice(physical, &info, nullptr, &device), "vkCreateDevice");
  }

  uint32_t findMemory(uint32_t allowed) const {
    VkPhysicalDeviceMemoryProperties properties;
    vkGetPhysicalDeviceMemoryProperties(physical, &properties);
    constexpr VkMemoryPropertyFlags kWanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    for (uint32_t type = 0; type < properties.memoryTypeCount; ++type)
      if ((allowed >> type & 1) &&
          (properties.memoryTypes[type].propertyFlags & kWanted) == kWanted)
        return type;
    fail("no memory that the host sees");
  }

  VkInstance instance;
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties{};
  /// What kernels may need, by SPIR-V's number of the capability.
  std::map<uint32_t, std::pair<const char *, bool>> capabilities;
  uint32_t family = 0;
  VkDevice device;
  VkQueue queue;
  VkCommandPool commands;
};

const Device &getDevice() {
  static Device device;
  return device;
}

/// Host-visible memory of the device.
class Buffer {
public:
  explicit Buffer(size_t size) {
    const Device &device = getDevice();
    auto info =
        create<VkBufferCreateInfo>(VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO);
    info.size = std::max<size_t>((size + 3) / 4 * 4, 4);
    info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
    check(vkCreateBuffer(device.device, &info, nullptr, &buffer),
          "vkCreateBuffer");
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(device.device, buffer, &requirements);
    auto allocation =
        create<VkMemoryAllocateInfo>(VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO);
    allocation.allocationSize = requirements.size;
    allocation.memoryTypeIndex = device.findMemory(requirements.memoryTypeBits);
    check(vkAllocateMemory(device.device, &allocation, nullptr, &memory),
          "vkAllocateMemory");
    check(vkBindBufferMemory(device.device, buffer, memory, 0),
          "vkBindBufferMemory");
    check(vkMapMemory(device.device, memory, 0, VK_WHOLE_SIZE, 0, &address),
          "vkMapMemory");
  }
  Buffer(const Buffer &) = delete;
  ~Buffer() {
    vkDestroyBuffer(getDevice().device, buffer, nullptr);
    vkFreeMemory(getDevice().device, memory, nullptr);
  }

  VkBuffer buffer;
  VkDeviceMemory memory;
  void *address = nullptr;
};

/// An entry point of a module, for a number of buffers.
struct Kernel {
  Kernel(VkShaderModule module, const std::string &name, uint32_t numBuffers) {
    VkDevice device = getDevice().device;
    if (numBuffers >
        getDevice().properties.limits.maxPerStageDescriptorStorageBuffers)
      fail("a kernel with more buffers than the device takes");
    std::vector<VkDescriptorSetLayoutBinding> bindings(numBuffers);
    for (uint32_t i = 0; i < numBuffers; ++i) {
      bindings[i].binding = i;
      bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
      bindings[i].descriptorCount = 1;
      bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    auto setInfo = create<VkDescriptorSetLayoutCreateInfo>(
        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO);
    setInfo.bindingCount = numBuffers;
    setInfo.pBindings = bindings.data();
    check(vkCreateDescriptorSetLayout(device, &setInfo, nullptr, &setLayout),
          "vkCreateDescriptorSetLayout");
    VkPushConstantRange constants{VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                  4 * kMaxPushConstants};
    auto layoutInfo = create<VkPipelineLayoutCreateInfo>(
        VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO);
    layoutInfo.setLayoutCount = 1;
    layoutInfo.pSetLayouts = &setLayout;
    layoutInfo.pushConstantRangeCount = 1;
    layoutInfo.pPushConstantRanges = &constants;
    check(vkCreatePipelineLayout(device, &layoutInfo, nullptr, &layout),
          "vkCreatePipelineLayout");
    auto info = create<VkComputePipelineCreateInfo>(
        VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO);
    info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = module;
    info.stage.pName = name.c_str();
    info.layout = layout;
    check(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, nullptr,
                                   &pipeline),
          "vkCreateComputePipelines");
    VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                              std::max(numBuffers, 1u)};
    auto poolInfo = create<VkDescriptorPoolCreateInfo>(
        VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO);
    poolInfo.maxSets = 1;
    poolInfo.poolSizeCount = 1;
    poolInfo.pPoolSizes = &size;
    check(vkCreateDescriptorPool(device, &poolInfo, nullptr, &pool),
          "vkCreateDescriptorPool");
    auto allocation = create<VkDescriptorSetAllocateInfo>(
        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO);
    allocation.descriptorPool = pool;
    allocation.descriptorSetCount = 1;
    allocation.pSetLayouts = &setLayout;
    check(vkAllocateDescriptorSets(device, &allocation, &set),
          "vkAllocateDescriptorSets");
  }
  Kernel(const Kernel &) = delete;
  ~Kernel() {
    VkDevice device = getDevice().device;
    vkDestroyDescriptorPool(device, pool, nullptr);
    vkDestroyPipeline(device, pipeline, nullptr);
    vkDestroyPipelineLayout(device, layout, nullptr);
    vkDestroyDescriptorSetLayout(device, setLayout, nullptr);
  }

  VkDescriptorSetLayout setLayout;
  VkPipelineLayout layout;
  VkPipeline pipeline;
  VkDescriptorPool pool;
  VkDescriptorSet set;
};

/// The instructions at a module's start say what the device has to have.
void checkCapabilities(const std::vector<uint32_t> &words) {
  constexpr uint32_t kHeaderWords = 5, kCapability = 17;
  const auto &capabilities = getDevice().capabilities;
  for (size_t i = kHeaderWords;
       i + 1 < words.size() && (words[i] & 0xffff) == kCapability;
       i += words[i] >> 16) {
    auto found = capabilities.find(words[i + 1]);
    if (found == capabilities.end() || found->second.second)
      continue;
    fail((std::string("the device has no ") + found->second.first +
          ", which the kernels need")
             .c_str());
  }
}

class Module {
public:
  Module(const void *data, size_t size) {
    // Words, wherever the data start.
    std::vector<uint32_t> words(size / 4);
    memcpy(words.data(), data, words.size() * 4);
    checkCapabilities(words);
    auto info = create<VkShaderModuleCreateInfo>(
        VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
    info.codeSize = words.size() * 4;
    info.pCode = words.data();
    check(vkCreateShaderModule(getDevice().device, &info, nullptr, &module),
          "vkCreateShaderModule");
  }
  ~Module() {
    kernels.clear();
    vkDestroyShaderModule(getDevice().device, module, nullptr);
  }

  struct Function {
    Module *module;
    std::string name;
  };
  Function *find(const char *name) {
    Function &function = functions[name];
    function = {this, name};
    return &function;
  }
  Kernel &getKernel(const std::string &name, uint32_t numBuffers) {
    return kernels.try_emplace(name, module, name, numBuffers).first->second;
  }

private:
  VkShaderModule module;
  std::map<std::string, Function> functions;
  std::map<std::string, Kernel> kernels;
};

std::mutex mutex;

void bind(const Kernel &kernel,
          const std::vector<std::unique_ptr<Buffer>> &buffers) {
  std::vector<VkDescriptorBufferInfo> infos(buffers.size());
  std::vector<VkWriteDescriptorSet> writes(buffers.size());
  for (size_t i = 0; i < buffers.size(); ++i) {
    infos[i] = {buffers[i]->buffer, 0, VK_WHOLE_SIZE};
    writes[i].sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    writes[i].dstSet = kernel.set;
    writes[i].dstBinding = static_cast<uint32_t>(i);
    writes[i].descriptorCount = 1;
    writes[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[i].pBufferInfo = &infos[i];
  }
  vkUpdateDescriptorSets(getDevice().device, writes.size(), writes.data(), 0,
                         nullptr);
}

} // namespace

extern "C" {

void *mgpuModuleLoad(void *data, size_t size) { return new Module(data, size); }
void mgpuModuleUnload(void *module) {
  if (!isEnding)
    delete static_cast<Module *>(module);
}
void *mgpuModuleGetFunction(void *module, const char *name) {
  std::lock_guard<std::mutex> guard(mutex);
  return static_cast<Module *>(module)->find(name);
}

void mgpuLaunchKernel(void *functionPointer, intptr_t gridX, intptr_t gridY,
                      intptr_t gridZ, intptr_t /*blockX*/, intptr_t /*blockY*/,
                      intptr_t /*blockZ*/, int32_t /*sharedBytes*/,
                      void * /*stream*/, void **pointers, void ** /*extra*/,
                      size_t count) {
  // A kernel has one set of descriptors, and the device one queue.
  std::lock_guard<std::mutex> guard(mutex);
  const Device &device = getDevice();
  auto function = static_cast<Module::Function *>(functionPointer);
  LaunchArguments arguments(pointers, count);
  Kernel &kernel =
      function->module->getKernel(function->name, arguments.getNumBuffers());
  std::vector<std::unique_ptr<Buffer>> buffers;
  for (size_t i = 0; i < arguments.getNumBuffers(); ++i) {
    auto [address, bytes, isWritten] = arguments.getBuffer(i);
    // Kernels count in 32 bits.
    if (bytes > INT32_MAX ||
        bytes > device.properties.limits.maxStorageBufferRange)
      fail("a tensor of more bytes than a kernel can address");
    buffers.push_back(std::make_unique<Buffer>(bytes));
    memcpy(buffers.back()->address, address, bytes);
  }
  bind(kernel, buffers);
  std::vector<int32_t> indices(arguments.getNumIndices());
  if (indices.size() > kMaxPushConstants)
    fail("a kernel with more than 32 sizes");
  for (size_t i = 0; i < indices.size(); ++i) {
    int64_t index = arguments.getIndex(i);
    indices[i] = static_cast<int32_t>(index);
    if (indices[i] != index)
      fail("a size or offset that has no 32 bits");
  }

  auto allocation = create<VkCommandBufferAllocateInfo>(
      VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO);
  allocation.commandPool = device.commands;
  allocation.commandBufferCount = 1;
  VkCommandBuffer commands;
  check(vkAllocateCommandBuffers(device.device, &allocation, &commands),
        "vkAllocateCommandBuffers");
  auto begin = create<VkCommandBufferBeginInfo>(
      VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO);
  check(vkBeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
  vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.pipeline);
  vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                          kernel.layout, 0, 1, &kernel.set, 0, nullptr);
  if (!indices.empty())
    vkCmdPushConstants(commands, kernel.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                       4 * indices.size(), indices.data());
  vkCmdDispatch(commands, gridX, gridY, gridZ);
  // What the kernel wrote becomes visible to the host.
  auto barrier = create<VkMemoryBarrier>(VK_STRUCTURE_TYPE_MEMORY_BARRIER);
  barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT;
  vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, nullptr,
                       0, nullptr);
  check(vkEndCommandBuffer(commands), "vkEndCommandBuffer");
  auto submission = create<VkSubmitInfo>(VK_STRUCTURE_TYPE_SUBMIT_INFO);
  submission.commandBufferCount = 1;
  submission.pCommandBuffers = &commands;
  check(vkQueueSubmit(device.queue, 1, &submission, VK_NULL_HANDLE),
        "vkQueueSubmit");
  check(vkQueueWaitIdle(device.queue), "vkQueueWaitIdle");
  vkFreeCommandBuffers(device.device, device.commands, 1, &commands);
  for (size_t i = 0; i < buffers.size(); ++i)
    if (auto [address, bytes, isWritten] = arguments.getBuffer(i); isWritten)
      memcpy(address, buffers[i]->address, bytes);
}

} // extern "C"
