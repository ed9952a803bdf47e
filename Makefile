# Everything a user does, one target each: `make help` lists them.
SHELL := /bin/bash
# Taken from make's command line only (make growth-rules SCALE=small): the environment of a shell may have variables of
# such common names for other purposes. They are reported once and not used. What begins with GCG_ is taken from both.
VARIABLES := PRESET MINUTES SINCE SCALE CHANGE JOBS SEEDS RUNS RUN DATA DATA_NAME ON ILSVRC LABELS MANIFEST SET ROUNDS BENCH_INTO WATCH LAUNCHER SLURM DEVICE CARRIED
ifeq ($(MAKELEVEL),0)
$(foreach name,$(VARIABLES),$(if $(filter environment,$(origin $(name))),$(warning $(name) is set in the environment \
  and not used; write it behind make: make ... $(name)=VALUE)))
endif
# One that nothing here knows is refused: with SCALE mistyped the smoke scale would run. Those of OTHERS go on to the
# programs that read them.
KNOWN := $(VARIABLES) TORCH PYTHON GPU_CHECK GCG_DATA GCG_MIRROR
OTHERS := GCG_% CMAKE_% CTEST_% CUDA_% OMP_% OPENBLAS_% CCACHE_% LC_% LANG PATH TMPDIR LD_LIBRARY_PATH \
  CC CXX CPP AR AS LD CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LDLIBS MAKE MAKEFLAGS
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(KNOWN) $(OTHERS),$(given))
# What the makefiles themselves set is known as well.
unknown := $(if $(unknown),$(filter-out $(shell sed -nE 's/^([A-Za-z_-]+) *[:?+]?=.*/\1/p' $(MAKEFILE_LIST)),$(unknown)))
$(if $(unknown),$(error $(unknown): no such variable; there are $(KNOWN), and what begins with GCG_))
PRESET := release
SINCE :=
SCALE := smoke
CHANGE :=
JOBS := 0
SEEDS := 0
RUNS := runs
RUN :=
DATA := data
DATA_NAME :=
# What an experiment runs on: cifar, tinyimagenet or imagenet. Its runs lie in $(RUNS)/$(ON).
ON := cifar
ILSVRC :=
LABELS :=
MANIFEST :=
SET := cifar10
ROUNDS := 5
BENCH_INTO :=
WATCH :=
# Where runs are computed: local, or slurm with the options of its workers in SLURM, "--workers 16 --partition P".
LAUNCHER := local
SLURM :=
# What runs are computed on: options of the experiments, "--device cuda --precision bf16 --runs-per-gpu 2".
DEVICE :=
GCG_DATA ?=
# Another LibTorch than the distribution's (docs/gpus.md); from the environment too. It has a build folder of its own.
TORCH ?=
# Packages that nobody installed, in a folder made by scripts/gpu_carry.sh (docs/gpus.md).
CARRIED :=
# Options of scripts/gpu_check.sh: "--device cpu --tiny" tries the check itself where there is no GPU.
GPU_CHECK :=
# $(call quote,WORDS): one word for the shell, whatever is in it.
quote = '$(subst ','\'',$(1))'
ifneq ($(CARRIED),)
# By the shell: make's own realpath takes a name with a blank for two.
carried := $(shell realpath -e -- $(call quote,$(CARRIED)) 2>/dev/null)
$(if $(carried),,$(error CARRIED=$(CARRIED): there is no such folder; scripts/gpu_carry.sh makes it))
carried_libraries := $(carried)/usr/lib/$(shell uname -m)-linux-gnu
export PATH := $(carried)/usr/bin:$(PATH)
export CMAKE_PREFIX_PATH := $(carried)/usr
export CMAKE_INCLUDE_PATH := $(carried)/usr/include/hdf5/serial:$(carried)/usr/include/$(shell uname -m)-linux-gnu
export CMAKE_LIBRARY_PATH := $(carried_libraries)/hdf5/serial:$(carried_libraries)/lapack:$(carried_libraries)/blas
export CPLUS_INCLUDE_PATH := $(carried)/usr/include:$(carried)/usr/include/$(shell uname -m)-linux-gnu
export C_INCLUDE_PATH := $(CPLUS_INCLUDE_PATH)
export LD_LIBRARY_PATH := $(carried_libraries):$(carried_libraries)/blas:$(carried_libraries)/lapack$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
endif
BUILD := build/$(PRESET)$(if $(TORCH),-torch)
PYTHON := /usr/bin/python3

