/**
 * Vision-language models in Node.js that look only where it matters.
 *
 * @packageDocumentation
 */
export {
  type CalibratedModel,
  type CalibrateOptions,
  type Calibration,
  type CalibrationSample,
  calibrate,
} from "./calibrate/calibrate.js";
export type { DepthTable, RowKind } from "./calibrate/depth-table.js";
export { cpuInfo } from "./engine/cpu-info.js";
export type { ImageRows, RowFunction } from "./engine/custom-rows.js";
export type { DepthProfile, LayerDepth, RowChange, RowsDepth } from "./engine/depth-profile.js";
export type { ForwardResult } from "./engine/forward.js";
export type { GenerateOptions } from "./engine/generate-options.js";
export type { ForwardInputs, ForwardOptions, ModelInputs, TensorInput } from "./engine/inputs.js";
export { type LoadOptions, loadModel } from "./engine/load-model.js";
export { Model, type ModelInfo } from "./engine/model.js";
export type {
  BudgetReport,
  DraftUsage,
  ExitUsage,
  Reply,
  StageReport,
  StreamEvent,
  Timings,
  Token,
  Usage,
} from "./engine/reply.js";
export { FoveaError, type FoveaErrorCode } from "./errors.js";
export { type PullOptions, type PullProgress, pullModel } from "./hub/pull-model.js";
export type { CpuInfo, NativeDraftReport, NativeModelInfo, NativeStageReport } from "./native/binding.js";
export type { Budget } from "./prune/budget/budget.js";
export type { CostModel, Line } from "./prune/budget/cost-model.js";
export type { PlanCosts } from "./prune/budget/plan-costs.js";
export type { SolvedBudget } from "./prune/budget/solve-plan.js";
export type {
  AllocateStep,
  CacheQueries,
  CacheSelectStep,
  CacheStep,
  CompactStep,
  MassStep,
  PoolStep,
} from "./prune/cache-step.js";
export type { PictureLimit } from "./prune/picture-limit.js";
export type {
  CacheStage,
  Draft,
  DraftSearch,
  Exit,
  LoweredDraft,
  LoweredPlan,
  LoweredStage,
  Plan,
  PlanStage,
  RowStage,
  SkipLayers,
} from "./prune/plan.js";
export { type CachedRows, prefixKvRatios } from "./prune/prefix-kv-ratios.js";
export { type Preset, type PresetName, presets } from "./prune/presets.js";
export type {
  AllocateRowsStep,
  BesideStep,
  BypassStep,
  CacheHook,
  ChoiceStep,
  CombineStep,
  CoverageAlgorithm,
  CoverageTerm,
  CustomStep,
  FeaturesStep,
  GatherStep,
  Hook,
  KeepBudget,
  MergeStep,
  NormaliseStep,
  ProbeStep,
  RatersStep,
  RecallStep,
  RowHook,
  RowScoreStep,
  ScoreStep,
  SelectStep,
  Step,
  TapStep,
  TextStep,
  TowerStep,
  UnionStep,
  WithoutStep,
} from "./prune/step.js";
export type {
  ImagePart,
  ImageUrlPart,
  Message,
  MessagePart,
  TextPart,
  VideoPart,
  VideoUrlPart,
} from "./text/messages.js";
export type { ImageInput, RawImage } from "./vision/image-input.js";
export type { FrameSampling, VideoInput, VideoSource } from "./vision/video-input.js";
