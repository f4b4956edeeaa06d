// Builds and runs bench/kernels.cc: node bench/kernels.mjs [tier] [threads] [repetitions]
import { run } from "../scripts/tools.mjs";

run(process.execPath, ["scripts/build-cmake.mjs", "build-cmake", "-DFOVEA_BENCH=ON"]);
run("build-cmake/fovea_bench", process.argv.slice(2));