# Names of Debian 12 and 13; scripts/packages.sh knows those of Ubuntu. libopenblas0-openmp, not -pthread: the latter
# ignores the number of threads asked for.
PACKAGES := g++ cmake ninja-build lld ccache git \
  $(if $(TORCH),,libtorch-dev libgloo-dev) libopenblas0-openmp libhdf5-dev libboost-program-options-dev \
  libceres-dev libeigen3-dev libgtest-dev libgmock-dev libbenchmark-dev libfmt-dev \
  nlohmann-json3-dev libtomlplusplus-dev libssl-dev libhwy-dev libzip-dev libjpeg62-turbo-dev libpng-dev hdf5-tools python3-h5py python3-numpy python3-matplotlib python3-scipy \
  black flake8

# What the presets of Clang need more, and the checks of the sources.
CHECK_PACKAGES := clang clang-format clang-tidy llvm libclang-rt-dev libomp-dev
CLANG := clang checked tsan

# What the paper needs: pdflatex with booktabs, caption, xcolor and Times.
PAPER_PACKAGES := latexmk texlive-latex-base texlive-latex-recommended texlive-fonts-recommended python3-h5py python3-numpy python3-matplotlib python3-scipy

.DEFAULT_GOAL := help
.PHONY: help packages paper-packages check-packages configure build programs data-programs data-cifar data-tinyimagenet data-imagenet data-check demo test test-clang test-slurm test-container faults fuzz-smoke fuzz sanitize tsan coverage test-debian13 gpu-check bench bench-growth bench-data \
  reproduce-cifar inspect format format-check tidy tidy-changed clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-22s %s\n", $$1, $$2}'
	@echo
	@echo "  one experiment: make $$(echo $(TARGETS) | sed 's/ / | /g')"
	@echo "  data: DATA=folder of the data sets  ILSVRC=folder of your ImageNet archives  LABELS=list of validation labels  SET=data set to check"
	@echo "  a mirror of your own: GCG_MIRROR=URL, and MANIFEST=file if its archives are not the published ones"
	@echo "  another LibTorch: TORCH=its prefix (docs/gpus.md)"
	@echo "  on GPUs: TORCH=a LibTorch with CUDA DEVICE=\"--device cuda --precision bf16\" (docs/gpus.md)"
	@echo "  on a cluster: LAUNCHER=slurm SLURM=\"--workers N --partition P --time T\" (docs/clusters.md)"
	@echo "  variables: SCALE=smoke|small|full|FILE.toml  CHANGE=\"SETTING=VALUE ...\"  JOBS=runs side by side  SEEDS=per curve  RUNS=folder  GCG_DATA=data folder  DATA_NAME=its name in tables  ON=cifar|tinyimagenet|imagenet"

packages: WANTED = $(PACKAGES) $(if $(filter $(CLANG),$(PRESET)),$(CHECK_PACKAGES))
check-packages: WANTED = $(CHECK_PACKAGES)
paper-packages: WANTED = $(PAPER_PACKAGES)
check-packages: ## install what the checks of the sources and the presets of Clang need
packages: ## install the Debian packages that are missing (prints the list first)
packages paper-packages check-packages:
	@scripts/packages.sh $(WANTED)

configure: $(if $(CARRIED),,packages)
	@scripts/configure.sh $(PRESET) $(BUILD) $(call quote,$(TORCH))

build: configure ## configure and compile everything (PRESET=release|ci|clang|debug|checked|tsan)
	@cmake --build $(BUILD) -j$$(nproc)

programs: configure ## compile the library and the programs, not the tests
	@cmake --build $(BUILD) -j$$(nproc) --target experiments/all

data-programs: configure
	@cmake --build $(BUILD) -j$$(nproc) --target data_scripts/all

FETCH = $(PYTHON) data_scripts/fetch.py
PREPARE = $(BUILD)/data_scripts/gcg_data_prepare

