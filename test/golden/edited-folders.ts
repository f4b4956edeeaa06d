import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";

// biome-ignore lint/suspicious/noExplicitAny: the point is to write what does not belong there
export type Loose = any;

/** Copies of models' folders in which one file is edited, gone with the test file; it also is Fovea's cache until then. */
export class EditedFolders {
  readonly path: string;
  private copies = 0;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `fovea-${name}-`));
    beforeAll(() => vi.stubEnv("FOVEA_CACHE", this.path));
    afterAll(() => {
      vi.unstubAllEnvs();
      rmSync(this.path, { recursive: true });
    });
  }

  /** @param edit - changes what a JSON file says, or returns other contents. */
  copy(folder: string, file: string, edit: (json: Loose) => Loose): string {
    const copy = join(this.path, String(this.copies++));
    cpSync(folder, copy, { recursive: true });
    const json = JSON.parse(readFileSync(join(copy, file), "utf8"));
    const changed = edit(json);
    writeFileSync(join(copy, file), JSON.stringify(typeof changed === "object" ? changed : json));
    return copy;
  }
}
