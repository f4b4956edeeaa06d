#include "kernels/select.h"

#include <algorithm>
#include <cstdlib>

#include "base/cpu.h"
#include "base/error.h"

namespace fovea {
namespace {

struct Tier {
  const char* name;
  bool available;
  void (*fill)(KernelTable& table);  // the entries it improves over the tiers before it
};

std::vector<Tier> tiers() {
  std::vector<Tier> all = {{"scalar", true, reference::fill}};
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  const bool avx2 = cpu.avx2 && cpu.fma && cpu.f16c;
  const bool avx512 = avx2 && cpu.avx512f && cpu.avx512bw && cpu.avx512dq && cpu.avx512vl;
  all.push_back({"avx2", avx2, avx2::fill});
  all.push_back({"avx512", avx512, avx512::fill});
  const bool vnni = avx512 && cpu.avx512vnni;
  all.push_back({"avx512vnni", vnni, avx512vnni::fill});
  const bool bf16 = vnni && cpu.avx512bf16;
  all.push_back({"avx512bf16", bf16, avx512bf16::fill});
  all.push_back({"amx", bf16 && cpu.amx_bf16 && cpu.amx_int8, amx::fill});
#elif defined(__aarch64__)
  const CpuFeatures& cpu = cpu_features();
  all.push_back({"neon", true, neon::fill});
  all.push_back({"neondot", cpu.dotprod, neondot::fill});
  all.push_back({"neonbf16", cpu.dotprod && cpu.bf16, neonbf16::fill});
#endif
  return all;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::vector<std::string> available_tiers() {
  std::vector<std::string> names;
  for (const Tier& tier : tiers())
    if (tier.available) names.emplace_back(tier.name);
  return names;
}

KernelTable select_kernels(const std::string& isa) {
  const std::vector<std::string> available = available_tiers();
  std::string wanted = isa, source = "isa";
  if (isa == "auto") {
    const char* cap = std::getenv("FOVEA_ISA");
    const bool capped = cap != nullptr && *cap != '\0' && std::string(cap) != "auto";
    wanted = capped ? cap : available.back();
    source = "FOVEA_ISA";
  }
  if (std::find(available.begin(), available.end(), wanted) == available.end())
    throw Error(ErrorCode::kIsa, source + " asks for kernel tier '" + wanted + "', but this CPU (" +
                                     cpu_features().brand + ") has: " + joined(available) +
                                     ". Use one of these or 'auto'.");
  KernelTable table{};
  for (const Tier& tier : tiers()) {
    tier.fill(table);
    if (wanted == tier.name) break;
  }
  return table;
}

}  // namespace fovea
