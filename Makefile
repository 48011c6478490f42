# The front door; behind it stand CMake's presets (CMakePresets.json) and Ninja. `make help` lists what it can do.

PREFIX ?= /usr/local
DESTDIR ?=
DEB ?= build/deb
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
WEATHER = run examples/weather/weather.yaml --replay examples/weather/replies --slot 2012-10-01T18:00:00Z --to lake
WARMEST = select city, temperature from weather order by temperature desc limit 1

.DEFAULT_GOAL := release
.PHONY: release dev coverage run image test test-more bench install deb format clean help

release: ## Build build/release/lambda-pipeline, optimised
dev: ## Build build/dev/lambda-pipeline with sanitizers, and the unit tests
coverage: ## Build build/coverage/lambda-pipeline, which counts the lines it runs
release dev coverage: %: build/%/build.ninja
	@cmake --build build/$@ -j $(JOBS) -- --quiet >build/$@/build.log 2>&1 || { cat build/$@/build.log >&2; exit 1; }

build/%/build.ninja: CMakeLists.txt CMakePresets.json $(wildcard cmake/*.cmake build/deps/*/.stamp)
	@command -v cmake >/dev/null || { echo "make: cmake is missing; scripts/deps installs what is needed" >&2; exit 1; }
	@mkdir -p $(@D) && echo "building build/$*/lambda-pipeline" >&2
	@cmake --preset $* >$(@D)/configure.log 2>&1 || { cat $(@D)/configure.log >&2; exit 1; }
	@touch $@

run: ## Set up, build, and collect the weather of five cities from recorded replies into lake/
	@scripts/deps
	@$(MAKE) --no-print-directory release
	@build/release/lambda-pipeline $(WEATHER)
	@echo && echo 'The warmest city?  build/release/lambda-pipeline query "$(WARMEST)"'
	@build/release/lambda-pipeline query "$(WARMEST)" --format table || true
	@echo && echo "Next: put your key in OPENWEATHER_API_KEY and run   build/release/lambda-pipeline run examples/weather/weather.yaml"

image: ## Make build/image/lambda-pipeline-ARCH.tar, a container image in OCI layout, and its SBOM; ARCH=arm64 PIPELINES=folder HANDLER=name TOOL=docker
	@scripts/image $(if $(TOOL),--with $(TOOL)) $(if $(ARCH),--arch $(ARCH)) $(if $(PIPELINES),--pipelines $(PIPELINES)) \
	    $(if $(HANDLER),--handler $(HANDLER))

test: ## Set up, build, and run every test
	@scripts/deps --test
	@$(MAKE) --no-print-directory release dev
	@scripts/run-tests

test-more: ## Set up, build, and run the tests that need a Go toolchain or minutes; says what it skipped
	@scripts/deps --test
	@$(MAKE) --no-print-directory release dev
	@scripts/test-more

bench: ## Set up, build, and measure against the goals; docs/benchmarks.md holds the last table
	@scripts/deps --bench
	@$(MAKE) --no-print-directory release
	@scripts/image >/dev/null
	@bench/run

install: release ## Install program, man page, completions and examples below PREFIX (/usr/local)
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(abspath $(PREFIX)) >build/release/install.log || \
	    { cat build/release/install.log >&2; exit 1; }
	@echo "installed below $(DESTDIR)$(abspath $(PREFIX))" >&2

deb: release ## Make build/deb/lambda-pipeline_VERSION_ARCH.deb, Debian's package of what `make install` installs
	@cpack --config build/release/CPackConfig.cmake -B $(DEB) >build/release/deb.log 2>&1 || { cat build/release/deb.log >&2; exit 1; }
	@grep -A 4 'not to be passed on' build/release/deb.log >&2 || true
	@rm -rf $(DEB)/_CPack_Packages && ls $(DEB)/*.deb

format: ## Bring the C files into the style of .clang-format
	@scripts/deps --format
	@clang-format -i $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'tools/*.[ch]')

clean: ## Remove what was built, but not what scripts/deps fetched
	@rm -rf build/release build/dev build/coverage

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
