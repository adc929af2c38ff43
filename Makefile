# SPDX-License-Identifier: BSD-2-Clause
# Larch: an XDP layer-4 load balancer that learns. `make help` lists the targets.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(1) $(2))

BUILD_PACKAGES := clang llvm gcc pkg-config bpftool libbpf-dev libelf-dev zlib1g-dev libmnl-dev \
	libyaml-dev libjansson-dev libc-ares-dev libcurl4-openssl-dev libsystemd-dev iproute2
PACKAGES := $(BUILD_PACKAGES) libcriterion-dev libclang-rt-14-dev clang-format ethtool curl libxml2-utils nginx-light nghttp2-client procps iputils-ping \
	bind9-dnsutils dnsmasq-base netcat-openbsd ngtcp2-client ngtcp2-server openssl postgresql-15 python3-aiosmtpd redis-tools tcpdump \
	python3-sklearn haproxy libnginx-mod-stream faketime bird2
KERNELS_PACKAGES := qemu-system-x86 busybox-static cpio xz-utils
# What make bench compares Larch with; without them it leaves those rows out.
BENCH_PACKAGES := nftables
LIBS     := libbpf libmnl yaml-0.1 jansson libcares libsystemd
NEEDED   := $(LIBS) libcurl

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
	-Wno-sign-conversion -Werror
CFLAGS ?= -O2 -g
# No fused multiply-add: equal inputs must give equal bytes on every CPU. Words of shared structs are
# read and written whole, whatever their fields: as the kernel does, without strict aliasing.
cflags  = -std=gnu11 -ffp-contract=off -fno-strict-aliasing $(CFLAGS) $(WARN) -MMD -MP -D_GNU_SOURCE -Iinclude -Iuser -I$(BUILD) \
	-DLARCH_VERSION='"$(VERSION)"'
LDLIBS := -Wl,--as-needed $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lelf -lz -lm
VERSION := 0.1.0

