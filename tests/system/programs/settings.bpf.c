// SPDX-License-Identifier: MIT
// Constants and configuration: what the code does depends on them. What only `mode` 1 does is nothing that a
// process can do.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

const volatile int mode = 1;
const volatile short offset = 5;
const volatile char name[8] = "none";
const volatile _Bool loud = 0;
int counter = 0;

SEC("uprobe")
int gated(struct pt_regs *ctx) {
  if (mode == 1)
    return bpf_skb_cgroup_classid((void *)ctx); // helper of packets
  bpf_printk("mode %d offset %d name %s", mode, offset, (const char *)name);
  if (loud)
    bpf_printk("loud");
  counter++;
  return 0;
}

SEC("uprobe")
int open(struct pt_regs *ctx) {
  bpf_printk("open: offset %d", offset);
  return 0;
}

#ifdef CONFIGURATION
extern int LINUX_KERNEL_VERSION __kconfig;
extern unsigned CONFIG_HZ __kconfig;
extern _Bool CONFIG_SMP __kconfig;
extern enum libbpf_tristate CONFIG_MODULE_THING __kconfig __weak;
extern char CONFIG_LETTER __kconfig __weak;
extern char CONFIG_TEXT[16] __kconfig __weak;
extern unsigned long CONFIG_NOBODY_SAYS __kconfig __weak;

SEC("uprobe")
int configured(struct pt_regs *ctx) {
  bpf_printk("version %x hz %d", LINUX_KERNEL_VERSION, CONFIG_HZ);
  bpf_printk("smp %d module %d letter %d", CONFIG_SMP, CONFIG_MODULE_THING, CONFIG_LETTER);
  bpf_printk("text %s nobody %lu", CONFIG_TEXT, CONFIG_NOBODY_SAYS);
  if (!CONFIG_SMP)
    return bpf_skb_cgroup_classid((void *)ctx);
  return 0;
}

extern int bpf_nobody_has_this(int number) __ksym __weak;
extern const int no_variable __ksym __weak;
extern const void nothing_typed __ksym __weak;

SEC("uprobe")
int absent_symbols(struct pt_regs *ctx) {
  if (bpf_nobody_has_this)
    return bpf_nobody_has_this(1) + no_variable;
  bpf_printk("symbols %d %d", &no_variable != 0, &nothing_typed != 0);
  return 0;
}
#endif

#ifdef STRONG
extern int bpf_nobody_has_this_either(int number) __ksym;
SEC("uprobe")
int strong_function(struct pt_regs *ctx) { return bpf_nobody_has_this_either(1); }
#endif

char LICENSE[] SEC("license") = "GPL";
