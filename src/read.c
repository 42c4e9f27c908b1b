/*-------------------------------------------------------------------------
 *
 * read.c
 *	  Functions that look up contacts: resolve, find, contact_panel.
 *
 * They see the caller's snapshot and write nothing.  Their statements name
 * operators and functions without a schema, since each function has
 * pg_catalog as its search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "config.h"
#include "statement.h"

/*
 * The live contact that the row o leads to [6.3].  OFFSET 0 keeps the planner
 * from reading all contacts to find the one, whatever it takes the size of the
 * table to be.
 */
#define LIVE_CONTACT \
	"LATERAL (SELECT l.contact_id FROM contact_identity.contact l" \
	" WHERE l.account_id = o.account_id AND l.contact_id = coalesce(o.survivor_id, o.contact_id)" \
	" AND l.state IN ('anonymous', 'identified') OFFSET 0) live"

static CiStatement accounts_stmt = {
	.sql = "SELECT ARRAY(SELECT account_id FROM contact_identity.account ORDER BY account_id)",
	.expected = SPI_OK_SELECT
};

static CiStatement resolve_stmt = {
	.sql = "SELECT live.contact_id FROM contact_identity.contact o CROSS JOIN " LIVE_CONTACT
	" WHERE o.account_id = $1 AND o.contact_id = $2",
	.expected = SPI_OK_SELECT,
	.nargs = 2,
	.argtypes = {INT4OID, INT8OID}
};

#define FIND_OWNER \
	"SELECT i.contact_id FROM contact_identity.identifier i" \
	" WHERE i.account_id = $1 AND i.kind = $2 AND i.value = $3 AND NOT i.parked"

static CiStatement find_stmt = {
	.sql = FIND_OWNER,
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTOID, TEXTOID}
};

static CiStatement find_secondary_stmt = {
	.sql = FIND_OWNER
	" UNION SELECT v.contact_id FROM contact_identity.conflict v"
	" WHERE v.account_id = $1 AND v.field_type = 'identifier' AND v.field = $2"
	" AND v.secondary_value = to_jsonb($3) AND v.status = 'open'"
	" ORDER BY 1",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTOID, TEXTOID}
};

static CiStatement panel_stmt = {
	.sql = "WITH field AS ("
	"SELECT 'identifier' AS field_type, i.kind AS field, to_jsonb(i.value) AS value"
	" FROM contact_identity.identifier i"
	" WHERE i.account_id = $1 AND i.contact_id = $2 AND i.is_primary"
	" UNION ALL SELECT 'attribute', a.key COLLATE \"C\", a.value"
	" FROM contact_identity.contact c CROSS JOIN LATERAL jsonb_each(c.attributes) a"
	" WHERE c.account_id = $1 AND c.contact_id = $2"
	"), open AS ("
	"SELECT v.conflict_id, v.field_type, v.field, v.secondary_value, v.source, v.via, v.key, v.given_at,"
	" (SELECT nullif(live.contact_id, v.contact_id) FROM contact_identity.contact o CROSS JOIN " LIVE_CONTACT
	" WHERE o.account_id = $1 AND o.contact_id = v.owner_contact_id) AS owner_contact_id"
	" FROM contact_identity.conflict v"
	" WHERE v.account_id = $1 AND v.contact_id = $2 AND v.status = 'open'"
	/* the key of a merge's conflict is a contact's number */
	" AND ($3 IS NULL OR (v.key = $3 AND v.source <> 'merge'))"
	") SELECT n.field_type, n.field, f.value, v.secondary_value, v.conflict_id,"
	" v.owner_contact_id, v.source, v.via, v.key, v.given_at"
	" FROM (SELECT field_type, field FROM field UNION SELECT field_type, field FROM open) n"
	" LEFT JOIN field f ON f.field_type = n.field_type AND f.field = n.field"
	" LEFT JOIN open v ON v.field_type = n.field_type AND v.field = n.field"
	" LEFT JOIN contact_identity.identifier_kind k"
	" ON k.account_id = $1 AND k.kind = n.field AND n.field_type = 'identifier'"
	" ORDER BY n.field_type DESC, k.strength, n.field, v.conflict_id",
	.expected = SPI_OK_SELECT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, TEXTOID}
};

