/*-------------------------------------------------------------------------
 *
 * config.c
 *	  The settings of an account: kinds, sources, lists, blocked values.
 *
 * They are rows that the owner changes with ordinary SQL, and are read once
 * and kept.  A trigger on these tables sends an invalidation of the table
 * account, which the server delivers to every session with the commit, to
 * this one with the command, and back with a rollback.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pipeline.h"

typedef struct AccountEntry
{
	int			account_id;		/* hash key; must be first */
	bool		valid;
	LocalTransactionId only_in; /* of an old snapshot: not to be kept longer */
	MemoryContext context;		/* has all of config */
	CiConfig   *config;
} AccountEntry;

static HTAB *accounts = NULL;
static Oid	account_table = InvalidOid;

static CiStatement account_stmt = {
	.sql = "SELECT default_region,"
	" pg_catalog.ceil(EXTRACT(epoch FROM seen_interval) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8"
	" FROM contact_identity.account WHERE account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement kinds_stmt = {
	.sql = "SELECT kind, identifying, strength::pg_catalog.int4, normalizer, max_octets, channel"
	" FROM contact_identity.identifier_kind WHERE account_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY identifying DESC, strength, kind",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement sources_stmt = {
	.sql = "SELECT source, enabled, key_kind, makes, same_value, other_contact, mode, default_list"
	" FROM contact_identity.source WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY source",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement vias_stmt = {
	.sql = "SELECT source, via, kind"
	" FROM contact_identity.source_via WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY source, via",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement lists_stmt = {
	.sql = "SELECT list_id, name"
	" FROM contact_identity.list WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY list_id",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement declared_stmt = {
	.sql = "SELECT a.name, a.type, c.choice"
	" FROM contact_identity.attribute a LEFT JOIN LATERAL pg_catalog.unnest(a.choices) AS c (choice) ON true"
	" WHERE a.account_id OPERATOR(pg_catalog.=) $1 ORDER BY a.name",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement followed_stmt = {
	.sql = "SELECT relation::pg_catalog.oid::pg_catalog.int8, column_name"
	" FROM contact_identity.followed WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY relation, column_name",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

static CiStatement suppress_stmt = {
	.sql = "SELECT a.suppress_key, EXISTS (SELECT FROM contact_identity.suppressed s"
	" WHERE s.account_id OPERATOR(pg_catalog.=) $1)"
	" FROM contact_identity.account a WHERE a.account_id OPERATOR(pg_catalog.=) $1",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID},
	.sees_latest = true			/* [10.6] what is not to come back */
};

static CiStatement blocked_stmt = {
	.sql = "SELECT value"
	" FROM contact_identity.blocked_value WHERE account_id OPERATOR(pg_catalog.=) $1 ORDER BY value",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {INT4OID}
};

PG_FUNCTION_INFO_V1(ci_settings_changed);

/*
 * Trigger on the tables of settings: what sessions have kept of them is no
 * longer true.
 */
Datum
ci_settings_changed(PG_FUNCTION_ARGS)
{
	Oid			table = ci_table("account", true);

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "settings_changed")));
	if (OidIsValid(table))
		CacheInvalidateRelcacheByRelid(table);
	return PointerGetDatum(NULL);
}

/* Callback of the server: marks what is kept as out of date, nothing else. */
static void
forget_accounts(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	AccountEntry *entry;

	if (accounts == NULL || (OidIsValid(relid) && relid != account_table))
		return;
	hash_seq_init(&status, accounts);
	while ((entry = hash_seq_search(&status)) != NULL)
		entry->valid = false;
}

/* [7.5] Whether an account blocks a value, given in its folded form. */
static bool
is_blocked(void *arg, const char *folded)
{
	return hash_search((HTAB *) arg, &folded, HASH_FIND, NULL) != NULL;
}

static uint32
hash_string_pointer(const void *key, Size keysize)
{
	const char *string = *(const char *const *) key;

	return hash_bytes((const unsigned char *) string, (int) strlen(string));
}

static int
match_string_pointer(const void *a, const void *b, Size keysize)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static CiChannel
channel_of(const char *name)
{
	for (int channel = CI_CHANNEL_EMAIL; name != NULL && channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if (strcmp(name, ci_channel_name(channel)) == 0)
			return channel;
	}
	return CI_CHANNEL_NONE;
}

static void
read_kinds(CiConfig *config, Datum account)
{
	uint64		count = ci_run(&kinds_stmt, &account, NULL, true);

	if (count > CI_MAX_KINDS)
		ci_refuse(CI_TOO_LARGE, "account has too many kinds of identifiers",
				  psprintf("There may be up to %d in contact_identity.identifier_kind.", CI_MAX_KINDS));
	config->kinds = palloc0(sizeof(CiKind) * Max(count, 1));
	config->nkinds = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiKind	   *kind = &config->kinds[i];
		const char *normalizer = ci_get_text(row, 4);

		kind->name = ci_get_text(row, 1);
		kind->identifying = ci_get_bool(row, 2);
		kind->strength = ci_get_int32(row, 3);
		kind->normalizer = strcmp(normalizer, "email") == 0 ? CI_NORMALIZE_EMAIL :
			strcmp(normalizer, "phone") == 0 ? CI_NORMALIZE_PHONE : CI_NORMALIZE_EXACT;
		kind->max_octets = ci_get_int32(row, 5);
		kind->channel = channel_of(ci_get_optional_text(row, 6));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_sources(CiConfig *config, Datum account)
{
	uint64		count = ci_run(&sources_stmt, &account, NULL, true);

	config->sources = palloc0(sizeof(CiSource) * Max(count, 1));
	config->nsources = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiSource   *source = &config->sources[i];
		const char *key_kind = ci_get_optional_text(row, 3);
		const char *makes = ci_get_optional_text(row, 4);
		const char *other = ci_get_text(row, 6);

		source->name = ci_get_text(row, 1);
		source->enabled = ci_get_bool(row, 2);
		source->key_kind = key_kind == NULL ? NULL : ci_find_kind(config, key_kind);
		source->makes = makes == NULL ? CI_CLASS_NONE :
			strcmp(makes, "push") == 0 ? CI_CLASS_PUSH : CI_CLASS_CONVERSATIONS;
		source->primary_wins = strcmp(ci_get_text(row, 5), "primary_wins") == 0;
		source->other = strcmp(other, "conflict") == 0 ? CI_OTHER_CONFLICT :
			strcmp(other, "move") == 0 ? CI_OTHER_MOVE : CI_OTHER_REFUSE;
		source->claims = strcmp(ci_get_text(row, 7), "claim") == 0;
		source->default_list = ci_get_int32(row, 8);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_vias(CiConfig *config, Datum account)
{
	uint64		count = ci_run(&vias_stmt, &account, NULL, true);
	CiVia	   *vias = palloc0(sizeof(CiVia) * Max(count, 1));

	/* In order of source, so that each has its own in one piece. */
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		CiSource   *source = unconstify(CiSource *, ci_find_source(config, ci_get_text(row, 1)));

		vias[i].name = ci_get_text(row, 2);
		vias[i].kind = ci_find_kind(config, ci_get_text(row, 3));
		if (source == NULL)
			continue;
		if (source->nvias++ == 0)
			source->vias = &vias[i];
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_lists(CiConfig *config, Datum account)
{
	uint64		count = ci_run(&lists_stmt, &account, NULL, true);

	config->lists = palloc0(sizeof(CiList) * Max(count, 1));
	config->nlists = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		config->lists[i].list_id = ci_get_int32(SPI_tuptable->vals[i], 1);
		config->lists[i].name = ci_get_text(SPI_tuptable->vals[i], 2);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* [4.11] The declared attributes, a row for each choice of one. */
static void
read_declared(CiConfig *config, Datum account)
{
	uint64		count = ci_run(&declared_stmt, &account, NULL, true);
	CiDeclared *declared = NULL;

	config->declared = palloc0(sizeof(CiDeclared) * Max(count, 1));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		const char *name = ci_get_text(row, 1);
		const char *type = ci_get_text(row, 2);
		const char *choice = ci_get_optional_text(row, 3);

		if (declared == NULL || strcmp(declared->name, name) != 0)
		{
			declared = &config->declared[config->ndeclared++];
			declared->name = name;
			declared->type = type[0] == 't' ? CI_ATTRIBUTE_TEXT : type[0] == 'n' ? CI_ATTRIBUTE_NUMBER :
				type[0] == 'b' ? CI_ATTRIBUTE_BOOLEAN : type[0] == 'd' ? CI_ATTRIBUTE_DATE :
				CI_ATTRIBUTE_CHOICE;
			declared->choices = palloc(sizeof(char *) * count);
		}
		if (choice != NULL)
			declared->choices[declared->nchoices++] = ci_json_string(choice);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Whether the tables are those of 1.1.0: the newest column and the newest table
 * are asked for, since setup() makes all or nothing.
 */
bool
ci_has_1_1_tables(void)
{
	Oid			account = ci_table("account", true);

	return OidIsValid(account) && get_attnum(account, "purged_at") != InvalidAttrNumber &&
		OidIsValid(ci_table("followed_row", true));
}

/* Refuses what needs the tables of 1.1.0 where an earlier setup() made them. */
void
ci_require_1_1_tables(const CiConfig *config)
{
	if (!config->has_1_1_tables)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables of contact_identity are older than this function"),
				 errhint("Run SELECT contact_identity.setup() as the owner of the tables; it adds what is missing.")));
}

/* [10.8] The columns that merges re-point. */
static void
read_followed(CiConfig *config, Datum account)
{
	uint64		count;

	if (!config->has_1_1_tables)
		return;
	count = ci_run(&followed_stmt, &account, NULL, true);
	config->followed = palloc0(sizeof(CiFollowed) * Max(count, 1));
	config->nfollowed = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		config->followed[i].relation = (Oid) ci_get_int64(SPI_tuptable->vals[i], 1);
		config->followed[i].column = ci_get_text(SPI_tuptable->vals[i], 2);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* [10.6] Whether values are not to come back, and the key of their hashes. */
static void
read_suppressed(CiConfig *config, Datum account)
{
	bytea	   *key;

	if (!config->has_1_1_tables)
		return;
	ci_run(&suppress_stmt, &account, NULL, true);
	key = ci_get_bytea(SPI_tuptable->vals[0], 1);
	config->suppress_key_length = VARSIZE_ANY_EXHDR(key);
	config->suppress_key = palloc(config->suppress_key_length);
	memcpy(config->suppress_key, VARDATA_ANY(key), config->suppress_key_length);
	config->has_suppressed = ci_get_bool(SPI_tuptable->vals[0], 2);
	SPI_freetuptable(SPI_tuptable);
}

static HTAB *
read_blocked(Datum account)
{
	uint64		count = ci_run(&blocked_stmt, &account, NULL, true);
	HASHCTL		control = {
		.keysize = sizeof(char *),
		.entrysize = sizeof(char *),
		.hash = hash_string_pointer,
		.match = match_string_pointer,
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *blocked = hash_create("contact_identity blocked values", Max((long) count, 8), &control,
									  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);

	for (uint64 i = 0; i < count; i++)
	{
		char	   *folded = ci_blocked_form(ci_get_text(SPI_tuptable->vals[i], 1));

		(void) hash_search(blocked, &folded, HASH_ENTER, NULL);
	}
	SPI_freetuptable(SPI_tuptable);
	return blocked;
}

/*
 * Reads an account in a context of its own.  The settings are those of now,
 * as for every statement of the server.
 */
static void
read_account(AccountEntry *entry, int account_id)
{
	Datum		account = Int32GetDatum(account_id);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "contact_identity account",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	CiConfig   *config = palloc0(sizeof(CiConfig));

	config->account_id = account_id;
	config->has_1_1_tables = ci_has_1_1_tables();
	ci_push_snapshot();
	if (ci_run(&account_stmt, &account, NULL, true) == 0)
		ci_refuse(CI_INVALID, psprintf("account %d does not exist", account_id),
				  "Make it with contact_identity.create_account(), or choose another with the setting contact_identity.account_id.");
	config->region = ci_get_optional_text(SPI_tuptable->vals[0], 1);
	config->seen_interval = ci_get_int64(SPI_tuptable->vals[0], 2);
	SPI_freetuptable(SPI_tuptable);
	read_kinds(config, account);
	read_sources(config, account);
	read_vias(config, account);
	read_lists(config, account);
	read_declared(config, account);
	read_followed(config, account);
	read_suppressed(config, account);
	config->is_blocked = is_blocked;
	config->blocked_arg = read_blocked(account);
	PopActiveSnapshot();
	MemoryContextSwitchTo(caller);

	/* A call further up may still be using what was kept until now. */
	if (entry->context != NULL)
		MemoryContextSetParent(entry->context, TopTransactionContext);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->context = context;
	entry->config = config;
}

/*
 * The settings of an account, good until the end of the call.  SPI must be
 * connected and the owner be the current user.
 */
const CiConfig *
ci_get_config(int account_id)
{
	AccountEntry *entry;
	bool		found;

	if (accounts == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(int),
			.entrysize = sizeof(AccountEntry),
			.hcxt = TopMemoryContext
		};

		CacheRegisterRelcacheCallback(forget_accounts, (Datum) 0);
		accounts = hash_create("contact_identity accounts", 16, &control,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}

	/* A call that opens no table for the first time would not ask otherwise. */
	AcceptInvalidationMessages();
	entry = hash_search(accounts, &account_id, HASH_FIND, NULL);
	if (entry != NULL && entry->valid &&
		(entry->only_in == InvalidLocalTransactionId || entry->only_in == CI_LOCAL_XID))
		return entry->config;

	entry = hash_search(accounts, &account_id, HASH_ENTER, &found);
	if (!found)
		memset((char *) entry + sizeof(int), 0, sizeof(AccountEntry) - sizeof(int));

	/*
	 * It is valid from here on: an invalidation that arrives while the tables
	 * are read, or an error, takes that back.
	 */
	account_table = ci_table("account", false);
	entry->valid = true;
	PG_TRY();
	{
		read_account(entry, account_id);
	}
	PG_CATCH();
	{
		entry->valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	entry->only_in = IsolationUsesXactSnapshot() ? CI_LOCAL_XID : InvalidLocalTransactionId;
	return entry->config;
}

/* The name of a list, or NULL where it was removed. */
const char *
ci_list_name(const CiConfig *config, int list_id)
{
	for (int i = 0; i < config->nlists; i++)
	{
		if (config->lists[i].list_id == list_id)
			return config->lists[i].name;
	}
	return NULL;
}

/* The account that a call means: its argument, or the setting. */
int
ci_account_argument(FunctionCallInfo fcinfo, int argno)
{
	int			account_id = PG_ARGISNULL(argno) ? ci_setting_account_id : PG_GETARG_INT32(argno);

	if (account_id <= 0)
		ci_refuse(CI_INVALID, "account_id must be greater than 0", NULL);
	return account_id;
}

/*
 * The module for telephone numbers, loaded when it is first needed; NULL where
 * it is not installed.
 */
static const CiPhoneLibrary *
phone_library(void)
{
	static const CiPhoneLibrary *library = NULL;
	const CiPhoneLibrary *(*volatile get_library) (void) = NULL;
	MemoryContext context = CurrentMemoryContext;

	if (library != NULL)
		return library;
	PG_TRY();
	{
		get_library = (const CiPhoneLibrary *(*) (void))
			load_external_function("$libdir/contact_identity_phone", "ci_phone_library", false, NULL);
	}
	PG_CATCH();
	{
		/* Looking for a file leaves nothing to be cleaned up. */
		if (geterrcode() != ERRCODE_UNDEFINED_FILE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	if (get_library != NULL)
		library = get_library();
	return library;
}

/* RULES 7 for one value of a kind, as an account has set it. */
bool
ci_normalize_identifier(const CiConfig *config, const CiKind *kind,
						const char *input, CiNormalized *out, CiError *err)
{
	CiNormalizeRules rules = {
		.how = kind->normalizer,
		.field = kind->name,
		.max_octets = kind->max_octets,
		.region = config->region,
		.is_blocked = config->is_blocked,
		.blocked_arg = config->blocked_arg
	};

	if (kind->normalizer == CI_NORMALIZE_PHONE)
		rules.phone = phone_library();
	return ci_normalize_value(&rules, input, out, err);
}
