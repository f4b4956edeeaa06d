import type { PlanCosts, Reply, StageReport, Usage } from "../index.js";

/** What a reply cost and what was dropped, for people: a few lines of text. */
export function report(reply: Reply): string[] {
  const { usage } = reply;
  return [
    rowsLine(usage),
    ...cacheLines(usage),
    ...skippedLines(usage),
    ...depthLines(usage),
    ...budgetLines(usage),
    timingsLine(reply),
  ];
}

function rowsLine({ visualRows, promptRows, stages }: Usage): string {
  const onRows = stages.filter((stage) => stage.layers === undefined);
  const steps = onRows.map((stage, i) => `${stageName(stage, onRows[i - 1])} ${sum(stage)}`);
  return [`visual rows ${visualRows} of ${promptRows}`, ...steps].join(" → ");
}

/** The name of a method with its layer; the name is not repeated for one stage of a method after another. */
function stageName({ name, layer }: StageReport, before: StageReport | undefined): string {
  if (layer === undefined) return name;
  return name === before?.name ? `layer ${layer}:` : `${name} layer ${layer}:`;
}

/** What stages on the KV cache left, over all layers. */
function cacheLines({ stages }: Usage): string[] {
  return stages.flatMap(({ name, hook, layers }) => {
    if (layers === undefined) return [];
    const total = (rows: "rowsIn" | "rowsOut") => layers.reduce((sum, layer) => sum + layer[rows], 0);
    const share = Math.round((100 * total("rowsOut")) / Math.max(1, total("rowsIn")));
    return [`${name} at ${hook}: ${total("rowsOut")} of ${total("rowsIn")} cached rows (${share} %)`];
  });
}

function sum({ images }: StageReport): number {
  return images.reduce((rows, { rowsOut }) => rows + rowsOut, 0);
}

function skippedLines({ skipped }: Usage): string[] {
  if (skipped.length === 0) return [];
  const names = skipped.map(({ part, layer, phase }) => `${part} ${layer}${phase === "both" ? "" : ` in ${phase}`}`);
  return [`skipped ${names.join(", ")}`];
}

function depthLines({ draft, exit }: Usage): string[] {
  const lines: string[] = [];
  if (draft !== undefined) {
    const { accepted, drafted, verifySteps, acceptance } = draft;
    const share = drafted === 0 ? "" : ` (${Math.round(acceptance * 100)} %)`;
    lines.push(`drafts: ${accepted} of ${drafted} tokens accepted${share} in ${verifySteps} verify steps`);
  }
  if (exit !== undefined)
    lines.push(`left after layer ${exit.meanLayer.toFixed(1)} of ${exit.tokens.length - 1} on average`);
  return lines;
}

function budgetLines({ budget }: Usage): string[] {
  if (budget === undefined) return [];
  const { asked, share, predicted, measured } = budget;
  const [[kind, limit] = []] = Object.entries(asked);
  const text = (costs: PlanCosts) =>
    `${costs.ms === undefined ? "" : `${ms(costs.ms)}, `}${(costs.macs / 1e9).toFixed(1)} GMACs`;
  return [`budget ${kind} ${limit}: share ${share}; predicted ${text(predicted)}; measured ${text(measured)}`];
}

function timingsLine({ usage, timings, finishReason }: Reply): string {
  const { preprocess, encode, prefill, select, decode } = timings;
  const choosing = select > 0 ? ` (choosing rows ${ms(select)})` : "";
  // Prefill yields the first token, so decode is responsible for all but one.
  const rate = usage.generatedTokens > 1 && decode > 0 ? ((usage.generatedTokens - 1) / decode) * 1000 : 0;
  const tokens = usage.generatedTokens === 1 ? "1 token" : `${usage.generatedTokens} tokens`;
  return (
    `preprocess ${ms(preprocess)}, encode ${ms(encode)}, prefill ${ms(prefill)}${choosing}, decode ${ms(decode)}; ` +
    `${tokens}${rate > 0 ? `, ${rate.toFixed(0)} tokens/s` : ""}${finishReason === "stop" ? "" : ` (${finishReason})`}`
  );
}

function ms(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}
