# Two commands do everything: `make study` and `make test`.  `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
STUDY ?= config/config.yaml
SEEDS ?=
CARBON_BUDGET ?=
UPGRADE ?=
ARCHIVE ?= results/default/archive/default.crate.zip
INTO ?=
GALLERY ?= results/default
BIN := .venv/bin
# nothing but the files whose hashes the lock files hold
INSTALL := python -P -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes
# what tests need: the environment with every extra but slurm's
TESTED := .venv/installed $(addprefix .venv/installed-,text llm openvino convert excel docs)
SNAKEFILES := Snakefile rules workflow tests/executor/workflows

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  STUDY=path.yaml   another study file (default $(STUDY))"
	@echo "  SEEDS=2           fewer seeds, for a first result"
	@echo "  CARBON_BUDGET=5   with make study: start no step that is expected to exceed 5 gCO2e, all runs together"

# the environment: pinned versions, and this checkout installed editable
.venv/installed: requirements.lock requirements-cuda.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fairweight needs Python 3.11 or newer; set PYTHON=python3.11, say")'
	@echo "Setting up .venv (a few minutes the first time) ..."
	@$(PYTHON) -m venv .venv
	@# first what builds packages that have no wheel, and a build of torch for processors if one lies on this machine
	@for name in setuptools torch; do sed -n "/^$$name==/,/[^\\\\]$$/p" requirements.lock > .venv/$$name.txt; done
	@$(BIN)/$(INSTALL) -r .venv/setuptools.txt
	@$(BIN)/$(INSTALL) --no-index -r .venv/torch.txt 2> /dev/null || true
	@$(BIN)/$(INSTALL) -r requirements.lock
	@$(BIN)/python -P -c 'import importlib.metadata as m, sys; sys.exit("nvidia" in str(m.requires("torch")))' || \
	  $(BIN)/$(INSTALL) -r requirements-cuda.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: .venv/installed ## Create .venv with the pinned versions.

.venv/installed-text: requirements-text.lock .venv/installed
	@$(BIN)/$(INSTALL) -r requirements-text.lock
	@touch $@

.PHONY: setup-text
setup-text: .venv/installed-text ## Add what studies of texts need: the extra `text` (transformers, tokenizers, nlpaug).

.venv/installed-llm: requirements-llm.lock .venv/installed
	@$(BIN)/$(INSTALL) -r requirements-llm.lock
	@touch $@

.PHONY: setup-llm
setup-llm: .venv/installed-llm ## Add what studies of language models need: the extra `llm` (onnxruntime-genai, transformers, accelerate, gguf).

EXTRAS := text llm openvino convert convert-keras excel docs
setup-%:
	@echo "there is no extra '$*'; there are: $(addprefix setup-,$(EXTRAS))" >&2; exit 2

# OpenVINO and NNCF, for `engines: [openvino]` and `quantize: openvino`; the versions of requirements.lock stay as they are
.venv/installed-openvino: .venv/installed requirements-openvino.lock
	@$(BIN)/$(INSTALL) -r requirements-openvino.lock
	@touch $@

.PHONY: setup-openvino
setup-openvino: .venv/installed-openvino ## Add OpenVINO and NNCF (the optional extra `openvino`) to .venv.

.venv/installed-convert: requirements-convert.lock .venv/installed
	@$(BIN)/$(INSTALL) -r requirements-convert.lock
	@touch $@

.PHONY: setup-convert
setup-convert: .venv/installed-convert ## Add skl2onnx, onnxmltools, XGBoost and LightGBM: the extra `convert`.

.venv/installed-excel: requirements-excel.lock .venv/installed
	@$(BIN)/$(INSTALL) -r requirements-excel.lock
	@touch $@

.PHONY: setup-excel
setup-excel: .venv/installed-excel ## Add what reads workbooks such as .xlsx: the extra `excel` (python-calamine).

# TensorFlow and tf2onnx, for `fairweight convert`, in an environment apart: 1.7 GB
.venv-convert/installed: requirements-convert-keras.lock
	@echo "Setting up .venv-convert (TensorFlow: 1.7 GB) ..."
	@$(PYTHON) -m venv .venv-convert
	@.venv-convert/bin/$(INSTALL) -r requirements-convert-keras.lock
	@touch $@

.PHONY: setup-convert-keras
setup-convert-keras: .venv-convert/installed ## Create .venv-convert for `fairweight convert` (TensorFlow: 1.7 GB).

# mkdocs and what it needs, for `make docs-site`
.venv/installed-docs: requirements-docs.lock .venv/installed
	@$(BIN)/$(INSTALL) -r requirements-docs.lock
	@touch $@

.PHONY: setup-docs
setup-docs: .venv/installed-docs ## Add what builds the documentation site: the extra `docs` (mkdocs-material, mkdocstrings, mermaidx).

.PHONY: study
study: .venv/installed ## Run a study to its report.
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CARBON_BUDGET),--carbon-budget '$(CARBON_BUDGET)')

# Debian's packages that hold all that paper/article.tex takes
TEX := latexmk texlive-luatex texlive-latex-recommended lmodern
HAS_TEX := $(and $(shell command -v latexmk),$(shell command -v lualatex))