# $(call folder,NAME): the folder of a data set below DATA, for the shell.
folder = $(call quote,$(DATA)/$(1))
manifest = $(if $(MANIFEST),--manifest $(call quote,$(MANIFEST)))

data-cifar: data-programs ## fetch, verify and prepare CIFAR-10 and CIFAR-100 (330 MB)
	$(FETCH) cifar10 $(manifest) --out $(call folder,cifar10)
	$(PREPARE) --data cifar10 --from $(call folder,cifar10)
	$(if $(MANIFEST),,$(FETCH) cifar100 --out $(call folder,cifar100))
	$(if $(MANIFEST),,$(PREPARE) --data cifar100-fine --from $(call folder,cifar100))

data-tinyimagenet: data-programs ## fetch, verify and prepare TinyImageNet (237 MB)
	$(FETCH) tinyimagenet $(manifest) --out $(call folder,tinyimagenet)
	$(PREPARE) --data tinyimagenet --from $(call folder,tinyimagenet)

data-imagenet: data-programs ## prepare your own ImageNet: ILSVRC=folder of the archives or of train/ and val/
	@[ -n $(call quote,$(ILSVRC)) ] || { echo "ILSVRC=FOLDER is missing: your ILSVRC2012 archives, or folders train/ and val/ (nothing is downloaded)"; exit 2; }
	@[ -d $(call quote,$(ILSVRC)/train) ] || [ -n $(call quote,$(LABELS)) ] || { echo "LABELS=FILE is missing: the classes of the validation images, LOC_val_solution.csv"; exit 2; }
	if [ ! -d $(call quote,$(ILSVRC)/train) ]; then $(PYTHON) data_scripts/imagenet.py --archives $(call quote,$(ILSVRC)) \
	  --labels $(call quote,$(LABELS)) $(manifest) --out $(call folder,imagenet); fi
	from=$(call quote,$(ILSVRC)); [ -d "$$from/train" ] || from=$(call folder,imagenet); \
	$(PREPARE) --data imagenet --from "$$from" --to $(call folder,imagenet/prepared) --short-side 256

data-check: data-programs ## look at every image of SET: counts, duplicates, statistics, a sheet of samples
	$(BUILD)/data_scripts/gcg_data_check --data $(SET) --data-dir $(call folder,$(SET)) --sheet $(call folder,$(SET)-samples.png) \
	  --manifest $(call quote,$(or $(MANIFEST),data_scripts/manifests/$(SET).json))

demo: programs ## grow a sparse network on the embedded images, with its dense reference and a figure
	@$(call run,$(BUILD)/experiments/demo --out $(call quote,$(RUNS)/demo) --jobs $(JOBS))
	@$(call run,$(PYTHON) analysis/demo.py $(call quote,$(RUNS)/demo))

test: build ## all tests but the long ones, which are targets of their own
	ctest --test-dir $(BUILD) --output-on-failure -j$$(($$(nproc) + 2)) -LE slurm

test-slurm: build ## a disturbed study under a real Slurm of two nodes, which it starts itself (root; slurmctld, slurmd, munge; 20 minutes on 2 busy cores)
	ctest --test-dir $(BUILD) --output-on-failure -L slurm

test-container: ## the commands of the container's description, in a chroot made for it, and a run there (root, debootstrap, 6 GB, 30 minutes of a core)
	folder=$$(mktemp -d /var/tmp/gcg-container.XXXXXX) && trap 'rm -rf --one-file-system "$$folder"' EXIT && \
	  $(PYTHON) tests/container/test_container.py --build "$$folder"

test-debian13: ## make demo and make test of the last commit on a bare Debian 13, in a chroot made for it (root, debootstrap, 6 GB)
	scripts/test_debian13.sh

faults: build ## every fault that the system can answer a run, a preparation and a fetch with, and 200 kills
	$(PYTHON) tests/fault/faults.py $(BUILD) --all
	$(PYTHON) tests/fault/kills.py $(BUILD) --kills 200

