//===- StepFunctionTest.cpp - Bucketings as step functions ----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Golden thresholds, saturation, point queries, and every parameter rule.
//
//===----------------------------------------------------------------------===//

#include "relattn/Bucketing/StepFunction.h"
#include "gtest/gtest.h"
#include <limits>

using namespace mlir::relattn;
using llvm::ArrayRef;
using llvm::SmallVector;

static constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
static constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

static std::string getMessage(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : "";
}

/// The first distance of each of the buckets `first`, `first + 1`, ... of
/// earlier keys, or of a later bucket: an empty bucket has the threshold of the
/// next one, which is how the literature lists them.
static SmallVector<int64_t> getDistances(const StepFunction &steps,
                                         int64_t first, int64_t last) {
  SmallVector<int64_t> result;
  for (int64_t bucket = first; bucket <= last; ++bucket) {
    int64_t distance = 0;
    while (steps.evaluate(-distance) < bucket && distance < 100000)
      ++distance;
    result.push_back(distance);
  }
  return result;
}

struct Golden {
  int64_t buckets, maxDistance;
  bool bidirectional;
  SmallVector<int64_t> distances;
};

TEST(StepFunction, GoldenThresholds) {
  for (const Golden &golden : {
           Golden{32, 128, true, {12, 16, 23, 32, 46, 64, 91}},
           Golden{
               32,
               128,
               false,
               {19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113}},
           Golden{32, 32, true, {10, 12, 14, 16, 20, 23, 27}},
           Golden{32,
                  32,
                  false,
                  {17, 18, 19, 20, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31}},
           Golden{64,
                  256,
                  true,
                  {20, 23, 27, 32, 39, 46, 54, 64, 77, 91, 108, 128, 153, 182,
                   216}},
           Golden{64, 256, false, {35,  37,  39,  42,  45,  48,  51,  54,
                                   58,  62,  66,  70,  75,  80,  85,  91,
                                   97,  104, 110, 118, 126, 134, 143, 153,
                                   163, 174, 185, 198, 211, 225, 240}},
           Golden{8, 20, true, {7}},
           Golden{8, 20, false, {6, 9, 14}},
       }) {
    StepFunction steps = StepFunction::getT5(golden.buckets, golden.maxDistance,
                                             golden.bidirectional);
    int64_t side = golden.bidirectional ? golden.buckets / 2 : golden.buckets;
    EXPECT_EQ(getDistances(steps, side / 2 + 1, side - 1), golden.distances)
        << golden.buckets << ", " << golden.maxDistance;
    EXPECT_EQ(steps.getNumBuckets(), golden.buckets);
  }
}

TEST(StepFunction, T5Saturation) {
  StepFunction both = StepFunction::getT5(32, 128, true);
  EXPECT_EQ(both.getLowSaturation(), -91);
  EXPECT_EQ(both.getHighSaturation(), 91);
  StepFunction oneSided = StepFunction::getT5(32, 128, false);
  EXPECT_EQ(oneSided.getLowSaturation(), -113);
  EXPECT_EQ(oneSided.getHighSaturation(), 0);
}

TEST(StepFunction, T5SignAndExtremes) {
  StepFunction both = StepFunction::getT5(32, 128, true);
  EXPECT_EQ(both.evaluate(5), 21);
  EXPECT_EQ(both.evaluate(-5), 5);
  EXPECT_EQ(both.evaluate(0), 0);
  EXPECT_EQ(both.evaluate(kMax), 31);
  EXPECT_EQ(both.evaluate(kMin), 15);
  StepFunction oneSided = StepFunction::getT5(32, 128, false);
  EXPECT_EQ(oneSided.evaluate(1), 0);
  EXPECT_EQ(oneSided.evaluate(kMax), 0);
  EXPECT_EQ(oneSided.evaluate(-2147483647), 31);
  EXPECT_EQ(oneSided.evaluate(kMin), 31);
}

TEST(StepFunction, T5Smallest) {
  StepFunction two = StepFunction::getT5(2, 2, false);
  EXPECT_EQ(two.evaluate(0), 0);
  EXPECT_EQ(two.evaluate(-1), 1);
  EXPECT_EQ(two.evaluate(-1000), 1);
  StepFunction four = StepFunction::getT5(4, 2, true);
  EXPECT_EQ(four.evaluate(-1), 1);
  EXPECT_EQ(four.evaluate(1), 3);
}