/* The live contact that an id of an account leads to, or 0. */
static int64
live_contact(int account_id, int64 contact_id)
{
	Datum		values[2] = {Int32GetDatum(account_id), Int64GetDatum(contact_id)};
	int64		live = 0;

	if (ci_run(&resolve_stmt, values, NULL, true) > 0)
		live = ci_get_int64(SPI_tuptable->vals[0], 1);
	SPI_freetuptable(SPI_tuptable);
	return live;
}

PG_FUNCTION_INFO_V1(ci_readable_accounts);

/*
 * readable_accounts(): for every query on a view this is asked once for each
 * table in it.
 */
Datum
ci_readable_accounts(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	CiCaller	caller;
	Datum		result;
	bool		isnull;

	ci_become_owner(&caller);
	SPI_connect();
	ci_run(&accounts_stmt, NULL, NULL, true);
	result = ci_get_datum(SPI_tuptable->vals[0], 1, INT4ARRAYOID, &isnull);
	MemoryContextSwitchTo(context);
	result = PointerGetDatum(PG_DETOAST_DATUM_COPY(result));
	SPI_finish();
	ci_become_caller(&caller);
	PG_RETURN_DATUM(result);
}

PG_FUNCTION_INFO_V1(ci_resolve);

/* resolve(contact_id, account_id) */
Datum
ci_resolve(PG_FUNCTION_ARGS)
{
	CiCaller	caller;
	int64		live;
	int			account_id = ci_account_argument(fcinfo, 1);

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	ci_become_owner(&caller);
	SPI_connect();
	live = live_contact(account_id, PG_GETARG_INT64(0));
	SPI_finish();
	ci_become_caller(&caller);
	if (live == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(live);
}

PG_FUNCTION_INFO_V1(ci_find);

/* find(kind, value, secondary, account_id) */
Datum
ci_find(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 3);
	CiStatement *stmt = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2) ? &find_secondary_stmt : &find_stmt;
	Datum		values[3] = {Int32GetDatum(account_id)};
	const CiConfig *config;
	const CiKind *kind;
	CiCaller	caller;
	CiNormalized normalized;
	CiError		err = {CI_OK};

	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "kind must not be null", NULL);
	if (PG_ARGISNULL(1))
		ci_refuse(CI_INVALID, "value must not be null", NULL);

	/* The value lives in SPI's memory until it has been looked up. */
	ci_become_owner(&caller);
	SPI_connect();
	config = ci_get_config(account_id);
	kind = ci_find_kind(config, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (kind == NULL)
		ci_refuse(CI_INVALID, "unknown kind of identifier",
				  "The kinds are the rows of contact_identity.identifier_kind.");
	if (!ci_normalize_identifier(config, kind, text_to_cstring(PG_GETARG_TEXT_PP(1)), &normalized, &err))
		ci_report_error(&err);
	values[1] = CStringGetTextDatum(kind->name);
	values[2] = CStringGetTextDatum(normalized.value);
	ci_return_rows(fcinfo, stmt, values, NULL);
	SPI_finish();
	ci_become_caller(&caller);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(ci_contact_panel);

/* contact_panel(contact_id, key, account_id) */
Datum
ci_contact_panel(PG_FUNCTION_ARGS)
{
	int			account_id = ci_account_argument(fcinfo, 2);
	Datum		values[3] = {Int32GetDatum(account_id), 0, PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1)};
	const char	nulls[] = {' ', ' ', PG_ARGISNULL(1) ? 'n' : ' ', '\0'};
	CiCaller	caller;
	int64		live;

	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "contact_id must not be null", NULL);
	ci_become_owner(&caller);
	SPI_connect();
	live = live_contact(account_id, PG_GETARG_INT64(0));
	if (live == 0)
		ci_refuse(CI_NOT_FOUND, psprintf("contact " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
				  "It was never there in this account, or was erased.");
	values[1] = Int64GetDatum(live);
	ci_return_rows(fcinfo, &panel_stmt, values, nulls);
	SPI_finish();
	ci_become_caller(&caller);
	return (Datum) 0;
}
