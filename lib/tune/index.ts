/**
 * Plans found for a model and its questions.
 *
 * @packageDocumentation
 */
export { type TunedPlan, type TuneModel, type TuneNotes, type TuneOptions, type TuneProgress, tune } from "./tune.js";
