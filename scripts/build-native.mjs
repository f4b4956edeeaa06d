// @ts-check
// Builds the addon with what this machine has: node-gyp where there is make (or Visual Studio), else CMake.
import { existsSync } from "node:fs";
import { gypEnv, has, hasCmake, nodeGyp, run } from "./tools.mjs";

// A published package lacks the CMake way, whose tools are development dependencies.
const cmakeScript = "scripts/build-cmake.mjs";

if (process.platform === "win32" || has("make")) {
  run(process.execPath, [nodeGyp(), "configure", "build", "--loglevel", "warn"], gypEnv());
} else if (existsSync(cmakeScript) && hasCmake()) {
  run(process.execPath, [cmakeScript]);
} else {
  console.error("Fovea's addon is built with make (in a checkout also with CMake 3.19 or newer); install it first.");
  process.exit(1);
}
