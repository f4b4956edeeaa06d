#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/aligned.h"
#include "base/cpu.h"
#include "test/check.h"

namespace fovea::test {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

TEST("cgroup quota: the tightest of the group and its ancestors, both versions") {
  char name[] = "/tmp/fovea_cgroup_XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string root = name;
  CHECK(!cgroup_cpu_quota(root, "0::/a/b\n").has_value());
  write(root + "/cpu.max", "max 100000\n");
  CHECK(!cgroup_cpu_quota(root, "0::/\n").has_value());
  write(root + "/a/cpu.max", "150000 100000\n");
  write(root + "/a/b/cpu.max", "400000 100000\n");
  CHECK_NEAR(cgroup_cpu_quota(root, "0::/a/b\n").value_or(0), 1.5, 1e-9);
  CHECK_NEAR(cgroup_cpu_quota(root, "0::/a/b/unmounted\n").value_or(0), 1.5, 1e-9);
  write(root + "/cpu/box/cpu.cfs_quota_us", "50000\n");
  write(root + "/cpu/box/cpu.cfs_period_us", "100000\n");
  CHECK_NEAR(cgroup_cpu_quota(root, "5:cpuset:/box\n3:cpu,cpuacct:/box\n").value_or(0), 0.5, 1e-9);
  write(root + "/cpu/box/cpu.cfs_quota_us", "-1\n");
  CHECK(!cgroup_cpu_quota(root, "3:cpu,cpuacct:/box\n").has_value());
  CHECK(!cgroup_cpu_quota(root, "nonsense\n\n0\n").has_value());
  std::filesystem::remove_all(root);
}

TEST("cpu: at least one core, and features in order") {
  CHECK(available_cores() >= 1);
  const CpuFeatures& f = cpu_features();
  if (f.avx512bw || f.avx512vl) CHECK(f.avx512f);
  if (f.avx512f) CHECK(f.avx2);
}

TEST("aligned storage: 64-byte boundaries, and an error when there is no memory") {
  AlignedBuffer a(1), b(1000);
  CHECK_EQ(reinterpret_cast<uintptr_t>(a.as<char>()) % 64, 0u);
  CHECK_EQ(reinterpret_cast<uintptr_t>(b.as<char>()) % 64, 0u);
  CHECK_EQ(b.bytes(), 1000u);
  const char* kept = b.as<char>();
  a = std::move(b);
  CHECK_EQ(a.as<char>(), kept);
  CHECK_THROWS(ErrorCode::kOutOfMemory, AlignedBuffer(SIZE_MAX / 2));
}

}  // namespace fovea::test