programs := larchd larchctl larch-prober
modules  := $(filter-out $(programs:%=user/%.c),$(wildcard user/*.c))
# A tool is tools/NAME.c; files with an underscore in their name are its further parts.
tools    := $(foreach tool,$(patsubst tools/%.c,%,$(filter-out %.bpf.c tools/sim.c tools/hatest.c,$(wildcard tools/*.c))),$(if $(findstring _,$(tool)),,$(tool)))
unit     := $(wildcard tests/unit/*.c)
packet   := $(wildcard tests/packet/*.c)

objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))
hatest_tools := loadgen labserver distance synflood
hatest_parts := lab.sh lab_rivals.sh $(notdir $(wildcard tools/hatest/*))
binaries := $(programs:%=$(BUILD)/%) $(tools:%=$(BUILD)/%) $(BUILD)/larch-sim $(BUILD)/larch-hatest
bpf      := $(foreach name,larch agent,$(BUILD)/$(name).bpf.o $(BUILD)/$(name).frags.bpf.o)
skeletons := $(patsubst %,$(BUILD)/%.skel.h,larch larch.frags agent agent.frags health)
vpath %.bpf.c bpf tools

all: $(bpf) $(patsubst tools/%.c,$(BUILD)/%.o,$(wildcard tools/*.bpf.c)) $(BUILD)/pass.frags.bpf.o $(binaries) ## build everything (the default)

# SYSTEMD_OFFLINE: the tests run their own servers; none is started by its installation.
deps: ## install what building and testing need (Debian)
	$(Q)command -v apt-get >/dev/null || { echo "make deps knows Debian only; install: $(PACKAGES)"; exit 1; }
	$(Q)missing=""; for p in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$p"; \
	done; [ -z "$$missing" ] || [ "$$(id -u)" = 0 ] || \
		{ echo "make $@ needs root to install:$$missing"; exit 1; }; \
	[ -z "$$missing" ] || { apt-get update -qq && \
		SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; }

build-deps: PACKAGES := $(BUILD_PACKAGES)
build-deps: deps ## install only what building needs: no test tools, no nginx

# Says what is missing before a compiler does.
$(BUILD)/.deps-checked: Makefile
	$(Q)mkdir -p $(BUILD)
	$(Q)for tool in $(CLANG) llvm-strip $(CC) $(BPFTOOL) pkg-config; do command -v $$tool >/dev/null || \
		{ echo "larch: $$tool is missing; 'make deps' installs all that is needed"; exit 1; }; done
	$(Q)pkg-config --exists $(NEEDED) || \
		{ pkg-config --print-errors $(NEEDED) 2>&1 | head -4; echo "larch: libraries are missing; 'make deps' installs them"; exit 1; }
	$(Q)touch $@

define compile_bpf
	$(call say,BPF,$@)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -fno-strict-aliasing -Wall -Wextra -Werror -Wno-missing-declarations \
		-MMD -MP -MF $(@:.o=.d) -MT $@ -Ivmlinux -Iinclude -Ibpf $(1) -c $< -o $@.tmp
	$(Q)llvm-strip -g $@.tmp -o $@ && rm $@.tmp
endef

$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/.deps-checked
	$(call compile_bpf)

# The same for frames in several buffers: see bpf/frame.h.
$(BUILD)/%.frags.bpf.o: %.bpf.c $(BUILD)/.deps-checked
	$(call compile_bpf,-DLARCH_FRAGS)

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@.tmp && mv $@.tmp $@

$(BUILD)/%.o: %.c $(BUILD)/.deps-checked | $(skeletons)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -c $< -o $@

$(BUILD)/liblarch.a: $(call objects,$(modules))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# The one program that speaks HTTP.
$(BUILD)/larch-prober: LDLIBS += $(shell pkg-config --libs libcurl 2>/dev/null) -lresolv

$(BUILD)/%: $(BUILD)/user/%.o $(BUILD)/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A tool is tools/NAME.c, and for the larger ones tools/NAME_*.c, with tools/lib/*.c.
$(BUILD)/liblab.a: $(call objects,$(wildcard tools/lib/*.c))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

define tool_rule
$(BUILD)/$(1): $(call objects,$(wildcard tools/$(1).c tools/$(1)_*.c)) $(BUILD)/liblab.a $(BUILD)/liblarch.a
	$$(call say,LD,$$@)
	$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach tool,$(tools),$(eval $(call tool_rule,$(tool))))

# The simulator's parts are tested like a library.
$(BUILD)/libsim.a: $(call objects,$(wildcard tools/sim_*.c))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# Its scenarios are part of it.
$(BUILD)/tools/sim_builtin.o: $(wildcard tools/scenarios/*.yaml)

$(BUILD)/larch-sim: $(BUILD)/tools/sim.o $(BUILD)/libsim.a $(BUILD)/liblab.a $(BUILD)/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The high-availability test, and beside it its lab and scenarios, as they are installed.
$(BUILD)/libhatest.a: $(call objects,$(wildcard tools/hatest_*.c))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/larch-hatest: $(BUILD)/tools/hatest.o $(BUILD)/libhatest.a $(BUILD)/liblab.a $(BUILD)/liblarch.a $(hatest_parts:%=$(BUILD)/hatest/%)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LDLIBS)

$(BUILD)/hatest/%: tools/hatest/%
	$(Q)mkdir -p $(@D) && cp $< $@

$(BUILD)/hatest/%.sh: tools/%.sh
	$(Q)mkdir -p $(@D) && cp $< $@

$(BUILD)/unit-tests: $(call objects,$(unit)) $(BUILD)/libhatest.a $(BUILD)/libsim.a $(BUILD)/liblab.a $(BUILD)/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

$(BUILD)/packet-tests: $(call objects,$(packet)) $(BUILD)/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion

$(BUILD)/print_tree: $(BUILD)/tests/oracle/print_tree.o $(BUILD)/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

include tests/fuzz/rules.mk

fuzzers: $(BUILD)/fuzz_config $(BUILD)/fuzz_packet $(BUILD)/damage_config ## build the fuzzers

tests: all $(BUILD)/unit-tests $(BUILD)/packet-tests $(BUILD)/print_tree ## build the tests

check: deps ## run all tests (as root)
	$(Q)$(MAKE) --no-print-directory tests fuzzers lint
	$(Q)BUILD=$(BUILD) tests/run

check-kernels: PACKAGES += $(KERNELS_PACKAGES)
check-kernels: deps ## packet tests and the verifier's counts on each of KERNELS, in virtual machines
	$(Q)$(MAKE) --no-print-directory tests
	$(Q)BUILD=$(BUILD) tools/check-kernels $(if $(KERNELS),--kernels "$(KERNELS)") $(bpf) $(BUILD)/health.bpf.o

fuzz: deps ## fuzz configuration and data path for FUZZ_SECONDS (600)
	$(Q)$(MAKE) --no-print-directory fuzzers
	$(Q)BUILD=$(BUILD) tests/fuzz/run $(FUZZ_SECONDS)

demo: deps ## real traffic in network namespaces: see Larch learn, in under 3 minutes
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tools/demo

bench: deps ## ns per packet, ratios to other balancers, and what a tick costs
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory deps PACKAGES="$(BENCH_PACKAGES)" || echo "bench: goes on without them" >&2
	$(Q)BUILD=$(BUILD) tools/run-bench

lab-compare: deps ## real traffic through Larch, HAProxy and nginx: build/lab.json, in 11 minutes
	$(Q)$(MAKE) --no-print-directory all
	$(Q)BUILD=$(BUILD) tools/compare-lab

hatest: deps ## what clients see while things go wrong: build/hatest.html, hatest.json, in 10 minutes
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(BUILD)/larch-hatest --against haproxy,nginx --json $(BUILD)/hatest.json --html $(BUILD)/hatest.html all

sim: $(BUILD)/larch-sim ## Larch and its rivals in a simulated world: build/sim.json, build/sim.svg
	$(Q)$(BUILD)/larch-sim --jobs 2 --seeds 3 --json $(BUILD)/sim.json --svg $(BUILD)/sim.svg \
		all:all class,mix:oracle,larch,larch_pooled,least_in_flight,p2c_ewma:4,16

lint: ## format, layering, shell syntax
	$(Q)tools/lint

format: ## format the sources
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h' ':!vmlinux')

vmlinux: ## regenerate vmlinux/vmlinux.h from the running kernel
	$(Q)vmlinux/generate.sh

install: all ## install under PREFIX (/usr/local), honouring DESTDIR
	$(Q)install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/lib/larch $(DESTDIR)$(PREFIX)/share/doc/larch
	$(Q)install -m 755 $(programs:%=$(BUILD)/%) $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 644 $(bpf) $(DESTDIR)$(PREFIX)/lib/larch
	$(Q)install -d $(DESTDIR)$(PREFIX)/lib/larch/hatest
	$(Q)install -m 755 $(BUILD)/larch-hatest $(DESTDIR)$(PREFIX)/sbin
	$(Q)install -m 755 $(hatest_tools:%=$(BUILD)/%) $(BUILD)/hatest/lab $(DESTDIR)$(PREFIX)/lib/larch/hatest
	$(Q)install -m 644 $(filter %.sh %.yaml,$(hatest_parts:%=$(BUILD)/hatest/%)) $(BUILD)/pass.bpf.o $(DESTDIR)$(PREFIX)/lib/larch/hatest
	$(Q)ln -sf ../../../sbin/larchd ../../../sbin/larchctl ../agent.bpf.o $(DESTDIR)$(PREFIX)/lib/larch/hatest
	$(Q)install -m 644 README.md LICENSE tools/examples/larch.yaml tools/examples/bird.conf $(DESTDIR)$(PREFIX)/share/doc/larch
	$(Q)sed 's|/usr/local|$(PREFIX)|' tools/examples/larchd.service >$(DESTDIR)$(PREFIX)/share/doc/larch/larchd.service

clean: ## remove what was built
	$(Q)rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  V=1 shows commands; BUILD=DIR, PREFIX=DIR, CC, CLANG choose places and compilers;"
	@echo "  KERNELS=\"6.1 6.12 running\" chooses kernels: series of Debian's, or the running one"

.PHONY: all deps build-deps tests fuzzers check check-kernels fuzz demo bench lab-compare hatest sim lint format vmlinux install \
	clean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
