// The one exception of the native core. The addon turns it into a JavaScript error with the same code.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace fovea {

// Mirrors FoveaErrorCode in lib/errors.ts; a test compares the two.
enum class ErrorCode {
  kInvalidArgument,   // an option or input the caller can correct
  kModelNotFound,     // a file of the model folder is missing
  kModelFormat,       // a model file is damaged or contradicts another
  kModelUnsupported,  // an architecture or option that Fovea does not implement
  kImage,             // an image that cannot be used
  kContextLength,     // more rows than the model's context holds
  kPlan,              // a plan that this model cannot execute
  kIsa,               // FOVEA_ISA asks for what this CPU lacks
  kOutOfMemory,       //
  kNumeric,           // NaN or infinity where a number is needed
  kDisposed,          // the model was disposed
  kInternal,          // a bug in Fovea
};

// "ERR_FOVEA_INVALID_ARGUMENT" and so on.
const char* code_name(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace fovea
