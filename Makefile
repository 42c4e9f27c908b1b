# contact_identity: see README.md. `make demo` and `make test` need nothing but
# a Debian machine; everything else is PGXS's.
EXTENSION = contact_identity
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

MODULE_big = contact_identity
OBJS = $(patsubst %.c,%.o,$(filter-out src/phone_module.c,$(wildcard src/*.c)))
SHLIB_LINK += -lidn2 -lunistring
PG_CFLAGS += -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
PG_CPPFLAGS += -DCI_VERSION='"$(EXTVERSION)"'

# The scripts of the version under development: the one that installs it is its
# parts, joined in this order; the one that leads there from the last release
# is what that had otherwise (changes.sql), and all functions again.
RELEASED = 1.0.0
SQL_FUNCTIONS = $(addprefix sql/parts/,functions.sql inbox.sql attach.sql follow.sql reading.sql preview.sql \
	past.sql views.sql setup.sql)
SQL_PARTS = $(addprefix sql/parts/,guard.sql types.sql) $(SQL_FUNCTIONS) sql/parts/grants.sql
INSTALL_SQL = sql/$(EXTENSION)--$(EXTVERSION).sql
UPDATE_SQL = sql/$(EXTENSION)--$(RELEASED)--$(EXTVERSION).sql
DATA = $(filter-out $(INSTALL_SQL) $(UPDATE_SQL),$(wildcard sql/$(EXTENSION)--*.sql))
DATA_built = $(INSTALL_SQL) $(UPDATE_SQL)

# install makes the extension, setup() its tables; the rest is a subject each.
REGRESS = $(shell cat test/schedule)
REGRESS_OPTS = --inputdir=test
# Those of each pair in each level are test/levels/run's: they take minutes.
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/[!l]*.spec test/isolation/specs/l[!e]*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=$(EXTENSION)

PHONE = contact_identity_phone
PHONE_OBJS = src/phone.o src/phone_module.o
HOST_TESTS = $(patsubst test/host/%.c,build/host/%,$(wildcard test/host/test_*.c))
FUZZERS = normalize resolver
EXTRA_CLEAN = build tmp_install $(PHONE).so $(PHONE_OBJS)

# The two commands of the README: they need no configured server, nor PGXS.
ifneq ($(filter demo test soak bench,$(MAKECMDGOALS)),)
.PHONY: demo test soak bench
demo:
	@scripts/throwaway scripts/demo
test:
	@scripts/throwaway scripts/test
soak:
	@scripts/throwaway scripts/soak $(SUITES)
bench:
	@scripts/install-packages gnuplot-nox valgrind
	@scripts/throwaway bench/run long $(BENCH)
else

# Inlining our functions into other people's queries gains nothing.
override with_llvm = no
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(INSTALL_SQL): $(SQL_PARTS) $(EXTENSION).control
	cat $(SQL_PARTS) > $@
# Replaced functions keep their rights; only members of the extension are.
$(UPDATE_SQL): $(SQL_PARTS) sql/parts/changes.sql $(EXTENSION).control
	{ sed 's/"CREATE EXTENSION $(EXTENSION)"/"ALTER EXTENSION $(EXTENSION) UPDATE"/' sql/parts/guard.sql; \
	  cat sql/parts/changes.sql; \
	  sed -E 's/^CREATE (FUNCTION|PROCEDURE) /CREATE OR REPLACE \1 /' $(SQL_FUNCTIONS); \
	  cat sql/parts/grants.sql; } > $@
$(OBJS) $(PHONE_OBJS): $(wildcard src/*.h)
src/statement.o: $(EXTENSION).control

# libphonenumber is C++; in a module of its own it costs nothing until the
# first number arrives.
ifneq ($(wildcard src/phone.cc),)
all: $(PHONE).so
install: install-phone
endif
src/phone.o: src/phone.cc
	$(CXX) -std=c++17 -O2 -g -Wall -Wextra -fPIC -fvisibility=hidden $(COPT) -c -o $@ $<
$(PHONE).so: $(PHONE_OBJS)
	$(CXX) -shared -o $@ $(PHONE_OBJS) -lphonenumber $(LDFLAGS)
.PHONY: install-phone
install-phone: $(PHONE).so
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) $(PHONE).so '$(DESTDIR)$(pkglibdir)/'

# The pure parts, built as programs of their own under both sanitizers.
HOST_SRC = src/normalize.c src/declared.c src/resolver.c src/distinct.c src/unmerge.c src/world.c
HOST_CFLAGS = -DFRONTEND -g -O1 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -fsanitize=address,undefined -fno-sanitize-recover=all \
	-Isrc -Itest/host -I$(shell $(PG_CONFIG) --includedir-server)
HOST_LIBS = src/phone.o -L$(shell $(PG_CONFIG) --pkglibdir) \
	-lpgcommon -lpgport -lidn2 -lunistring -lphonenumber -lstdc++ -lm
HOST_HEADERS = $(wildcard src/*.h test/host/*.h test/fuzz/*.h)
HOST_PARTS = $(HOST_SRC:.c=.o) test/host/memory.o
HOST_OBJS = $(addprefix build/host/,$(HOST_PARTS))
build/host/%.o: %.c $(HOST_HEADERS)
	@$(MKDIR_P) $(@D)
	$(CC) $(HOST_CFLAGS) -c -o $@ $<
build/host/%: build/host/test/host/%.o $(HOST_OBJS) src/phone.o
	$(CC) $(HOST_CFLAGS) -o $@ $< $(HOST_OBJS) $(HOST_LIBS)
.PHONY: host-tests replayers fuzzers
host-tests: $(HOST_TESTS)

# The same parts fed with bytes, for test/fuzz/run. Those that replay need
# nothing more; those that look for new input need the compiler that comes with
# the server's headers, for its libFuzzer.
FUZZ_OBJS = $(addprefix build/fuzz/,$(HOST_PARTS))
build/replay/%: build/host/test/fuzz/%.o build/host/test/fuzz/replay.o $(HOST_OBJS) src/phone.o
	@$(MKDIR_P) $(@D)
	$(CC) $(HOST_CFLAGS) -o $@ $(filter build/%,$^) $(HOST_LIBS)
build/fuzz/%.o: %.c $(HOST_HEADERS)
	@$(MKDIR_P) $(@D)
	$(CLANG) $(HOST_CFLAGS) -Wno-ignored-attributes -fsanitize=fuzzer-no-link -c -o $@ $<
build/fuzz/%: build/fuzz/test/fuzz/%.o $(FUZZ_OBJS) src/phone.o
	$(CLANG) $(HOST_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJS) $(HOST_LIBS)
# The reader of jsonb is fed within a server, by a module that is not installed.
READER = src/attribute.c src/batch.c test/fuzz/request.c
build/module/src/%.o: COVERAGE = -fsanitize-coverage=trace-pc
build/module/%.o: %.c $(HOST_HEADERS)
	@$(MKDIR_P) $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_SL) -O1 -Werror -DUSE_ASSERT_CHECKING -fsanitize=undefined -fno-sanitize-recover=all \
		$(COVERAGE) -Isrc $(CPPFLAGS) -c -o $@ $<
build/module/fuzz_request.so: $(READER:%.c=build/module/%.o)
	$(CC) $(CFLAGS) -shared -fsanitize=undefined -Wl,-Bsymbolic -o $@ $^
replayers: build/module/fuzz_request.so
replayers: $(addprefix build/replay/,$(FUZZERS))
fuzzers: $(addprefix build/fuzz/,$(FUZZERS))
.SECONDARY: $(HOST_OBJS) $(FUZZ_OBJS)
endif
