/** A model repository of a hub at some revision. */
export interface RepositoryName {
  /** "owner/name". */
  id: string;
  /** A branch, a tag, a commit, or "refs/pr/1". */
  revision: string;
  /** Which of its GGUF models, as in "Q4_K_M"; none for safetensors. */
  variant?: string;
}

/** Letters, digits, "_", "." and "-"; neither "." nor "-" at the ends. The hub's own rule. */
const repositoryId = /^[A-Za-z0-9_](?:[\w.-]{0,94}\w)?\/[A-Za-z0-9_](?:[\w.-]{0,94}\w)?$/;

/** Reads "owner/name", "owner/name:variant", and either with "@revision"; null for anything else. */
export function parseRepositoryName(text: string): RepositoryName | null {
  const at = text.indexOf("@");
  const [id = "", variant, ...more] = (at < 0 ? text : text.slice(0, at)).split(":");
  const revision = at < 0 ? "main" : text.slice(at + 1);
  if (more.length > 0 || (variant !== undefined && !/^\w+$/.test(variant))) return null;
  if (!repositoryId.test(id) || id.includes("--") || id.includes("..")) return null;
  return revision.length <= 255 && revision.split("/").every(isSafeName)
    ? { id, revision, ...(variant !== undefined && { variant }) }
    : null;
}

/** A name that stays one path segment on every system: no separators, not "." or "..", no drive or stream. */
export function isSafeName(name: string): boolean {
  return name.length <= 255 && /^[\w+-][\w.+-]*$/.test(name);
}