# Builds of their own, by Clang: CHECKED has the sanitizers, the coverage and libFuzzer, THREADS the thread sanitizer, to
# which Archer tells what LLVM's OpenMP, itself not instrumented, orders.
CHECKED := build/checked
THREADS := build/tsan
# Minutes that `make fuzz` gives every target.
MINUTES := 10
# Readers of files, and what they are made of: little of the library.
FUZZ = $(patsubst tests/fuzz/fuzz_%.cpp,%,$(wildcard tests/fuzz/fuzz_*.cpp))
checked-build = $(MAKE) --no-print-directory configure PRESET=$(notdir $(1)) BUILD=$(1) && cmake --build $(1) -j$$(nproc) --target $(2)
# The tests that are built; those of LibTorch, of other languages and of whole programs are not.
NOT_BUILT := _NOT_BUILT$$|^(analysis|style|make|data_scripts|container|install|slurm|experiments)\.|^(install|gcg_runs|record_sample|faults|file_systems|kills)$$|gpu_check|mirror
BUILT := --output-on-failure -j2 -E '$(NOT_BUILT)'

test-clang: ## the tests without LibTorch in a build by Clang, warnings as errors (20 minutes of processor time)
	@$(call checked-build,build/clang,own_tests)
	ctest --test-dir build/clang $(BUILT)

# What the libraries leave that are not ours: the sanitizers' own form of a list.
LEAKS := $(CURDIR)/tests/leaks_of_libraries.txt

sanitize: ## address and undefined-behaviour sanitizers over all tests without LibTorch, and the lines that they run (Clang)
	@$(call checked-build,$(CHECKED),own_tests)
	rm -rf $(CHECKED)/profiles
	LSAN_OPTIONS=$(call quote,suppressions="$(LEAKS)":print_suppressions=0) ctest --test-dir $(CHECKED) $(BUILT)
	$(PYTHON) tests/style/line_coverage.py $(CHECKED)

tsan: ## thread sanitizer over loader, leases, launcher and sparse executor (Clang)
	@$(call checked-build,$(THREADS),base_tests data_tests gcg_study_tests gcg_sparse_tests)
	OMP_TOOL_LIBRARIES=$$(llvm-config --libdir)/libarcher.so TSAN_OPTIONS=ignore_noninstrumented_modules=1 ctest --test-dir $(THREADS) --output-on-failure -j2 -E '^fuzz_|$(NOT_BUILT)'

coverage: ## lines of lib that the tests in C++ run, by folder: everything is built with the sanitizers and run (Clang; long)
	@$(call checked-build,$(CHECKED),all)
	rm -rf $(CHECKED)/profiles
	-LSAN_OPTIONS=$(call quote,suppressions="$(LEAKS)":print_suppressions=0) ctest --test-dir $(CHECKED) --output-on-failure -j2 -LE slurm -E '^(analysis|style|make|data_scripts|container|install)\.|^install$$|documented_commands'
	$(PYTHON) tests/style/line_coverage.py $(CHECKED) --least 90

fuzz-smoke: ## libFuzzer and sanitizers on every reader of files, a minute each, two side by side (Clang; 9 minutes)
	@$(call checked-build,$(CHECKED),$(FUZZ:%=fuzz_%) $(FUZZ:%=libfuzzer_%))
	$(PYTHON) tests/fuzz/fuzz.py $(CHECKED) --seconds 60

fuzz: ## the same for longer: MINUTES=10 each
	@$(call checked-build,$(CHECKED),$(FUZZ:%=fuzz_%) $(FUZZ:%=libfuzzer_%))
	$(PYTHON) tests/fuzz/fuzz.py $(CHECKED) --seconds $$((60 * $(MINUTES)))

bench: configure ## time of training steps and kernels, sparse against dense, in 10 to 20 minutes (BENCH_INTO=docs/results keeps the page)
	@cmake --build $(BUILD) -j$$(nproc) --target gcg_step_bench gcg_layer_bench gcg_memory_bench
	@mkdir -p build/bench
	$(BUILD)/tests/bench/gcg_memory_bench > build/bench/memory.json
	$(BUILD)/tests/bench/gcg_step_bench --benchmark_repetitions=$(ROUNDS) --benchmark_out=build/bench/steps.json
	$(BUILD)/tests/bench/gcg_layer_bench --benchmark_repetitions=$(ROUNDS) --benchmark_out=build/bench/layers.json
	$(PYTHON) analysis/bench.py build/bench $(if $(BENCH_INTO),--into $(call quote,$(BENCH_INTO)))

