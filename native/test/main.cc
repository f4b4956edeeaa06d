// Runs every TEST whose file or name contains the first argument (all of them without one).
// Exit status: 0 if nothing failed, 1 if something did, 2 if no test matched.
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "test/check.h"

namespace fovea::test {
namespace {

constexpr int kShownFailures = 10;
int failures_in_case = 0;

enum class Outcome { kPassed, kFailed, kSkipped };

Outcome run_case(const Case& test) {
  failures_in_case = 0;
  try {
    test.run();
  } catch (const Skip& skip) {
    std::printf("skip  %s (%s)\n", test.name, skip.reason.c_str());
    return Outcome::kSkipped;
  } catch (const Abort&) {
  } catch (const std::exception& error) {
    fail(test.file, 0, std::string("unexpected exception: ") + error.what());
  }
  if (failures_in_case == 0) return Outcome::kPassed;
  std::printf("FAIL  %s (%d checks)\n", test.name, failures_in_case);
  return Outcome::kFailed;
}

}  // namespace

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void fail(const char* file, int line, const std::string& message) {
  if (++failures_in_case <= kShownFailures) std::printf("%s:%d: %s\n", file, line, message.c_str());
}

}  // namespace fovea::test

int main(int argc, char** argv) {
  using namespace fovea::test;
  const char* filter = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0, skipped = 0;
  for (const Case& test : cases()) {
    if (std::strstr(test.file, filter) == nullptr && std::strstr(test.name, filter) == nullptr) continue;
    const Outcome outcome = run_case(test);
    passed += outcome == Outcome::kPassed;
    failed += outcome == Outcome::kFailed;
    skipped += outcome == Outcome::kSkipped;
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  if (passed + failed + skipped == 0) return 2;
  return failed == 0 ? 0 : 1;
}
