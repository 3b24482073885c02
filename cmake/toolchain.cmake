# Compiler flags shared by every target; a preset chooses the build type and the sanitizers.
find_package(Threads REQUIRED)

add_library(overlord_flags INTERFACE)
target_compile_options(overlord_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++-12 sees overlaps in std::string's own operator+ at -O2 and above (GCC bug 105651).
  target_compile_options(overlord_flags INTERFACE -Wno-restrict)
else()
  # What clang says beyond g++: libstdc++'s own deprecations, and initializers left to their defaults.
  target_compile_options(overlord_flags INTERFACE
    -Wno-deprecated-declarations -Wno-missing-designated-field-initializers)
endif()
# The release binary is optimised as a whole: 7 % less CPU for a 10-key get. The objects hold plain code too, so that
# the tests link fast.
set(OVERLORD_LTO OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT OVERLORD_SANITIZE)
  set(OVERLORD_LTO ON)
  target_compile_options(overlord_flags INTERFACE -flto=auto -ffat-lto-objects)
  add_link_options($<IF:$<BOOL:$<TARGET_PROPERTY:OVERLORD_WHOLE_PROGRAM>>,-flto=auto,-fno-lto>)
endif()
target_include_directories(overlord_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(overlord_flags INTERFACE OVERLORD_VERSION="${OVERLORD_VERSION}")
target_link_libraries(overlord_flags INTERFACE Threads::Threads)

if(OVERLORD_SANITIZE)
  target_compile_options(overlord_flags INTERFACE -fsanitize=${OVERLORD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(overlord_flags INTERFACE -fsanitize=${OVERLORD_SANITIZE})
  if(OVERLORD_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With these two g++ needs 1.6 times as long. A null pointer ends the process anyway; alignment is checked by clang, for
    # whatever the fuzz targets reach.
    target_compile_options(overlord_flags INTERFACE -fno-sanitize=null,alignment)
  endif()
endif()
# The tests' own files are compiled to be compiled fast: what is tested keeps the options of the preset. UBSan at -O1 more
# than doubles the time for them.
set(OVERLORD_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)
if(OVERLORD_LTO)
  list(APPEND OVERLORD_TEST_OPTIONS -fno-lto)
endif()
if(OVERLORD_SANITIZE)
  list(APPEND OVERLORD_TEST_OPTIONS -O0)
endif()
if(OVERLORD_FUZZ)
  target_compile_options(overlord_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(OVERLORD_MOLD mold)
if(OVERLORD_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(OVERLORD_CCACHE ccache)
if(OVERLORD_CCACHE)
  # Paths relative to the checkout, so that another clone of it finds what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${OVERLORD_CCACHE})
endif()
