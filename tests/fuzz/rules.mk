# SPDX-License-Identifier: BSD-2-Clause
# The fuzzers (clang's libFuzzer): user space under the address and undefined-behaviour sanitizers.
# The BPF sources are compiled as they are, for this machine, with tests/fuzz/stub before libbpf.

sanitize     := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# What is fuzzed tells libFuzzer which way it took; what surrounds it does not.
guided       := -fsanitize=fuzzer-no-link
fuzz_cflags   = -std=gnu11 -g -O1 -fno-strict-aliasing -MMD -MP -D_GNU_SOURCE -Wall -Wextra -Werror $(sanitize)
fuzz_user     = -Iinclude -Iuser -I$(BUILD) -DLARCH_VERSION='"$(VERSION)"'
# Packets begin anywhere: only here are words read where they lie.
fuzz_bpf     := -Itests/fuzz/stub -Ivmlinux -Iinclude -Ibpf -DBPF_NO_PRESERVE_ACCESS_INDEX \
	-fno-sanitize=alignment -fvisibility=hidden -Wno-missing-declarations
fuzz_modules := $(filter-out $(addprefix user/datapath,.c _adopt.c _directory.c _frags.c _health.c \
	_program.c) user/netlink%.c,$(modules))
fuzz_packet  := $(filter-out tests/fuzz/fuzz_config.c tests/fuzz/damage_config.c,$(wildcard tests/fuzz/*.c)) \
	$(addprefix tests/packet/,builder.c damage.c kinds.c reply.c verify.c verify_rewritten.c)
fuzz_objects  = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(1))

$(BUILD)/fuzz/user/%.o: user/%.c $(BUILD)/.deps-checked | $(skeletons)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(fuzz_cflags) $(guided) $(fuzz_user) -c $< -o $@

$(BUILD)/fuzz/tests/%.o: tests/%.c $(BUILD)/.deps-checked | $(skeletons)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(fuzz_cflags) -O2 -Itests/fuzz/stub $(fuzz_user) -Ibpf -c $< -o $@

# Functions of one program that another has, too, do not meet: only programs and maps are seen.
$(BUILD)/fuzz/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/.deps-checked
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(fuzz_cflags) -MF $@.d -MT $@ $(guided) $(fuzz_bpf) \
		-c $< -o $@.tmp
	$(Q)llvm-objcopy --localize-hidden $@.tmp $@ && rm $@.tmp

$(BUILD)/fuzz/liblarch.a: $(call fuzz_objects,$(fuzz_modules))
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz_config: $(call fuzz_objects,tests/fuzz/fuzz_config.c) $(BUILD)/fuzz/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(sanitize) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# No fuzzer, but it wants the same build.
$(BUILD)/damage_config: $(call fuzz_objects,tests/fuzz/damage_config.c) $(BUILD)/fuzz/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(sanitize) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz_packet: $(call fuzz_objects,$(fuzz_packet)) $(BUILD)/fuzz/bpf/larch.bpf.o \
		$(BUILD)/fuzz/bpf/agent.bpf.o $(BUILD)/fuzz/liblarch.a
	$(call say,LD,$@)
	$(Q)$(CLANG) $(sanitize) -fsanitize=fuzzer -o $@ $^ $(LDLIBS) -lcriterion
