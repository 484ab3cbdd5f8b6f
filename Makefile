# pairwatch. `make help` lists the targets; `make demo` and `make check` install what they need.
# One non-recursive makefile; objects in build/PROFILE/, quiet unless V=1, -Werror unless WERROR=.

VERSION  := 0.1.0
PROFILE  ?= release
PREFIX   ?= /usr/local
PORT     ?= 8080
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
B        := build/$(PROFILE)
GEN      := build/gen
CC       ?= gcc

PACKAGES := libmicrohttpd libcjson libcrypto sqlite3 zlib
WERROR   ?= -Werror
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
            -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings $(WERROR)
HARDEN   := -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now
opt_release := -O2 -g -D_FORTIFY_SOURCE=2
opt_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
opt_tsan    := -O1 -g -fsanitize=thread
CFLAGS_ALL   = -std=c11 -D_GNU_SOURCE -DPAIRWATCH_VERSION='"$(VERSION)"' -Iserver -Ibuild $(WARN) $(HARDEN) \
               $(opt_$(PROFILE)) $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS) -MMD -MP
LDLIBS_ALL   = $(shell pkg-config --libs $(PACKAGES)) -ldl -lm -lpthread

LAYERS   := base model store http aws lake sink api worker command
# What each layer may use, nearest first: the link order, and the proof of the layering.
USES_base    := base
USES_model   := model base
USES_store   := store base
USES_http    := http base
USES_aws     := aws base
USES_lake    := lake aws base
USES_sink    := sink aws base
USES_api     := api http store model base
USES_worker  := worker lake aws store model base
USES_command := command worker api sink lake aws http store model base

sources   = $(sort $(wildcard server/$(1)/*.c))
objects   = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))
GENERATED := $(GEN)/statements.h $(GEN)/statements.c $(GEN)/routes.h $(GEN)/routes.c $(GEN)/assets.S $(GEN)/openapi.json
LIBS      := $(foreach l,$(LAYERS),$(B)/lib$(l).a)
# With every archive in one group the linker resolves in any order; a layer's test gets only its own USES.
link      = $(CC) $(CFLAGS_ALL) $(LDHARDEN) -o $@ $(1) -Wl,--start-group $(foreach l,$(2),$(B)/lib$(l).a) -Wl,--end-group $(LDLIBS_ALL) $(3)

.PHONY: all
all: $(B)/pairwatch

$(B)/pairwatch: $(B)/server/main.o $(LIBS) $(B)/gen/assets.o
	@echo "  LINK  $@"
	$(Q)$(call link,$(B)/server/main.o $(B)/gen/assets.o,$(USES_command))

$(B)/server/%.o: server/%.c | generated
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@
$(B)/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@
$(B)/gen/assets.o: $(GEN)/assets.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c $< -o $@

define layer_rule
$(B)/lib$(1).a: $(call objects,$(1)) $(2)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l),$(if $(filter store,$(l)),$(B)/gen/statements.o)$(if $(filter api,$(l)),$(B)/gen/routes.o))))

# ---- generated sources ----
.PHONY: generated
generated: $(GEN)/statements.h $(GEN)/routes.h
$(GEN)/statements.h $(GEN)/statements.c &: server/tools/statements.awk $(sort $(wildcard server/store/*.sql))
	@mkdir -p $(GEN)
	$(Q)awk -v dir=$(GEN) -f server/tools/statements.awk $(sort $(wildcard server/store/*.sql))
$(GEN)/routes.h $(GEN)/routes.c &: server/tools/routes.awk api/openapi.yaml
	@mkdir -p $(GEN)
	$(Q)awk -v dir=$(GEN) -f server/tools/routes.awk api/openapi.yaml

# ---- tests: a unit test links its own layer and below, nothing else ----
TEST_LIBS := -lcmocka
unit_layers := base model store http lake api worker
unit_tests = $(patsubst tests/unit/%.c,$(B)/tests/%,$(sort $(wildcard tests/unit/$(1)/*_test.c)))
define unit_rule
$(B)/tests/$(1)/%: tests/unit/$(1)/%.c $(foreach u,$(USES_$(1)),$(B)/lib$(u).a) $(B)/gen/assets.o
	@mkdir -p $$(@D)
	@echo "  TEST  $$@"
	$(Q)$$(CC) $$(CFLAGS_ALL) -Itests -Wno-missing-prototypes $(LDHARDEN) -o $$@ $$< $(B)/gen/assets.o \
	    -Wl,--start-group $(foreach u,$(USES_$(1)),$(B)/lib$(u).a) -Wl,--end-group $$(LDLIBS_ALL) $(TEST_LIBS)
.PHONY: unit-$(1)
unit-$(1): $(call unit_tests,$(1))
	$$(Q)set -e; for t in $$^; do echo "== $$$$t"; $$$$t; done
endef
$(foreach l,$(unit_layers),$(eval $(call unit_rule,$(l))))

-include $(shell find build -name '*.d' 2>/dev/null)