TEST(StepFunction, TextbookWorkedExample) {
  // n_b = 3, dist_max = 5: distances 0..5 give u_0 u_1 u_2 u_2 u_3 u_3.
  StepFunction steps = StepFunction::getTextbook(3, 5);
  SmallVector<int64_t> ids;
  for (int64_t distance = 0; distance <= 5; ++distance)
    ids.push_back(steps.evaluate(-distance));
  EXPECT_EQ(ids, (SmallVector<int64_t>{0, 1, 2, 2, 3, 3}));
}

TEST(StepFunction, Clip) {
  StepFunction steps = StepFunction::getClip(-2, 3);
  EXPECT_EQ(steps.getNumBuckets(), 6);
  EXPECT_EQ(steps.evaluate(-100), 0);
  EXPECT_EQ(steps.evaluate(-2), 0);
  EXPECT_EQ(steps.evaluate(0), 2);
  EXPECT_EQ(steps.evaluate(3), 5);
  EXPECT_EQ(steps.evaluate(kMax), 5);
  EXPECT_EQ(steps.getLowSaturation(), -2);
  EXPECT_EQ(steps.getHighSaturation(), 3);
  EXPECT_EQ(StepFunction::getClip(4, 4).getLowSaturation(), std::nullopt);
  // One parameter per offset of 8192 x 8192.
  EXPECT_EQ(StepFunction::getClip(-8191, 8191).getStarts().size(), 16382u);
}

TEST(StepFunction, StepsMergeEqualNeighbours) {
  StepFunction steps = StepFunction::getSteps(4, {-8, 0, 8}, {1, 1, 3, 3});
  EXPECT_EQ(steps.getStarts(), ArrayRef<int64_t>({0}));
  EXPECT_EQ(steps.getIds(), ArrayRef<int64_t>({1, 3}));
  EXPECT_EQ(steps.getNumBuckets(), 4);
}

TEST(StepFunction, ParameterRules) {
  auto t5 = [](int64_t buckets, int64_t distance, bool both) {
    return getMessage(StepFunction::checkT5(buckets, distance, both));
  };
  EXPECT_EQ(t5(32, 128, true), "");
  EXPECT_EQ(t5(65536, 2147483647, false), "");
  EXPECT_NE(t5(1, 128, false).find("buckets must be in [2, 65536]"),
            std::string::npos);
  EXPECT_NE(t5(2, 128, true).find("buckets must be in [4, 65536]"),
            std::string::npos);
  EXPECT_NE(t5(65537, 1 << 20, false).find("got 65537"), std::string::npos);
  EXPECT_NE(t5(33, 128, true).find("must be even"), std::string::npos);
  EXPECT_NE(t5(32, 8, true).find("max_distance must be in [9,"),
            std::string::npos);
  EXPECT_EQ(t5(32, 9, true), "");
  EXPECT_NE(t5(32, 16, false).find("max_distance must be in [17,"),
            std::string::npos);
  EXPECT_NE(t5(32, 2147483648, false).find("got 2147483648"),
            std::string::npos);
  EXPECT_NE(getMessage(StepFunction::checkTextbook(4, 9)).find("must be odd"),
            std::string::npos);
  EXPECT_NE(getMessage(StepFunction::checkClip(3, 2)).find("must not exceed"),
            std::string::npos);
  EXPECT_NE(getMessage(StepFunction::checkClip(kMin, kMax)).find("hi - lo"),
            std::string::npos);
  EXPECT_NE(getMessage(StepFunction::checkClip(kMin, kMin + 5)).find("-2^63"),
            std::string::npos);
  auto steps = [](int64_t count, ArrayRef<int64_t> starts,
                  ArrayRef<int64_t> ids) {
    return getMessage(StepFunction::checkSteps(count, starts, ids));
  };
  EXPECT_EQ(steps(1, {}, {0}), "");
  EXPECT_NE(steps(0, {}, {0}).find("buckets must be in"), std::string::npos);
  EXPECT_NE(steps(2, {0}, {0}).find("one entry more"), std::string::npos);
  EXPECT_NE(steps(2, {0, 0}, {0, 1, 0}).find("increase strictly"),
            std::string::npos);
  EXPECT_NE(steps(2, {0}, {0, 2}).find("ids must be in [0, 2)"),
            std::string::npos);
  EXPECT_NE(steps(2, {kMin}, {0, 1}).find("-2^63"), std::string::npos);
}

TEST(StepFunction, LargestParameters) {
  StepFunction steps = StepFunction::getT5(65536, 2147483647, false);
  EXPECT_EQ(steps.evaluate(-32767), 32767);
  EXPECT_EQ(steps.evaluate(-2147483647), 65535);
  EXPECT_TRUE(llvm::is_sorted(steps.getStarts()));
}
