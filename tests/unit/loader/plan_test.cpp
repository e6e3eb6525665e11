// SPDX-License-Identifier: MIT
//
// Binaries of a stopped process and plans for it: locations against symbol tables, refusals, and
// what must hold for every site of the C library.
#include "loader/dynlink.h"
#include "loader/modules.h"
#include "loader/plan.h"
#include "targets/target.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <csignal>
#include <sys/wait.h>

namespace bpfaot::loader {
namespace {

// /bin/true at the dynamic linker's first consistent state; killed at the end.
class PlanTest : public testing::Test {
protected:
  void SetUp() override {
    patcher_ = targets::find_patcher(targets::host().e_machine);
    if (patcher_ == nullptr) {
      GTEST_SKIP() << "code of this machine cannot be patched";
    }
    Result<Process> process = Process::start({"/bin/true"}, *patcher_);
    if (!process) {
      GTEST_SKIP() << "no process can be traced here: " << process.error().message;
    }
    process_ = std::make_unique<Process>(std::move(*process));
    const Result<Startup> startup = run_to_consistent(*process_);
    ASSERT_TRUE(startup) << startup.error().message;
    ASSERT_EQ(*startup, Startup::consistent);
    Result<Modules> modules = Modules::read(*process_);
    ASSERT_TRUE(modules);
    modules_ = std::make_unique<Modules>(std::move(*modules));
  }
  void TearDown() override {
    if (process_) {
      kill(process_->pid(), SIGKILL);
      process_->detach();
      waitpid(process_->pid(), nullptr, 0);
    }
  }

  static ProbeWish wish(const std::string& path, const std::string& symbol, bool is_return = false, uint64_t offset = 0) {
    ProbeWish wish;
    wish.spec = {"program", is_return, path, symbol, offset};
    return wish;
  }
  Plan plan(const std::vector<ProbeWish>& wishes) { return make_plan(*process_, *modules_, *patcher_, wishes); }
  std::string code(const ProbeWish& one) {
    const Plan made = plan({one});
    return made.rows[0].refusal ? std::string(code_text(made.rows[0].refusal->code)) : "attach";
  }

  const targets::Patcher* patcher_ = nullptr;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Modules> modules_;
};

TEST_F(PlanTest, FindsALibraryByPathSonameAndBareName) {
  const Result<const Module*> bare = modules_->find("libc");
  const Result<const Module*> soname = modules_->find("libc.so.6");
  ASSERT_TRUE(bare && soname);
  EXPECT_EQ(*bare, *soname);
  const Result<const Module*> path = modules_->find((*bare)->path());
  ASSERT_TRUE(path);
  EXPECT_EQ(*path, *bare);
  EXPECT_TRUE(modules_->is_mapped("libc.so.6"));
  EXPECT_FALSE(modules_->is_mapped("libm.so.6"));
  const Result<const Module*> absent = modules_->find("/no/such/library.so");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Code::kAttachFile);
}

TEST_F(PlanTest, UnwindTablesAndSymbolsAgreeWhereFunctionsBegin) {
  const Module* libc = *modules_->find("libc");
  size_t compared = 0, same = 0;
  libc->elf().for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.is_defined() && symbol.type == STT_FUNC && symbol.size != 0) {
      if (const std::optional<FunctionExtent> extent = unwind_extent(libc->elf(), symbol.value)) {
        ++compared;
        same += extent->vaddr == symbol.value;
      }
    }
    return true;
  });
  EXPECT_GT(compared, 1000u);
  EXPECT_GT(same * 100, compared * 97); // a few symbols lie inside another function
}

TEST_F(PlanTest, RefusesWhatCannotBeDone) {
  EXPECT_EQ(code(wish("libc", "malloc")), "attach");
  EXPECT_EQ(code(wish("libc", "malloc", true)), "attach");
  EXPECT_EQ(code(wish("libc", "no_such_function_here")), "symbol-not-found");
  EXPECT_EQ(code(wish("libnothing", "malloc")), "attach-file");
  EXPECT_EQ(code(wish("libc", "_setjmp")), "attach");
  for (const char* function : {"_setjmp", "__sigsetjmp", "getcontext", "vfork", "dlsym", "dlopen"}) {
    EXPECT_EQ(code(wish("libc", function, true)), "attach-declined") << function;
  }
  EXPECT_EQ(code(wish("libc", "malloc", false, 1u << 28)), "attach-decode");
  EXPECT_EQ(code(wish("libc", "", false, 16)), "attach-decode"); // the file's header
}

TEST_F(PlanTest, ReturnProbesBringGuardsForUnwinders) {
  const Plan entry = plan({wish("libc", "malloc")});
  EXPECT_EQ(entry.sites.size(), 1u);
  const Plan both = plan({wish("libc", "malloc"), wish("libc", "malloc", true)});
  ASSERT_GT(both.sites.size(), 1u);
  EXPECT_EQ(both.sites[0].programs.size(), 2u);
  EXPECT_TRUE(both.sites[1].sweeps);
}

TEST_F(PlanTest, AFileOffsetAndASymbolNameTheSamePlace) {
  const Module* libc = *modules_->find("libc");
  const Result<ElfSymbol> symbol = libc->elf().find_function("free");
  ASSERT_TRUE(symbol);
  const uint64_t offset = *libc->elf().offset_of_vaddr(symbol->value);
  const Plan made = plan({wish("libc", "free"), wish("libc", "", false, offset)});
  EXPECT_EQ(made.refused(), 0u);
  ASSERT_EQ(made.sites.size(), 1u);
  EXPECT_EQ(made.sites[0].programs.size(), 2u);
}

TEST_F(PlanTest, TheStateInMemoryMustBeThatOfTheFile) {
  const Plan before = plan({wish("libc", "malloc")});
  ASSERT_EQ(before.sites.size(), 1u);
  ASSERT_TRUE(process_->write(before.sites[0].cover.patch_pc, patcher_->breakpoint_insn));
  EXPECT_EQ(code(wish("libc", "malloc")), "attach-breakpoint");
  std::vector<uint8_t> other = before.sites[0].original;
  other.back() ^= 0x10;
  ASSERT_TRUE(process_->write(before.sites[0].cover.patch_pc, other));
  EXPECT_EQ(code(wish("libc", "malloc")), "attach-bytes");
}

TEST_F(PlanTest, NearlyEveryFunctionOfTheCLibraryCanBeProbed) {
  const Module* libc = *modules_->find("libc");
  std::vector<ProbeWish> wishes;
  libc->elf().for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.is_defined() && symbol.is_function() && symbol.size != 0) {
      wishes.push_back(wish("libc", std::string(symbol.name)));
    }
    return true;
  });
  const Plan made = plan(wishes);
  EXPECT_GT(made.rows.size(), 1500u);
  EXPECT_LT(made.refused() * 50, made.rows.size());
  std::vector<std::pair<uint64_t, uint64_t>> taken;
  for (const PlannedSite& site : made.sites) {
    ASSERT_FALSE(site.cover.starts.empty());
    EXPECT_EQ(site.cover.starts[0], 0);
    EXPECT_EQ(site.original.size(), site.cover.size);
    taken.push_back({site.cover.patch_pc, site.cover.patch_pc + site.cover.size});
    if (site.gap != 0) {
      taken.push_back({site.gap, site.gap + site.gap_bytes.size()});
    } else {
      EXPECT_GE(site.cover.size, patcher_->jump_size);
    }
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); ++i) {
    EXPECT_LE(taken[i - 1].second, taken[i].first) << "two sites share bytes";
  }
}

} // namespace
} // namespace bpfaot::loader
