/** The option of coverage methods that says how their greedy choice is computed. */
export const coverageAlgorithm = {
  kind: "choice",
  of: ["lazy", "exact", "block8"],
  default: "lazy",
  description: "lazy and exact choose the same rows, lazy sooner; block8 takes eight at a time, a coarser choice",
} as const;