bench-growth: configure ## time of the parts of a growth stage, ResNet-20
	@cmake --build $(BUILD) -j$$(nproc) --target gcg_bench
	$(BUILD)/tests/bench/gcg_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=5 \
	  --benchmark_report_aggregates_only=true

gpu-check: configure ## tests, rates and small trainings on this machine's GPU, 8 minutes after the build: TORCH=a LibTorch with CUDA; CARRIED=folder of packages
	@cmake --build $(BUILD) -j$$(nproc) --target gcg_run gcg_device_tests gcg_device_rates
	scripts/gpu_check.sh $(BUILD) build/gpu-check $(GPU_CHECK)

bench-data: build ## rates of the data path; ImageNet-size files are made of GCG_TEST_DATA/imagenet10 if it is there
	$(BUILD)/tests/bench/gcg_data_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=9 \
	  --benchmark_report_aggregates_only=true

# $(call one-of,NAME,WORDS): refuses another value of a variable than one of the words.
comma := ,
one = $(filter 1,$(words $($(1))))
one-of = $(if $(and $(one),$(filter $(2),$($(1)))),,$(error $(1)=$($(1)) is none of: $(subst $() ,$(comma) ,$(2))))
$(call one-of,ON,cifar tinyimagenet imagenet)
$(call one-of,LAUNCHER,local slurm)
# $(call whole,NAME,LEAST): refuses what is no whole number, and 0 where the least is 1.
positive = $(subst 0,,$($(1)))
other = $(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,$(subst 5,,$(subst 6,,$(subst 7,,$(subst 8,,$(subst 9,,$(positive))))))))))
whole = $(if $(and $(one),$(if $(other),,x),$(or $(filter 0,$(2)),$(positive))),,$(error $(1)=$($(1)) is no whole number from $(2) on))
$(foreach name,SEEDS JOBS,$(call whole,$(name),0))
$(foreach name,MINUTES ROUNDS,$(call whole,$(name),1))

# --- The study -----------------------------------------------------------------------------------------------------
# The table of experiments, in the order they run in. A word of ROWS is NAME:KIND.
ROWS := $(shell awk -F '[^A-Za-z_]+' '/^EXPERIMENT/ {print $$2 ":" $$4}' experiments/table.def)
kind = $(patsubst %:$(1),%,$(filter %:$(1),$(ROWS)))
EXPERIMENTS := $(foreach row,$(filter-out %:demo,$(ROWS)),$(firstword $(subst :, ,$(row))))
# Those of them that have sizes for TinyImageNet and ImageNet.
LARGE := $(call kind,any_data)
# Those that measure seconds: one run at a time, whatever JOBS says.
ALONE := $(call kind,alone)
TARGETS := $(subst _,-,$(EXPERIMENTS))
STUDY_DATA = $(if $(filter cifar,$(ON)),cifar10,$(ON))
STUDY_FOLDER = $(or $(GCG_DATA),$(DATA)/$(STUDY_DATA))
STUDY_RUNS = $(call quote,$(RUNS)/$(ON))
STUDY = --scale $(call quote,$(SCALE)) $(foreach change,$(CHANGE),--set $(call quote,$(change))) --seeds $(SEEDS) \
  --data $(STUDY_DATA) --data-dir $(call quote,$(STUDY_FOLDER)) --out $(STUDY_RUNS) $(DEVICE)
# $(call run,COMMAND): runs it so that a signal that make gets reaches it: make hands a signal to the shell, which would end
# without its program. Its status is that of the program.
run = ended=; trap 'ended=1; kill -TERM $$! 2>/dev/null' TERM HUP INT; $(1) & [ -z "$$ended" ] || kill -TERM $$!; \
  while wait $$!; status=$$?; kill -0 $$! 2>/dev/null; do :; done; trap - TERM HUP INT; (exit $$status)