.PHONY: paper
paper: .venv/installed ## Write what an article takes from a study, and compile paper/article.tex where LuaLaTeX is.
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) -- $(if $(HAS_TEX),article,paper)
	@$(if $(HAS_TEX),true,echo "The article is not compiled: latexmk or lualatex is not installed; on Debian and Ubuntu: apt-get install --no-install-recommends $(TEX)")

.PHONY: snakemake-report
snakemake-report: .venv/installed ## Write Snakemake's own report of a study (results/snakemake-report.zip).
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) -- all paper
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) -- all paper --report results/snakemake-report.zip

.PHONY: cards
cards: .venv/installed ## Write model cards and data cards, in folders that a model hub takes.
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) -- cards

.PHONY: archive
archive: .venv/installed ## Pack a study as a Workflow Run RO-Crate.
	@$(BIN)/fairweight run '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS)) -- archive

.PHONY: verify-archive
verify-archive: .venv/installed ## Check an archive (ARCHIVE=path.zip) and render its report again.
	@$(BIN)/fairweight verify-archive '$(ARCHIVE)' $(if $(INTO),--into '$(INTO)')

.PHONY: reproduce
reproduce: .venv/installed ## Run an archived study again (ARCHIVE=path.zip) in a clean folder (INTO=reproduced), and compare.
	@$(BIN)/fairweight reproduce '$(ARCHIVE)' --into '$(or $(INTO),reproduced)'

# rocrate-validator wants older versions than we have, so that it lives apart
.PHONY: crate-validator
crate-validator: .venv-crate/installed ## Install the public validator of archives, for the tests.
.venv-crate/installed: tests/oracles/crate.lock
	@$(PYTHON) -m venv .venv-crate
	@.venv-crate/bin/$(INSTALL) -r tests/oracles/crate.lock
	@touch $@

# moto wants an older python-dateutil than codecarbon's arrow, so that it lives apart
.PHONY: s3-store
s3-store: .venv-s3/installed ## Install an S3 store (moto) that runs on this machine, for the tests.
.venv-s3/installed: tests/oracles/s3.lock
	@$(PYTHON) -m venv .venv-s3
	@.venv-s3/bin/$(INSTALL) -r tests/oracles/s3.lock
	@touch $@

.PHONY: energy
energy: .venv/installed ## Print the resource usage of a study: ledger, energy, carbon, break-even.
	@$(BIN)/fairweight energy '$(STUDY)'

.PHONY: verify
verify: .venv/installed ## Check that every file of a study is there and is the one that its step wrote.
	@$(BIN)/fairweight verify '$(STUDY)' $(if $(SEEDS),--seeds $(SEEDS))

.PHONY: test
test: $(TESTED) ## Run all tests.
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: test-unit
test-unit: $(TESTED) ## Run the unit tests (a few minutes).
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/unit  # two processes of one thread each

.PHONY: test-convert-keras
test-convert-keras: $(TESTED) .venv-convert/installed ## Test `fairweight convert` with TensorFlow itself (1.7 GB).
	@$(BIN)/python -m pytest tests/unit/cli/test_convert.py

.PHONY: bench
bench: .venv/installed ## Measure, as ratios in one run each (an hour on two cores, alone on the machine); PART=error_rates runs one.
	@for file in benchmarks/$(or $(PART),[a-z]*).py; do \
	  [ "$$file" = benchmarks/meter.py ] || $(BIN)/python "$$file" || exit 1; done

.PHONY: check
check: .venv/installed ## Lint, formatting and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check $(SNAKEFILES)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/lint

.PHONY: format
format: .venv/installed ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt $(SNAKEFILES)

.PHONY: docs
docs: .venv/installed ## Generate config/README.md (schema, components) and docs/architecture.md (imports).
	$(BIN)/fairweight reference > config/README.md
	$(BIN)/python docs/architecture.py > docs/architecture.md

.PHONY: docs-site
docs-site: .venv/installed-docs ## Build the documentation site in site/; GALLERY="results/a results/b" adds the reports of studies.
	@NO_MKDOCS_2_WARNING=1 GALLERY='$(GALLERY)' $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

.PHONY: lock
lock: ## Pin what pyproject.toml needs, with hashes; UPGRADE=--upgrade takes the newest versions (torch as in .ci/lock).
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@UPGRADE=$(UPGRADE) .ci/lock .venv-lock/bin/python
	@rm -rf .venv-lock

.PHONY: paper-deep-compression
paper-deep-compression: .venv/installed ## Reproduce Han et al. and the lottery ticket on full MNIST (an hour on two cores; goes on where it stopped).
	@$(BIN)/fairweight run config/deep_compression.yaml
	@$(BIN)/python benchmarks/deep_compression/published.py results/deep_compression

.PHONY: deep-compression-recipes
deep-compression-recipes: .venv/installed ## Train the candidates for those recipes, and print them by validation rows alone.
	@$(BIN)/fairweight run config/deep_compression_recipes.yaml -- \
	  $$($(BIN)/python benchmarks/deep_compression/recipes.py targets config/deep_compression_recipes.yaml)
	@$(BIN)/python benchmarks/deep_compression/recipes.py table results/deep_compression_recipes

.PHONY: clean
clean: ## Remove results of all studies (downloads stay in the cache).
	rm -rf results .snakemake
