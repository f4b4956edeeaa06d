#include "base/error.h"

namespace fovea {

const char* code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "ERR_FOVEA_INVALID_ARGUMENT";
    case ErrorCode::kModelNotFound:
      return "ERR_FOVEA_MODEL_NOT_FOUND";
    case ErrorCode::kModelFormat:
      return "ERR_FOVEA_MODEL_FORMAT";
    case ErrorCode::kModelUnsupported:
      return "ERR_FOVEA_MODEL_UNSUPPORTED";
    case ErrorCode::kImage:
      return "ERR_FOVEA_IMAGE";
    case ErrorCode::kContextLength:
      return "ERR_FOVEA_CONTEXT_LENGTH";
    case ErrorCode::kPlan:
      return "ERR_FOVEA_PLAN";
    case ErrorCode::kIsa:
      return "ERR_FOVEA_ISA";
    case ErrorCode::kOutOfMemory:
      return "ERR_FOVEA_OUT_OF_MEMORY";
    case ErrorCode::kNumeric:
      return "ERR_FOVEA_NUMERIC";
    case ErrorCode::kDisposed:
      return "ERR_FOVEA_DISPOSED";
    case ErrorCode::kInternal:
      return "ERR_FOVEA_INTERNAL";
  }
  return "ERR_FOVEA_INTERNAL";
}

}  // namespace fovea