# $(call each,LIST,COMMAND): the command for every $$e of the list; goes on after one that failed, and fails at the end if any
# did. Stops at a signal.
each = failed=; for e in $(1); do $(call run,$(2)); status=$$?; [ $$status -le 128 ] || exit $$status; \
  [ $$status = 0 ] || failed="$$failed $$e"; done; \
  if [ -n "$$failed" ]; then echo "failed:$$failed; the same command tries again what is not finished" >&2; exit 1; fi

.PHONY: $(TARGETS) $(addprefix submit-,$(TARGETS)) study-data medium reproduce-all reproduce-tinyimagenet reproduce-imagenet status verify figures pages example-page docs report paper

# Under Slurm the workers of all experiments are queued before the first one is waited for.
reproduce-cifar: ## the study on CIFAR-10, one experiment after the other, and its report: SCALE=smoke|small|full
	@$(if $(filter slurm,$(LAUNCHER)),$(call each,$(TARGETS),$(MAKE) --no-print-directory submit-$$e ON=cifar);)
	@$(call each,$(TARGETS) report,$(MAKE) --no-print-directory $$e ON=cifar)

# SEEDS: how many of the scale's five.
medium: ## grow_return with all of CIFAR-10, one seed of every run after the other (hours a seed)
	@$(call each,$$(seq $(if $(subst 0,,$(SEEDS)),$(SEEDS),5)),$(MAKE) --no-print-directory grow-return ON=cifar SCALE=medium SEEDS=$$e)

reproduce-tinyimagenet: ## the experiments that know TinyImageNet
reproduce-imagenet: ## the experiments that know ImageNet (needs ILSVRC or GCG_DATA)
reproduce-tinyimagenet reproduce-imagenet: reproduce-%:
	@$(call each,$(subst _,-,$(LARGE)) report,$(MAKE) --no-print-directory $$e ON=$*)

reproduce-all: ## all of it; data of your own in GCG_DATA can only be of one set
	@$(call each,cifar tinyimagenet imagenet,$(MAKE) --no-print-directory reproduce-$$e)

# Fetches or prepares what is missing, unless GCG_DATA names a folder.
study-data:
	@[ -n $(call quote,$(GCG_DATA)) ] || [ -e $(call quote,$(STUDY_FOLDER)/train.images) ] || [ -e $(call quote,$(STUDY_FOLDER)/prepared/train.images) ] \
	  || $(MAKE) --no-print-directory data-$(ON)

$(addprefix submit-,$(TARGETS)): submit-%: programs study-data
	@$(BUILD)/experiments/$(subst -,_,$*) $(STUDY) --slurm $(SLURM)

# An experiment that could not finish every run still gets its tables and figures of those that are. Stopping rules are
# replayed between the runs and the analysis.
$(TARGETS): programs study-data
	@e=$(subst -,_,$@); program=$(BUILD)/experiments/$$e; study=$$($$program $(STUDY) --study-file) || exit; \
	$(call run,$$program $(STUDY) $(if $(filter slurm,$(LAUNCHER)),--slurm --wait $(SLURM),$(if $(filter $(ALONE),$(subst -,_,$@)),,--jobs $(JOBS)))); failed=$$?; \
	[ $$failed -le 1 ] || exit $$failed; \
	case $$e in extrapolation|grow_return) false;; esac || { $(call run,$(BUILD)/experiments/gcg_replay "$$study"); } || failed=1; \
	{ $(call run,$(PYTHON) analysis/analyse.py "$$study" $(if $(DATA_NAME),--data-name $(call quote,$(DATA_NAME)))); } || failed=1; \
	exit $$failed

# The experiments that run on ON.
STUDIED = $(if $(filter cifar,$(ON)),$(EXPERIMENTS),$(LARGE))

status: programs ## how far every experiment is (ON, SCALE; WATCH=1: repainted until nothing runs or is queued, one after the other)
	@$(call each,$(STUDIED),{ echo "== $$e"; exec $(BUILD)/experiments/$$e $(STUDY) --status $(if $(filter-out 0,$(WATCH)),--watch); })

verify: programs ## check every run file; measured against expected values (ON, SCALE)
	@$(call each,$(STUDIED),{ echo "== $$e"; exec $(BUILD)/experiments/$$e $(STUDY) --verify; })

