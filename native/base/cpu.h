// What this CPU can do, and how many of its cores we may use.
#pragma once

#include <optional>
#include <string>

namespace fovea {

// A flag is set only if the operating system saves the registers it needs.
struct CpuFeatures {
  std::string brand;
  bool avx2 = false;
  bool fma = false;
  bool f16c = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512dq = false;
  bool avx512vl = false;
  bool avx512vnni = false;
  bool avx512bf16 = false;
  bool amx_bf16 = false;
  bool amx_int8 = false;
  bool dotprod = false;  // of ARM, and
  bool bf16 = false;
};

const CpuFeatures& cpu_features();

// min(affinity mask, floor of the cgroup's CPU quota), at least 1.
int available_cores();

// The tightest CPU quota, in cores, of the cgroups that `membership` (the text of /proc/self/cgroup) names below
// `root` (/sys/fs/cgroup), versions 2 and 1. Nothing if there is no limit.
std::optional<double> cgroup_cpu_quota(const std::string& root, const std::string& membership);

}  // namespace fovea
