{
  "variables": {
    "core_sources": [
      "native/base/error.cc",
      "native/tensor/tensor.cc",
      "native/io/json.cc",
      "native/io/json_parser.cc",
      "native/io/mmap.cc",
      "native/io/safetensors.cc",
      "native/io/safetensors_header.cc",
      "native/engine/sample.cc"
    ],
    "kernel_sources": [],
    "avx2_sources": [],
    "avx2_flags": ["-mavx2", "-mfma", "-mf16c"],
    "avx512_sources": [],
    "avx512_flags": [
      "-mavx2",
      "-mfma",
      "-mf16c",
      "-mavx512f",
      "-mavx512bw",
      "-mavx512dq",
      "-mavx512vl",
      "-mavx512vnni",
      "-mavx512bf16"
    ],
    "addon_sources": [],
    "test_sources": [
      "native/test/main.cc",
      "native/test/test_json.cc",
      "native/test/test_safetensors.cc",
      "native/test/test_sample.cc"
    ],
    "fuzz_sources": [
      "native/test/fuzz/fuzz_json.cc",
      "native/test/fuzz/fuzz_safetensors.cc"
    ]
  }
}
