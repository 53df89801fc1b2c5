# SPDX-License-Identifier: Apache-2.0
# bitpact_room(NAME SOURCES... LINK targets...): one library a room, with the
# project's warnings; headers are included from the repository root.

function(bitpact_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # gcc 12 sees overlaps in std::string that are not there (gcc bug 105651).
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(BITPACT_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(BITPACT_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${BITPACT_SANITIZE}
                           -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${BITPACT_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # gcc documents that sanitizers give this warning false positives; builds
      # without them keep it.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()

function(bitpact_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINK;LINK_PRIVATE" ${ARGN})
  add_library(bitpact_${name} STATIC ${ROOM_SOURCES})
  add_library(bitpact::${name} ALIAS bitpact_${name})
  target_include_directories(bitpact_${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(bitpact_${name} PUBLIC ${ROOM_LINK}
                        PRIVATE ${ROOM_LINK_PRIVATE})
  bitpact_compile_options(bitpact_${name})
endfunction()

# bitpact_test(NAME LABEL fast|slow|data SOURCES... LINK targets...): one GoogleTest
# program; every test of it carries the label.
function(bitpact_test name)
  cmake_parse_arguments(TEST "" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LINK} GTest::gmock_main)
  bitpact_compile_options(${name})
  target_compile_definitions(${name} PRIVATE
    BITPACT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} PROPERTIES LABELS ${TEST_LABEL}
                       TIMEOUT ${TEST_TIMEOUT} DISCOVERY_TIMEOUT 60)
endfunction()
