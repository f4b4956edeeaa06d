// @ts-check
// Builds and runs the native tests; arguments go to them. They need CMake: without it they are skipped, and said to be.
import { hasCmake, run } from "./tools.mjs";

if (hasCmake()) {
  run(process.execPath, ["scripts/build-cmake.mjs"]);
  run("build-cmake/fovea_tests", process.argv.slice(2));
} else {
  console.log("Native tests skipped: they are built with CMake 3.19 or newer, which is not installed.");
}
