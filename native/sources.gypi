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
      "native/engine/sample.cc",
      "native/engine/engine.cc",
      "native/engine/forward_pass.cc",
      "native/engine/generation.cc",
      "native/engine/hooks.cc",
      "native/engine/prompt.cc",
      "native/engine/steps.cc",
      "native/model/activation.cc",
      "native/model/decoder/decoder.cc",
      "native/model/decoder/llama.cc",
      "native/model/decoder/rope_frequencies.cc",
      "native/model/families/llava.cc",
      "native/model/kv_cache.cc",
      "native/model/registry.cc",
      "native/model/vision/clip.cc",
      "native/model/vision/clip_tower.cc",
      "native/model/weights.cc",
      "native/prune/allocate.cc",
      "native/prune/gather.cc",
      "native/prune/plan.cc",
      "native/prune/probe.cc",
      "native/prune/select.cc",
      "native/base/cpu.cc",
      "native/base/thread_pool.cc",
      "native/ops/shapes.cc",
      "native/ops/cpu_ops.cc",
      "native/ops/cpu_pack.cc",
      "native/ops/cpu_linear.cc",
      "native/ops/cpu_attention.cc",
      "native/ops/cpu_elementwise.cc",
      "native/ops/cpu_rows.cc",
      "native/image/preprocess.cc",
      "native/image/resample.cc"
    ],
    "kernel_sources": [
      "native/kernels/select.cc",
      "native/kernels/reference/fill.cc",
      "native/kernels/reference/gemm.cc",
      "native/kernels/reference/pack.cc",
      "native/kernels/reference/softmax.cc",
      "native/kernels/reference/norm.cc",
      "native/kernels/reference/elementwise.cc"
    ],
    "avx2_sources": [
      "native/kernels/x86/fill_avx2.cc",
      "native/kernels/x86/gemm_avx2.cc",
      "native/kernels/x86/pack_avx2.cc",
      "native/kernels/x86/softmax_avx2.cc",
      "native/kernels/x86/norm_avx2.cc",
      "native/kernels/x86/elementwise_avx2.cc"
    ],
    "avx2_flags": [
      "-mavx2",
      "-mfma",
      "-mf16c"
    ],
    "avx512_sources": [
      "native/kernels/x86/fill_avx512.cc",
      "native/kernels/x86/gemm_avx512.cc",
      "native/kernels/x86/pack_avx512.cc",
      "native/kernels/x86/softmax_avx512.cc",
      "native/kernels/x86/norm_avx512.cc",
      "native/kernels/x86/elementwise_avx512.cc"
    ],
    "avx512_flags": [
      "-mavx2",
      "-mfma",
      "-mf16c",
      "-mavx512f",
      "-mavx512bw",
      "-mavx512dq",
      "-mavx512vl"
    ],
    "addon_sources": [
      "native/addon/addon.cc",
      "native/addon/addon_data.cc",
      "native/addon/convert.cc",
      "native/addon/model_wrap.cc"
    ],
    "test_sources": [
      "native/test/main.cc",
      "native/test/test_json.cc",
      "native/test/test_safetensors.cc",
      "native/test/test_sample.cc",
      "native/test/test_resample.cc",
      "native/test/test_cpu.cc",
      "native/test/test_thread_pool.cc",
      "native/test/test_kernels.cc",
      "native/test/test_ops.cc",
      "native/test/test_attention.cc"
    ],
    "fuzz_sources": [
      "native/test/fuzz/fuzz_json.cc",
      "native/test/fuzz/fuzz_safetensors.cc"
    ]
  }
}
