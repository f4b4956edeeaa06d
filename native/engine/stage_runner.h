// Runs one stage of a plan on one sequence and reports what it did.
#pragma once

#include "engine/request.h"
#include "prune/plan.h"
#include "prune/stage_run.h"

namespace fovea {

// As a plan writes it.
const char* hook_name(Hook hook);

// Spans count their rows from span.origin_begin, and so does the report. keep_lists: report the rows that stayed.
StageReport run_stage(Ops& ops, const PlanStage& stage, RowStream& stream, size_t sequence, StageSource& source,
                      bool keep_lists);

}  // namespace fovea
