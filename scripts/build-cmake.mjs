// @ts-check
// Builds the addon and the native tests with CMake: scripts/build-cmake.mjs [folder] [-DNAME=value …].
import { createRequire } from "node:module";
import { run } from "./tools.mjs";

const [folder = "build-cmake", ...definitions] = process.argv.slice(2);
const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
const options = ["-O", folder, "-p", "2", ...["-DFOVEA_TESTS=ON", ...definitions].map((text) => `--C${text.slice(1)}`)];
// "build" alone would keep the options of an earlier configuration.
run(process.execPath, [cmakeJs, "configure", ...options]);
run(process.execPath, [cmakeJs, "build", ...options]);
