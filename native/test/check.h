// A small test harness: TEST("behaviour") { CHECK(...); } in any test_*.cc, and main.cc runs them all.
#pragma once

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"

namespace fovea::test {

struct Case {
  const char* name;
  const char* file;
  void (*run)();
};

std::vector<Case>& cases();

// Records a failure of the running case and carries on; prints only the first few of a case.
void fail(const char* file, int line, const std::string& message);

// Ends the running case without failing it, for what this machine cannot run.
struct Skip {
  std::string reason;
};

// Ends the running case after a failure that makes the rest meaningless.
struct Abort {};

struct Registration {
  Registration(const char* name, const char* file, void (*run)()) { cases().push_back({name, file, run}); }
};

template <typename T>
std::string shown(const T& value) {
  std::ostringstream out;
  out.precision(9);
  if constexpr (requires { out << value; }) {
    out << value;
  } else {
    out << "(value)";
  }
  return out.str();
}

template <typename A, typename B>
void check_equal(const A& got, const B& expected, const char* text, const char* file, int line) {
  if (!(got == expected)) fail(file, line, std::string(text) + ": got " + shown(got) + ", expected " + shown(expected));
}

// NaN is near nothing.
inline void check_near(double got, double expected, double tolerance, const char* text, const char* file, int line) {
  if (std::fabs(got - expected) <= tolerance) return;
  fail(file, line,
       std::string(text) + ": got " + shown(got) + ", expected " + shown(expected) + " +- " + shown(tolerance));
}

template <typename F>
void check_throws(ErrorCode code, F&& body, const char* text, const char* file, int line) {
  try {
    body();
  } catch (const Error& error) {
    if (error.code() != code)
      fail(file, line,
           std::string(text) + ": threw " + code_name(error.code()) + " (" + error.what() + "), expected " +
               code_name(code));
    return;
  }
  fail(file, line, std::string(text) + ": threw nothing, expected " + code_name(code));
}

}  // namespace fovea::test

#define FOVEA_TEST_JOIN_(a, b) a##b
#define FOVEA_TEST_JOIN(a, b) FOVEA_TEST_JOIN_(a, b)

#define TEST(name)                                                                        \
  static void FOVEA_TEST_JOIN(test_case_, __LINE__)();                                    \
  static const ::fovea::test::Registration FOVEA_TEST_JOIN(test_registration_, __LINE__)( \
      name, __FILE__, &FOVEA_TEST_JOIN(test_case_, __LINE__));                            \
  static void FOVEA_TEST_JOIN(test_case_, __LINE__)()

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) ::fovea::test::fail(__FILE__, __LINE__, #condition); \
  } while (false)

// As CHECK, and ends the case: for conditions without which the next lines would crash.
#define REQUIRE(condition)                                 \
  do {                                                     \
    if (!(condition)) {                                    \
      ::fovea::test::fail(__FILE__, __LINE__, #condition); \
      throw ::fovea::test::Abort{};                        \
    }                                                      \
  } while (false)

#define CHECK_EQ(got, expected) ::fovea::test::check_equal((got), (expected), #got " == " #expected, __FILE__, __LINE__)

#define CHECK_NEAR(got, expected, tolerance) \
  ::fovea::test::check_near((got), (expected), (tolerance), #got " ~ " #expected, __FILE__, __LINE__)

// expr must throw fovea::Error with this code.
#define CHECK_THROWS(code, expr) \
  ::fovea::test::check_throws((code), [&] { static_cast<void>(expr); }, #expr, __FILE__, __LINE__)
