import { optionRange } from "../prune/option.js";
import { methods } from "../prune/registry.js";

/** The methods that --prune knows, from what they say about themselves. */
export function methodsHelp(): string {
  const lines = [...methods.values()].flatMap(({ name, options }) => [
    `  ${name}`,
    ...Object.entries(options).map(([option, spec]) => {
      const standard = spec.default === undefined ? "" : `; default ${spec.default}`;
      return `    ${option.padEnd(8)} ${spec.description} (${optionRange(spec)}${standard})`;
    }),
  ]);
  return `\nMethods for --prune, options after colons, elements of lists joined by "+":\n${lines.join("\n")}\n`;
}
