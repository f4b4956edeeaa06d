// @ts-check
// Builds and runs the native tests; arguments go to them. They need CMake: without it they are skipped, and said to be.
import { createRequire } from "node:module";
import { hasCmake, run } from "./tools.mjs";

if (hasCmake()) {
  const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
  run(process.execPath, [cmakeJs, "build", "-O", "build-cmake", "-p", "2", "--CDFOVEA_TESTS=ON"]);
  run("build-cmake/fovea_tests", process.argv.slice(2));
} else {
  console.log("Native tests skipped: they are built with CMake 3.19 or newer, which is not installed.");
}
