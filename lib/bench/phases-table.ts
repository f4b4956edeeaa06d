import type { PhasesCell, Spread } from "./measure-phases.js";

const phases = ["encode", "prefill", "select", "firstToken", "decode"] as const;

/** Medians with the ends of what was measured, in milliseconds, and the speed-up over the first plan of a size. */
export function phasesMarkdown(cells: readonly PhasesCell[]): string {
  const head = ["picture", "plan", "rows", "encode", "prefill", "choosing", "first token", "speed-up", "a token"];
  const rows = cells.map((cell) => {
    const first = cells.find(({ width, height }) => width === cell.width && height === cell.height) ?? cell;
    return [
      `${cell.width}x${cell.height}`,
      cell.plan,
      `${cell.promptRows - cell.visualRows} + ${cell.meanRows.toFixed(0)}`,
      spreadText(cell.encode),
      spreadText(cell.prefill),
      spreadText(cell.select),
      spreadText(cell.firstToken),
      `${(first.firstToken.median / cell.firstToken.median).toFixed(2)} x`,
      spreadText(cell.decode),
    ];
  });
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** The same as comma-separated values, with every number. */
export function phasesCsv(cells: readonly PhasesCell[]): string {
  const facts = ["width", "height", "plan", "promptRows", "visualRows", "meanRows", "flops"] as const;
  const ends = ["median", "low", "high"] as const;
  const head = [...facts, ...phases.flatMap((phase) => ends.map((end) => `${phase}_${end}`))];
  const rows = cells.map((cell) => [
    ...facts.map((fact) => (fact === "plan" ? `"${cell.plan.replaceAll('"', '""')}"` : cell[fact])),
    ...phases.flatMap((phase) => ends.map((end) => cell[phase][end])),
  ]);
  return [head, ...rows].map((row) => `${row.join(",")}\n`).join("");
}

function spreadText({ median, low, high }: Spread): string {
  return `${digits(median)} (${digits(low)}–${digits(high)})`;
}

function digits(milliseconds: number): string {
  return milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0);
}
