// @ts-check
// Builds the addon with what this machine has: node-gyp where there is make (or Visual Studio), else cmake-js.
import { createRequire } from "node:module";
import { gypEnv, has, hasCmake, nodeGyp, run } from "./tools.mjs";

if (process.platform === "win32" || has("make")) {
  run(process.execPath, [nodeGyp(), "configure", "build", "--jobs", "max"], gypEnv());
} else if (hasCmake()) {
  const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
  run(process.execPath, [cmakeJs, "build", "-O", "build-cmake"]);
} else {
  console.error(
    "Fovea's addon is built with make or with CMake 3.19 or newer; neither was found. Install one of them.",
  );
  process.exit(1);
}
