/**
 * What dropping rows costs: accuracy, loyalty, work and milliseconds of plans, over questions about pictures.
 *
 * @packageDocumentation
 */
export type { PlanFacts } from "../prune/method.js";
export type { EvalModel } from "./ask-cell.js";
export { type Cell, type Grid, gridCells, type SkippedCell } from "./cell.js";
export { type EvaluateOptions, type Evaluation, evaluate, type Progress } from "./evaluate.js";
export type { Flops } from "./flops.js";
export { type LoadQuestionsOptions, loadQuestions } from "./load-questions.js";
export type { Question, QuestionSet } from "./question.js";
export { reportHtml } from "./report-html.js";
export { reportMarkdown } from "./report-markdown.js";
export type { ScoringRule } from "./score.js";
export type { Proportion } from "./statistics.js";
export type { CellResult, Milliseconds } from "./summarise.js";
export { writeReports } from "./write-reports.js";
