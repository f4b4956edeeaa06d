# The shipping build, driven by node-gyp. It lists no source of its own: native/sources.gypi does, for CMake too.
{
  "includes": ["native/sources.gypi"],
  "target_defaults": {
    "include_dirs": ["native"],
    # GCC 12 sees overlapping copies in every "text" + std::string.
    "cflags": ["-Wall", "-Wextra", "-Wno-restrict", "-fvisibility=hidden", "-fvisibility-inlines-hidden"],
    # No multiply-add is formed behind our back: all tiers and compilers round alike.
    "cflags_cc": ["-std=c++20", "-ffp-contract=off", "-pthread"],
    # Node's own choice of language standard goes.
    "cflags_cc/": [["exclude", "^-std="], ["include", "^-std=c\\+\\+20$"]],
    "defines": ["NDEBUG"],
    "ldflags": ["-pthread"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "13.3",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off"]
    },
    "msvs_settings": {
      "VCCLCompilerTool": {"ExceptionHandling": 1, "AdditionalOptions": ["/std:c++20", "/fp:precise"]}
    }
  },
  "targets": [
    {
      "target_name": "fovea",
      "sources": ["<@(addon_sources)"],
      "dependencies": ["fovea_core"],
      "include_dirs": ["<!@(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti"]
    },
    {
      "target_name": "fovea_core",
      "type": "static_library",
      "sources": ["<@(core_sources)", "<@(kernel_sources)"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["fovea_avx2", "fovea_avx512", "fovea_avx512vnni", "fovea_avx512bf16", "fovea_amx"]}],
        ["target_arch=='arm64'", {"sources": ["<@(neon_sources)"], "dependencies": ["fovea_neondot", "fovea_neonbf16"]}]
      ]
    }
  ],
  # One static library per ISA tier, since gyp has no flags per file: only these may contain instructions that a plain
  # CPU lacks. They keep Node's -fno-exceptions, so that a kernel that throws does not compile.
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "fovea_avx2",
          "type": "static_library",
          "sources": ["<@(avx2_sources)"],
          "cflags_cc": ["<@(avx2_flags)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx2_flags)"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/arch:AVX2"]}}
        },
        {
          "target_name": "fovea_avx512",
          "type": "static_library",
          "sources": ["<@(avx512_sources)"],
          # GCC's own AVX-512 headers raise false "uninitialized" warnings.
          "cflags_cc": ["<@(avx512_flags)", "-Wno-uninitialized", "-Wno-maybe-uninitialized"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx512_flags)"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/arch:AVX512"]}}
        },
        {
          "target_name": "fovea_avx512vnni",
          "type": "static_library",
          "sources": ["<@(avx512vnni_sources)"],
          "cflags_cc": ["<@(avx512vnni_flags)", "-Wno-uninitialized", "-Wno-maybe-uninitialized"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx512vnni_flags)"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/arch:AVX512"]}}
        },
        {
          "target_name": "fovea_avx512bf16",
          "type": "static_library",
          "sources": ["<@(avx512bf16_sources)"],
          "cflags_cc": ["<@(avx512bf16_flags)", "-Wno-uninitialized", "-Wno-maybe-uninitialized"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(avx512bf16_flags)"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/arch:AVX512"]}}
        },
        {
          "target_name": "fovea_amx",
          "type": "static_library",
          "sources": ["<@(amx_sources)"],
          "cflags_cc": ["<@(amx_flags)", "-Wno-uninitialized", "-Wno-maybe-uninitialized"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(amx_flags)"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["/arch:AVX512"]}}
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "fovea_neondot",
          "type": "static_library",
          "sources": ["<@(neondot_sources)"],
          "cflags_cc": ["<@(neondot_flags)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(neondot_flags)"]}
        },
        {
          "target_name": "fovea_neonbf16",
          "type": "static_library",
          "sources": ["<@(neonbf16_sources)"],
          "cflags_cc": ["<@(neonbf16_flags)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(neonbf16_flags)"]}
        }
      ]
    }]
  ]
}
