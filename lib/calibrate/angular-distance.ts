import type { DepthProfile } from "../engine/depth-profile.js";

/**
 * Angle, as a share of a half turn, between the last row as it enters layer `l` and as it leaves the n-th layer from
 * there, for every window of n layers: arccos(cos(x_l, x_{l+n})) / pi. 0: the window turns nothing.
 *
 * Gromov et al. 2024 (arXiv:2403.17887), who remove the window where it is least.
 */
export function angularDistances({ lastRow }: DepthProfile, n: number): number[] {
  const [states, width] = lastRow.shape;
  const row = (i: number) => lastRow.data.subarray(i * width, (i + 1) * width);
  return Array.from({ length: states - n }, (_, layer) => {
    const cosine = cosineOf(row(layer), row(layer + n));
    return Math.acos(Math.min(1, Math.max(-1, cosine))) / Math.PI;
  });
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; ++i) {
    const [x, y] = [a[i] as number, b[i] as number];
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? Number(aa === bb) : dot / Math.sqrt(aa * bb);
}
