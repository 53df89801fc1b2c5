# SPDX-License-Identifier: Apache-2.0
# Two commands for a fresh Debian 12 machine: `make demo` and `make test`. Those who
# want no Makefile use CMakeLists.txt and CMakePresets.json.

BUILD ?= build/release
DEMO_OUTPUT ?= out/demo
DEMO_BUDGET ?= 3.0bpw
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PACKAGES := cmake/debian-packages.txt

.PHONY: demo test build setup configure format clean

# Installs what is missing from Debian's packages; does nothing when all is there.
setup:
	@missing=""; for package in $$(cat $(PACKAGES)); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null \
	    | grep -q "install ok installed" || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq \
	    --no-install-recommends $$missing; \
	fi

configure: setup
	cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release

build: configure
	cmake --build $(BUILD) --target bitpact

# Allocates bits for the model that the project ships and proves the plan.
demo: build
	$(BUILD)/cli/bitpact run datasets/tinyworld --budget $(DEMO_BUDGET) -o $(DEMO_OUTPUT)

test: configure
	cmake --build $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure -j 2

format:
	git ls-files '*.h' '*.cc' | xargs clang-format -i

clean:
	rm -rf build out
