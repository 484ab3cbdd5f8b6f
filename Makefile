# pairwatch. `make help` lists the targets; `make demo` and `make check` install what they need.
# Objects in build/PROFILE/ (release, asan, tsan, clang), quiet unless V=1, -Werror unless WERROR=.

VERSION  := 0.1.0
PROFILE  ?= release
PREFIX   ?= /usr/local
PORT     ?= 8080
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
B        := build/$(PROFILE)
GEN      := build/gen
ifneq ($(filter default undefined,$(origin CC)),)
CC       := $(if $(filter clang,$(PROFILE)),clang,gcc)
endif
# PROFILE=arm64 is built on another processor, with the libraries that deploy/setup arm64 unpacks.
PKG_CONFIG := pkg-config
ifeq ($(PROFILE),arm64)
ARM64    := $(CURDIR)/build/arm64-root
CC       := aarch64-linux-gnu-gcc --sysroot=$(ARM64)
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(ARM64) \
    PKG_CONFIG_LIBDIR=$(ARM64)/usr/lib/aarch64-linux-gnu/pkgconfig:$(ARM64)/usr/share/pkgconfig pkg-config
endif
JOBS     := -j$(shell nproc 2>/dev/null || echo 2)

PACKAGES := libmicrohttpd libcjson libcrypto sqlite3 libpq zlib libcurl
WERROR   ?= -Werror
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
            -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings $(WERROR)
HARDEN   := -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
opt_release := -O2 -g -D_FORTIFY_SOURCE=2
opt_clang   := $(opt_release)
opt_arm64   := $(opt_release)
opt_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
opt_tsan    := -O1 -g -fsanitize=thread
# Asked for once, and only when something is compiled: `make demo` begins without pkg-config.
PKG_CFLAGS   = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS     = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES)))$(PKG_LIBS)
# Nothing is fused, and square roots are the instruction: the same numbers on every processor.
NUMBERS      := -ffp-contract=off -fno-math-errno
CFLAGS_ALL   = -std=c11 $(NUMBERS) -D_GNU_SOURCE -DPAIRWATCH_VERSION='"$(VERSION)"' -Iserver -Ibuild $(WARN) $(HARDEN) \
               $(opt_$(PROFILE)) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP
LDLIBS_ALL   = $(PKG_LIBS) -ldl -lm -lpthread

LAYERS   := base model store http aws lake sink api worker command
# What each layer may use, nearest first: the link order, and the proof of the layering.
USES_base    := base
USES_model   := model base
USES_store   := store base
USES_http    := http base
USES_aws     := aws base
USES_lake    := lake aws base
USES_sink    := sink aws base
USES_api     := api lake aws http store model base
USES_worker  := worker lake aws store model base
USES_command := command worker api sink lake aws http store model base

