import { escapeMarkup } from "./escape-markup.js";

/** One point of a curve. */
export interface ChartPoint {
  x: number;
  y: number;
  /** Ends of the interval of y. */
  low: number;
  high: number;
  /** What the reader is told who points at it. */
  title: string;
}

/** Points that belong together, in the order in which they are joined. */
export interface ChartLine {
  name: string;
  points: ChartPoint[];
}

const width = 960;
const plot = { left: 64, top: 16, width: 620, height: 380 };
const legendStep = 20;
const legendCharacters = 28;
const style =
  "text{font:13px system-ui,sans-serif;fill:#333;stroke:none}" +
  ".mid{text-anchor:middle}.end{text-anchor:end}.grid{stroke:#ddd}";
/** Okabe and Ito's colours, which people with any colour vision tell apart; further lines repeat them dashed. */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d1f"];
const dashes = ["none", "6 3", "2 3", "8 3 2 3"];

/** Curves with intervals and a legend, as an SVG that needs nothing from outside. */
export function svgChart(lines: ChartLine[], xLabel: string, yLabel: string): string {
  const points = lines.flatMap((line) => line.points);
  const xTicks = ticks(0, Math.max(...points.map(({ x }) => x)));
  const yTicks = ticks(Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high)));
  const toX = scale(xTicks, plot.left, plot.left + plot.width);
  const toY = scale(yTicks, plot.top + plot.height, plot.top);
  const height = Math.max(plot.top + plot.height + 52, plot.top + lines.length * legendStep + 16);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeMarkup(`${yLabel} by ${xLabel}`)}</title><style>${style}</style>`,
    `<path d="M0 0h${width}v${height}H0z" fill="#fff"/>`,
    ...yTicks.map((tick) => gridLine(tick, toY(tick))),
    ...xTicks.map(
      (tick) => `<text x="${px(toX(tick))}" y="${plot.top + plot.height + 18}" class="mid">${label(tick)}</text>`,
    ),
    `<text x="${plot.left + plot.width / 2}" y="${plot.top + plot.height + 40}" class="mid">${escapeMarkup(xLabel)}</text>`,
    `<text transform="translate(16 ${plot.top + plot.height / 2}) rotate(-90)" class="mid">${escapeMarkup(yLabel)}</text>`,
    ...lines.map((line, i) => curve(line, i, toX, toY)),
    "</svg>",
  ].join("\n");
}

function gridLine(tick: number, y: number): string {
  return (
    `<path d="M${plot.left} ${px(y)}h${plot.width}" class="grid"/>` +
    `<text x="${plot.left - 8}" y="${px(y + 4)}" class="end">${label(tick)}</text>`
  );
}

/** A line of the chart with its points, intervals and place in the legend. */
function curve({ name, points }: ChartLine, i: number, toX: Scale, toY: Scale): string {
  const colour = colours[i % colours.length];
  const dash = dashes[Math.floor(i / colours.length) % dashes.length];
  const path = points.map(({ x, y }) => `${px(toX(x))} ${px(toY(y))}`).join("L");
  const marks = points.map(
    ({ x, y, low, high, title }) =>
      `<g><title>${escapeMarkup(title)}</title>` +
      `<path d="M${px(toX(x))} ${px(toY(low))}V${px(toY(high))}" stroke-opacity=".35"/>` +
      `<circle cx="${px(toX(x))}" cy="${px(toY(y))}" r="4" fill="${colour}"/></g>`,
  );
  const shown = name.length > legendCharacters ? `${name.slice(0, legendCharacters - 1)}…` : name;
  const [x, y] = [plot.left + plot.width + 24, plot.top + 12 + i * legendStep];
  return (
    `<g stroke="${colour}" fill="none"><path d="M${path}" stroke-width="2" stroke-dasharray="${dash}"/>${marks.join("")}` +
    `<path d="M${x} ${y - 4}h28" stroke-width="2" stroke-dasharray="${dash}"/></g>` +
    `<text x="${x + 36}" y="${y}"><title>${escapeMarkup(name)}</title>${escapeMarkup(shown)}</text>`
  );
}

type Scale = (value: number) => number;

/** From the range of the ticks to pixels. */
function scale(marks: number[], from: number, to: number): Scale {
  const [first = 0, last = 1] = [marks[0], marks.at(-1)];
  return (value) => from + ((value - first) / (last - first)) * (to - from);
}

/** About six round numbers that take in both ends. */
function ticks(low: number, high: number): number[] {
  const rough = Math.max(high - low, 1e-6) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) as number);
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function label(tick: number): string {
  return String(Number(tick.toPrecision(6)));
}

function px(value: number): string {
  return String(Math.round(10 * value) / 10);
}