# A summary that stands beside another of its experiment has no page: the one that compares the two is COMPARED.
COMPARED := docs/results/growth_rules-small.sparse-against-dense.md
figures: ## redraw tables and figures of all committed summaries, without any run
	$(PYTHON) analysis/analyse.py --redraw $(filter-out %.dense-execution.summary.json,$(wildcard docs/results/*.summary.json))
	$(PYTHON) analysis/compare.py docs/results/growth_rules-small.summary.json docs/results/growth_rules-small.dense-execution.summary.json \
	  > $(COMPARED).tmp && mv $(COMPARED).tmp $(COMPARED)
	$(PYTHON) analysis/pareto.py

pages: ## write the generated parts of README.md and docs/*.md anew from the committed summaries
	$(PYTHON) analysis/pages.py

example-page: ## run examples/run_in_python.py on the demo's run: docs/example.html (needs make demo and pandas)
	$(PYTHON) analysis/example_page.py examples/run_in_python.py docs/example.html

docs: ## documentation of the library from its headers: build/docs/html/index.html (needs doxygen)
	@command -v doxygen >/dev/null || { echo "doxygen is not installed: apt-get install doxygen"; exit 1; }
	@mkdir -p build/docs
	doxygen docs/Doxyfile
	@echo build/docs/html/index.html

report: packages ## one HTML file of the study in RUNS/ON: figures, tables, provenance, what is missing
	$(PYTHON) analysis/report.py $(STUDY_RUNS) --out $(call quote,$(RUNS)/$(ON)/report.html)

paper: paper-packages ## the LaTeX report of the study from docs/results: paper/paper.pdf, and what is missing in it
	$(PYTHON) paper/generate.py
	cd paper && latexmk -silent -outdir=build paper.tex >/dev/null 2>&1 || { grep -A3 -E '^!|paper.tex:[0-9]+:' build/paper.log; exit 1; }
	@cp paper/build/paper.pdf paper/paper.pdf
	@if [ -s paper/generated/missing.txt ]; then echo "missing in paper/paper.pdf:"; cat paper/generated/missing.txt; fi
	@echo paper/paper.pdf

inspect: ## print a run: make inspect RUN=runs/demo/NAME/run.h5
	@[ -n $(call quote,$(RUN)) ] || { echo "RUN=FOLDER or file of a run is missing, as RUN=runs/demo/NAME" >&2; exit 2; }
	@$(PYTHON) analysis/inspect_run.py $(call quote,$(RUN))

format-check: ## whether `make format` would change a C++ source
	@git ls-files '*.h' '*.cpp' | xargs -P2 -n40 clang-format --dry-run -Werror

# Clang 14 cannot parse LibTorch's headers.
NOT_TIDIED := ':!lib/dense' ':!lib/device' ':!lib/world'
# The last commit that is a day older than the newest; without one, the first of all.
day_before = $(shell git rev-list -1 --before=$$(($$(git log -1 --format=%ct) - 86400)) HEAD)
first_commit = $(shell git rev-list --max-parents=0 HEAD | tail -1)

tidy-changed: configure ## clang-tidy over what changed in the last day of commits, or after SINCE=COMMIT
	@since=$(call quote,$(or $(SINCE),$(day_before),$(first_commit))); echo "clang-tidy: what changed after $$since"; \
	  git diff --name-only --diff-filter=d "$$since" -- lib experiments $(NOT_TIDIED) | sed -n 's/\.h$$/.cpp/; /\.cpp$$/p' | sort -u | \
	  xargs -r ls 2>/dev/null | xargs -r -P2 -n1 clang-tidy -p $(BUILD) --quiet

format: ## format the C++ and Python sources (needs clang-format and black)
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i
	@git ls-files '*.py' | xargs black --quiet

tidy: configure ## clang-tidy over the library without the folders that include LibTorch (needs clang-tidy)
	@git ls-files 'lib/*.cpp' 'experiments/*.cpp' $(NOT_TIDIED) | xargs -P2 -n4 clang-tidy -p $(BUILD) --quiet

clean: ## remove the build (runs stay)
	rm -rf build
