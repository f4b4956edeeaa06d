#include "base/cpu.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace fovea {
namespace {

#if defined(__x86_64__)
struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf read_leaf(uint32_t leaf, uint32_t subleaf) {
  Leaf out;
  __get_cpuid_count(leaf, subleaf, &out.eax, &out.ebx, &out.ecx, &out.edx);
  return out;
}

bool bit(uint32_t word, int index) { return ((word >> index) & 1) != 0; }

// The register sets that the operating system saves; needs OSXSAVE.
uint64_t read_xcr0() {
  uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux saves the 8 KiB of the tile registers for processes that have asked for it.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kAskForState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
#else
  return true;
#endif
}

std::string read_brand() {
  char text[49] = {};
  if (read_leaf(0x80000000u, 0).eax < 0x80000004u) return "";
  for (uint32_t i = 0; i < 3; ++i) {
    const Leaf part = read_leaf(0x80000002u + i, 0);
    std::memcpy(text + 16 * i, &part, 16);
  }
  const std::string brand(text);
  const size_t begin = brand.find_first_not_of(' ');
  return begin == std::string::npos ? "" : brand.substr(begin, brand.find_last_not_of(' ') - begin + 1);
}

CpuFeatures detect() {
  CpuFeatures f;
  f.brand = read_brand();
  const Leaf basic = read_leaf(1, 0), extended = read_leaf(7, 0), more = read_leaf(7, 1);
  if (!bit(basic.ecx, 27)) return f;
  const uint64_t xcr0 = read_xcr0();
  const bool ymm = (xcr0 & 0x6) == 0x6;
  const bool zmm = ymm && (xcr0 & 0xe0) == 0xe0;
  const bool tiles = (xcr0 & 0x60000) == 0x60000 && bit(extended.edx, 24) && may_use_tiles();
  f.avx2 = ymm && bit(basic.ecx, 28) && bit(extended.ebx, 5);
  f.fma = ymm && bit(basic.ecx, 12);
  f.f16c = ymm && bit(basic.ecx, 29);
  f.avx512f = zmm && bit(extended.ebx, 16);
  f.avx512dq = zmm && bit(extended.ebx, 17);
  f.avx512bw = zmm && bit(extended.ebx, 30);
  f.avx512vl = zmm && bit(extended.ebx, 31);
  f.avx512vnni = zmm && bit(extended.ecx, 11);
  f.avx512bf16 = zmm && bit(more.eax, 5);
  f.amx_bf16 = tiles && bit(extended.edx, 22);
  f.amx_int8 = tiles && bit(extended.edx, 25);
  return f;
}
#elif defined(__aarch64__)
CpuFeatures detect() {
  CpuFeatures f;
#if defined(__linux__)
  f.dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  f.bf16 = (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#elif defined(__APPLE__)
  f.dotprod = true;  // since the first Mac that has no Intel CPU
  int found = 0;
  size_t bytes = sizeof found;
  f.bf16 = sysctlbyname("hw.optional.arm.FEAT_BF16", &found, &bytes, nullptr, 0) == 0 && found != 0;
#endif
  return f;
}
#else
CpuFeatures detect() { return {}; }
#endif

// The cores the scheduler may put us on. Counted with a set that grows: a machine may have more than CPU_SETSIZE.
int affinity_cores() {
#if defined(__linux__)
  for (int cpus = CPU_SETSIZE; cpus <= (1 << 20); cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(cpus));
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(cpus));
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<double> first_number(const std::string& path) {
  std::ifstream file(path);
  double value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

std::optional<double> quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");  // "max 100000" or "150000 100000"
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::optional<double> quota_v1(const std::string& folder) {
  const auto quota = first_number(folder + "/cpu.cfs_quota_us");
  const auto period = first_number(folder + "/cpu.cfs_period_us");
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

// A group is bound by its ancestors' quotas too; inside a container the path may name folders that are not mounted.
void tighten(std::optional<double>& tightest, const std::string& base, std::string path,
             std::optional<double> (*read)(const std::string&)) {
  while (true) {
    const auto quota = read(base + path);
    if (quota && (!tightest || *quota < *tightest)) tightest = quota;
    if (path.empty()) return;
    const size_t slash = path.rfind('/');
    path = slash == std::string::npos ? "" : path.substr(0, slash);
  }
}

bool names_cpu(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string name; std::getline(list, name, ',');)
    if (name == "cpu") return true;
  return false;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::optional<double> cgroup_cpu_quota(const std::string& root, const std::string& membership) {
  std::optional<double> tightest;
  std::istringstream lines(membership);
  // "hierarchy:controllers:path"; version 2 has no controllers.
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      tighten(tightest, root, path, quota_v2);
    } else if (names_cpu(controllers)) {
      tighten(tightest, root + "/" + controllers, path, quota_v1);
      tighten(tightest, root + "/cpu", path, quota_v1);
    }
  }
  return tightest;
}

int available_cores() {
  int cores = affinity_cores();
  std::ifstream file("/proc/self/cgroup");
  const std::string membership((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto quota = cgroup_cpu_quota("/sys/fs/cgroup", membership);
  if (quota && *quota < cores) cores = static_cast<int>(std::floor(*quota));
  return std::max(1, cores);
}

}  // namespace fovea