sources   = $(sort $(wildcard server/$(1)/*.c))
objects   = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))
LIBS      := $(foreach l,$(LAYERS),$(B)/lib$(l).a)
# With every archive in one group the linker resolves in any order; a layer's test gets only its own USES.
link      = $(CC) $(CFLAGS_ALL) $(LDHARDEN) -o $@ $(1) -Wl,--start-group $(foreach l,$(2),$(B)/lib$(l).a) -Wl,--end-group $(LDLIBS_ALL) $(3)

.PHONY: all
all: $(B)/pairwatch build/lib/pairwatch/libduckdb.so ## build/release/pairwatch; PROFILE=asan, tsan, clang for the others

$(B)/pairwatch: $(B)/server/main.o $(LIBS) $(B)/gen/assets.o
	@echo "  LINK  $@"
	$(Q)$(call link,$(B)/server/main.o $(B)/gen/assets.o,$(USES_command))

# Everything is compiled anew when the compiler or its flags change.
$(B)/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(subst ','\'',$(CFLAGS_ALL))' >$@.$$$$ && \
	    if cmp -s $@.$$$$ $@; then rm -f $@.$$$$; else mv $@.$$$$ $@; fi
.PHONY: FORCE
FORCE:

$(B)/server/%.o: server/%.c $(B)/.flags | generated
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@
$(B)/gen/%.o: $(GEN)/%.c $(B)/.flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

define layer_rule
$(B)/lib$(1).a: $(call objects,$(1)) $(2)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l),$(if $(filter store,$(l)),$(B)/gen/statements.o)$(if $(filter api,$(l)),$(B)/gen/routes.o))))

# ---- generated sources ----
STATEMENTS := $(sort $(wildcard server/store/*.sql))
.PHONY: generated
generated: $(GEN)/statements.h $(GEN)/routes.h
$(GEN)/statements.h $(GEN)/statements.c &: server/tools/statements.awk $(STATEMENTS)
	@mkdir -p $(GEN)
	$(Q)LC_ALL=C awk -v dir=$(GEN) -f server/tools/statements.awk $(STATEMENTS)
$(GEN)/routes.h $(GEN)/routes.c &: server/tools/routes.awk api/openapi.yaml
	@mkdir -p $(GEN)
	$(Q)LC_ALL=C awk -v dir=$(GEN) -f server/tools/routes.awk api/openapi.yaml
$(GEN)/openapi.json: server/tools/openapi_json.awk api/openapi.yaml
	@mkdir -p $(GEN)
	$(Q)LC_ALL=C awk -f server/tools/openapi_json.awk api/openapi.yaml >$@.new && mv $@.new $@

# ---- files built into the binary: each under its own path, or under NAME as NAME=FILE ----
CHART := web/node_modules/chart.js/dist/chart.umd.js
WEB_FILES := $(sort $(shell find web -path web/node_modules -prune -o -type f ! -name '.*' ! -name 'package*.json' ! -name '*.md' -print))
ASSETS := $(WEB_FILES) web/vendor/chart.umd.js=$(CHART) api/openapi.json=$(GEN)/openapi.json \
          $(sort $(wildcard migrations/*/*.sql server/lake/specs/*.spec))
ASSET_FILES = $(foreach a,$(ASSETS),$(lastword $(subst =, ,$(a))))
$(GEN)/assets.list: FORCE
	@mkdir -p $(GEN)
	@printf '%s\n' $(ASSETS) >$@.$$$$ && if cmp -s $@.$$$$ $@; then rm -f $@.$$$$; else mv $@.$$$$ $@; fi
$(GEN)/assets.S: server/tools/assets.awk $(GEN)/assets.list $(ASSET_FILES)
	$(Q)LC_ALL=C awk -f server/tools/assets.awk $(ASSETS) >$@.new && mv $@.new $@
$(B)/gen/assets.o: $(GEN)/assets.S $(ASSET_FILES)
	@mkdir -p $(@D)
	$(Q)$(CC) -c $< -o $@

# ---- from npm, by lock file ----
# Where the program looks for it, from build/release as from an installed bin/.
DUCKDB = $(wildcard deploy/duckdb/node_modules/@duckdb/node-bindings-linux-*/libduckdb.so)
build/lib/pairwatch/libduckdb.so: deploy/duckdb/package-lock.json
	@test -n '$(DUCKDB)' || { echo 'libduckdb.so is not here yet: deploy/setup build gets it' >&2; exit 1; }
	@mkdir -p $(@D)
	$(Q)ln -sf ../../../$(DUCKDB) $@
$(CHART):
	@echo 'Chart.js is not here yet: deploy/setup build gets it' >&2; exit 1

# ---- tests: a unit test links its own layer and below, nothing else ----
TEST_LIBS := -lcmocka
unit_tests = $(patsubst tests/unit/%.c,$(B)/tests/%,$(sort $(wildcard tests/unit/$(1)/*_test.c)))
# What is one engine's alone runs on that engine.
POSTGRES_ALONE := $(patsubst %,$(B)/tests/store/%_test,postgres postgres_cancel postgres_plan postgres_citus)
# Runs all of them, and fails when one has.
run_each = status=0; for t in $(1); do echo "== $$t"; $$t || status=1; done; exit $$status
define unit_rule
$(B)/tests/$(1)/%: tests/unit/$(1)/%.c $(foreach u,$(USES_$(1)),$(B)/lib$(u).a) $(B)/gen/assets.o
	@mkdir -p $$(@D)
	@echo "  TEST  $$@"
	$(Q)$$(CC) $$(CFLAGS_ALL) -Itests -Wno-missing-prototypes $(LDHARDEN) -o $$@ $$< $(B)/gen/assets.o \
	    -Wl,--start-group $(foreach u,$(USES_$(1)),$(B)/lib$(u).a) -Wl,--end-group $$(LDLIBS_ALL) $(TEST_LIBS)
.PHONY: unit-$(1)
unit-$(1): $(filter-out $(POSTGRES_ALONE),$(call unit_tests,$(1)))
	$$(Q)$$(call run_each,$$^)
endef
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l))))
SQLITE_ALONE := $(patsubst %,$(B)/tests/store/%_test,sqlite plan network_fs backup)
ALL_TESTS := $(foreach l,$(LAYERS),$(call unit_tests,$(l)))
UNIT_TESTS := $(filter-out $(POSTGRES_ALONE),$(ALL_TESTS))
STORE_TESTS := $(filter-out $(SQLITE_ALONE) $(B)/tests/store/statements_test,$(call unit_tests,store))

.PHONY: unit
unit: $(UNIT_TESTS) ## unit tests; unit-LAYER for those of one folder of server/
	$(Q)$(call run_each,$(UNIT_TESTS))

.PHONY: unit-postgres
unit-postgres: $(STORE_TESTS) ## the tests of the store on PostgreSQL, one of their own
	$(Q)tests/postgres sh -c '$(call run_each,$(STORE_TESTS))'

.PHONY: programs
programs: all $(ALL_TESTS) $(B)/tests/load/model_bench # the binary, the unit tests and a benchmark, built and not run

.PHONY: demo
demo: ## simulate a company, train, score, serve the dashboard on 127.0.0.1:PORT
	@deploy/demo --port-free $(PORT)
	@deploy/setup build
	@$(MAKE) --no-print-directory $(JOBS) all
	@exec deploy/demo $(PORT)

.PHONY: check
check: ## everything CI runs; SECTIONS='lint unit …' for some of it
	@deploy/setup check
	@exec tests/all $(SECTIONS)

.PHONY: test
test: ## the fast part: lint and unit tests, under a minute
	@deploy/setup check
	@exec tests/all lint unit

.PHONY: lint
lint: ## house rules, include direction, format, shell scripts
	$(Q)tests/lint/all

TIDY := $(patsubst %.c,build/tidy/%.ok,server/main.c $(foreach l,$(LAYERS),$(call sources,$(l))))
.PHONY: tidy
tidy: $(TIDY) ## clang-tidy over what changed, by .clang-tidy
build/tidy/%.ok: %.c .clang-tidy $(wildcard server/*/*.h) | generated
	@mkdir -p $(@D)
	@echo "  TIDY  $<"
	$(Q)clang-tidy --quiet $< -- $(filter-out -MMD -MP,$(CFLAGS_ALL)) 2>$@.err || { cat $@.err; exit 1; }
	@touch $@

.PHONY: asan
asan: ## unit, lake and API tests under AddressSanitizer and UBSan
	@exec tests/all unit_asan lake_asan api_asan

.PHONY: tsan
tsan: ## unit tests and the live server under ThreadSanitizer
	@exec tests/all unit_tsan api_tsan

.PHONY: bench
bench: ## throughput and latency, as ratios against baselines of the same run
	@deploy/setup check
	@$(MAKE) --no-print-directory $(JOBS) all $(B)/tests/load/bare_read
	@$(MAKE) --no-print-directory model-bench
	@exec tests/load/bench

.PHONY: arm64
arm64: ## builds for arm64 and runs the model's tests there under qemu, files held against this processor's
	@deploy/setup arm64
	@$(MAKE) --no-print-directory $(JOBS) all
	@$(MAKE) --no-print-directory $(JOBS) PROFILE=arm64 build/arm64/pairwatch $(patsubst $(B)/%,build/arm64/%,$(call unit_tests,model))
	@exec tests/arm64

MODEL    ?=
CALIBRATION ?=
ARCH     ?=
.PHONY: lambda
lambda: all ## build/lambda/*.zip: an AWS Lambda function, with MODEL=FILE in it, for ARCH=arm64 or this machine's; sizes held against Lambda's
ifeq ($(ARCH),arm64)
	@deploy/setup arm64
	@$(MAKE) --no-print-directory $(JOBS) PROFILE=arm64 build/arm64/pairwatch
endif
	$(Q)deploy/lambda/build '$(MODEL)' '$(CALIBRATION)' '$(ARCH)'

.PHONY: life
life: all ## the life of a store: LIFE_DAYS (240) of it, a second each
	@exec python3 tests/fault/life.py --seconds $(or $(LIFE_DAYS),240)

# The store's part alone, on both engines.
$(B)/tests/load/store_bench: tests/load/store_bench.c $(foreach u,$(USES_store),$(B)/lib$(u).a) $(B)/gen/assets.o
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(CFLAGS_ALL) -Itests -Itests/unit/store -Wno-missing-prototypes $(LDHARDEN) -o $@ $< $(B)/gen/assets.o \
	    -Wl,--start-group $(foreach u,$(USES_store),$(B)/lib$(u).a) -Wl,--end-group $(LDLIBS_ALL) $(TEST_LIBS)
$(B)/tests/load/bare_insert: tests/load/bare_insert.c $(B)/libbase.a
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDHARDEN) -o $@ $< $(B)/libbase.a $(LDLIBS_ALL)
$(B)/tests/load/bare_read: tests/load/bare_read.c $(B)/liblake.a $(B)/libbase.a
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDHARDEN) -o $@ $< -Wl,--start-group $(B)/liblake.a $(B)/libaws.a $(B)/libbase.a -Wl,--end-group $(LDLIBS_ALL)
.PHONY: bench-store
bench-store: all $(B)/tests/load/bare_insert ## the store over HTTP: PAIRWATCH_BENCH_ROWS (10000000) written and read
	@exec tests/load/store_load.py
.PHONY: store-bench
store-bench: $(B)/tests/load/store_bench ## observations/s into SQLite and PostgreSQL, against COPY
	@$<
	@POSTGRES_FSYNC=on tests/postgres $<

# The model's part alone: loops, prefix tree, dot products, on logins of so many users; then with CSV around them.
BENCH_USERS ?= 1000
$(B)/tests/load/model_bench: tests/load/model_bench.c $(foreach u,$(USES_model),$(B)/lib$(u).a)
	@mkdir -p $(@D)
	@echo "  TEST  $@"
	$(Q)$(CC) $(CFLAGS_ALL) -Itests -Wno-missing-prototypes $(LDHARDEN) -o $@ $< \
	    -Wl,--start-group $(foreach u,$(USES_model),$(B)/lib$(u).a) -Wl,--end-group $(LDLIBS_ALL) $(TEST_LIBS)
.PHONY: model-bench
model-bench: all $(B)/tests/load/model_bench ## the model's loops against memory and the published rate; BENCH_USERS=10000
	@mkdir -p build/check
	@python3 tests/load/training.py $(BENCH_USERS) build/check/logins.csv
	@$< build/check/logins.csv
	@rm -f build/check/logins.csv
	@tests/load/bench --only model --users $(BENCH_USERS)

# ---- installing: one binary, and the library that reads Parquet ----
BINDIR   ?= $(PREFIX)/bin
LIBDIR   ?= $(PREFIX)/lib/pairwatch
MANDIR   ?= $(PREFIX)/share/man/man1
DOCDIR   ?= $(PREFIX)/share/doc/pairwatch
UNITDIR  ?= $(PREFIX)/lib/systemd/system
.PHONY: install
install: all ## under DESTDIR/PREFIX; needs no compiler, node or npm to run
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(MANDIR) $(DESTDIR)$(DOCDIR) $(DESTDIR)$(UNITDIR)
	install -m 755 build/release/pairwatch $(DESTDIR)$(BINDIR)/pairwatch
	install -m 644 build/lib/pairwatch/libduckdb.so $(DESTDIR)$(LIBDIR)/libduckdb.so
	install -m 644 deploy/pairwatch.1 $(DESTDIR)$(MANDIR)/pairwatch.1
	install -m 644 README.md deploy/pairwatch.conf.example $(DESTDIR)$(DOCDIR)/
	install -d $(DESTDIR)$(DOCDIR)/specs
	install -m 644 server/lake/specs/* $(DESTDIR)$(DOCDIR)/specs/
	sed 's|@BINDIR@|$(BINDIR)|' deploy/pairwatch-serve.service >$(DESTDIR)$(UNITDIR)/pairwatch-serve.service
	sed 's|@BINDIR@|$(BINDIR)|' deploy/pairwatch-work.service >$(DESTDIR)$(UNITDIR)/pairwatch-work.service
.PHONY: uninstall
uninstall: ## what install put there; settings and databases stay
	rm -f $(DESTDIR)$(BINDIR)/pairwatch $(DESTDIR)$(MANDIR)/pairwatch.1 \
	    $(DESTDIR)$(UNITDIR)/pairwatch-serve.service $(DESTDIR)$(UNITDIR)/pairwatch-work.service
	rm -rf $(DESTDIR)$(LIBDIR) $(DESTDIR)$(DOCDIR)

.PHONY: clean
clean: ## removes build/; node_modules stay
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# This profile's alone: another one's may be written at this moment.
-include $(shell find $(B) -name '*.d' 2>/dev/null)
