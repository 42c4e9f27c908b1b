/*-------------------------------------------------------------------------
 *
 * apply.c
 *	  Writes the changes of a working set to the tables, set by set.
 *
 * New identifiers are claimed before anything else is written, in the order
 * of (kind, value), and only then values are freed.  History, counts and
 * conflicts are rows that are written like all others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "lookup.h"
#include "pipeline.h"

/*
 * Rows whose values are large are written when there are so many bytes of
 * them.  An array may not have more than 1 GB.
 */
#define CHUNK_BYTES ((Size) 16 * 1024 * 1024)

/* The changes of one request are written together, if they are no more rows. */
#define MAX_ROWS_TOGETHER 64

/* What is being written, and in which statements. */
typedef struct Apply
{
	CiWorld    *world;
	CiIdentifier **identifiers; /* whose rows change, in order of (kind, value) */
	int			nidentifiers;
	HTAB	   *primaries;		/* see primaries_before */
	CiBundle	bundle;
} Apply;

/* Adds a time, as it is stored. */
static void
add_time(const CiWorld *world, CiColumn *column, CiTime at)
{
	ci_column_add_time(column, ci_held_time(world, at));
}

/* Whether columns of rows have become large. */
static bool
is_chunk(const Apply *apply, const CiColumn *columns, int count)
{
	Size		used = 0;

	for (int i = 0; i < count; i++)
		used += columns[i].used;
	return used > CHUNK_BYTES && !apply->bundle.together;
}

/*
 * Writes rows, given as columns, or bundles them with others.  Answers the
 * number of rows that were written, of those that were bundled all.
 */
static uint64
write_rows(Apply *apply, CiStatement *stmt, const CiColumn *columns)
{
	Datum		scalars[4] = {
		Int32GetDatum(apply->world->config->account_id), TimestampTzGetDatum(ci_held_time(apply->world, apply->world->clock))
	};

	if (columns[0].count == 0)
		return 0;
	scalars[2] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	scalars[3] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	return ci_write(&apply->bundle, stmt, scalars, columns);
}

/* ---- Identifiers ---- */

static CiStatement claim_stmt = {
	.sql = "INSERT INTO contact_identity.identifier (account_id, kind, value, contact_id,"
	" is_primary, opted_in, parked, verified, given, source, updated_at) SELECT $1, u.* FROM "
	CI_ROWS " ON CONFLICT (account_id, kind, value) DO NOTHING",
	.columns = "kind, value, contact_id, is_primary, opted_in, parked, verified, given, source, "
	"updated_at",
	.table = "identifier",
	.scalars = "account_id",
	.claims = true,
	.expected = SPI_OK_INSERT,
	.nargs = 11,
	.argtypes = {
		INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID,
		BOOLARRAYOID, BOOLARRAYOID, BOOLARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TIMESTAMPTZARRAYOID
	}
};

static CiLookup identifier_by_key = {"identifier", NULL, 3, {0, 1, 2},
{{"account_id", INT4OID}, {"kind", TEXTOID}, {"value", TEXTOID}}};

static CiStatement change_identifier_stmt = {
	.sql = "UPDATE contact_identity.identifier i SET contact_id = u.contact_id, is_primary ="
	" u.is_primary, opted_in = u.opted_in, parked = u.parked, verified = u.verified, given ="
	" u.given, source = u.source, updated_at = u.updated_at FROM " CI_ROWS
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
	" AND i.value OPERATOR(pg_catalog.=) u.value",
	.columns = "kind, value, contact_id, is_primary, opted_in, parked, verified, given, source, "
	"updated_at",
	.table = "identifier",
	.scalars = "account_id",
	.by_key = &identifier_by_key,
	.expected = SPI_OK_UPDATE,
	.nargs = 11,
	.argtypes = {
		INT4OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID,
		BOOLARRAYOID, BOOLARRAYOID, BOOLARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TIMESTAMPTZARRAYOID
	}
};

static CiStatement free_identifier_stmt = {
	.sql = "DELETE FROM contact_identity.identifier i USING " CI_ROWS
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
	" AND i.value OPERATOR(pg_catalog.=) u.value",
	.columns = "kind, value",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID}
};

/* Makes room for another primary value of the same contact and kind. */
static CiStatement demote_stmt = {
	.sql = "UPDATE contact_identity.identifier i SET is_primary = false FROM " CI_ROWS
	" WHERE i.account_id OPERATOR(pg_catalog.=) $1 AND i.kind OPERATOR(pg_catalog.=) u.kind"
	" AND i.value OPERATOR(pg_catalog.=) u.value",
	.columns = "kind, value",
	.expected = SPI_OK_UPDATE,
	.nargs = 3,
	.argtypes = {INT4OID, TEXTARRAYOID, TEXTARRAYOID}
};

/* Rows for claim_stmt and change_identifier_stmt. */
typedef struct IdentifierRows
{
	CiColumn	kind,
				value,
				contact_id,
				is_primary,
				opted_in,
				parked,
				verified,
				given,
				source,
				updated_at;
} IdentifierRows;

static void
init_identifier_rows(IdentifierRows *rows)
{
	ci_column_init(&rows->kind, TEXTOID);
	ci_column_init(&rows->value, TEXTOID);
	ci_column_init(&rows->contact_id, INT8OID);
	ci_column_init(&rows->is_primary, BOOLOID);
	ci_column_init(&rows->opted_in, BOOLOID);
	ci_column_init(&rows->parked, BOOLOID);
	ci_column_init(&rows->verified, BOOLOID);
	ci_column_init(&rows->given, TEXTOID);
	ci_column_init(&rows->source, TEXTOID);
	ci_column_init(&rows->updated_at, TIMESTAMPTZOID);
}

static void
add_identifier_row(const CiWorld *world, IdentifierRows *rows, const CiIdentifier *identifier, bool is_primary)
{
	const CiIdentifierState *now = &identifier->now;

	ci_column_add_text(&rows->kind, identifier->kind->name);
	ci_column_add_text(&rows->value, identifier->value);
	ci_column_add_int64(&rows->contact_id, now->contact->id);
	ci_column_add_bool(&rows->is_primary, is_primary);
	ci_column_add_bool(&rows->opted_in, now->opted_in);
	ci_column_add_bool(&rows->parked, now->parked);
	ci_column_add_bool(&rows->verified, now->verified);
	/* The spelling is kept where it is another one. */
	ci_column_add_text(&rows->given, now->given != NULL &&
					   strcmp(now->given, identifier->value) == 0 ? NULL : now->given);
	ci_column_add_text(&rows->source, now->source);
	add_time(world, &rows->updated_at, now->updated_at);
}

/*
 * A value that the requests give and free again: nobody's before and after,
 * and not to be anybody else's in between, or history would be out of order.
 */
static void
add_passing_row(const CiWorld *world, IdentifierRows *rows, const CiIdentifier *identifier, CiTime at)
{
	ci_column_add_text(&rows->kind, identifier->kind->name);
	ci_column_add_text(&rows->value, identifier->value);
	ci_column_add_int64(&rows->contact_id, 0);
	ci_column_add_bool(&rows->is_primary, false);
	ci_column_add_bool(&rows->opted_in, false);
	ci_column_add_bool(&rows->parked, false);
	ci_column_add_bool(&rows->verified, false);
	ci_column_add_text(&rows->given, NULL);
	ci_column_add_text(&rows->source, "");
	add_time(world, &rows->updated_at, at);
}

static int
compare_identifiers(const void *a, const void *b)
{
	const CiIdentifier *x = *(CiIdentifier *const *) a;
	const CiIdentifier *y = *(CiIdentifier *const *) b;
	int			order = strcmp(x->kind->name, y->kind->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

/* The identifiers whose rows change, in order of (kind, value). */
static CiIdentifier **
touched_identifiers(const CiWorld *world, int *count)
{
	CiIdentifier **result;
	int			n = 0;

	for (CiIdentifier *identifier = world->touched_identifiers;
		 identifier != NULL; identifier = identifier->next_touched)
		n++;
	result = palloc_extended(sizeof(CiIdentifier *) * Max(1, n), MCXT_ALLOC_HUGE);
	n = 0;
	for (CiIdentifier *identifier = world->touched_identifiers;
		 identifier != NULL; identifier = identifier->next_touched)
		result[n++] = identifier;
	qsort(result, n, sizeof(CiIdentifier *), compare_identifiers);
	*count = n;
	return result;
}

/* A contact and kind, whose primary value changes. */
typedef struct PrimarySlot
{
	const CiContact *contact;	/* hash key, with the kind */
	const CiKind *kind;
	CiIdentifier *before;
} PrimarySlot;

/* Who was primary where, of the identifiers whose rows change. */
static HTAB *
primaries_before(CiIdentifier **identifiers, int count)
{
	HASHCTL		control = {
		.keysize = offsetof(PrimarySlot, before),
		.entrysize = sizeof(PrimarySlot),
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *slots = NULL;

	for (int i = 0; i < count; i++)
	{
		const CiIdentifierState *was = &identifiers[i]->was;
		PrimarySlot key = {was->contact, identifiers[i]->kind};
		PrimarySlot *slot;

		if (was->contact == NULL || !was->primary)
			continue;
		if (slots == NULL)
			slots = hash_create("contact_identity primaries", 64, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		slot = hash_search(slots, &key, HASH_ENTER, NULL);
		slot->before = identifiers[i];
	}
	return slots;
}

/* Whose place as primary an identifier takes, if it takes one. */
static CiIdentifier *
takes_place_of(HTAB *slots, const CiIdentifier *identifier)
{
	PrimarySlot key = {identifier->now.contact, identifier->kind};
	PrimarySlot *slot;

	if (slots == NULL || identifier->now.contact == NULL || !identifier->now.primary)
		return NULL;
	slot = hash_search(slots, &key, HASH_FIND, NULL);
	return slot == NULL || slot->before == identifier ? NULL : slot->before;
}

/* The number of identifiers that ci_apply_claims would insert. */
int
ci_count_claims(const CiWorld *world)
{
	int			count = 0;

	for (CiIdentifier *identifier = world->touched_identifiers;
		 identifier != NULL; identifier = identifier->next_touched)
	{
		if (identifier->was.contact == NULL)
			count++;
	}
	return count;
}

/*
 * Gives new contacts their ids and claims new identifiers.  False where
 * another session was first with one of them: the world says which.
 */
static bool
apply_claims(Apply *apply)
{
	CiWorld    *world = apply->world;
	CiIdentifier **claims = palloc_extended(sizeof(CiIdentifier *) * Max(1, apply->nidentifiers), MCXT_ALLOC_HUGE);
	IdentifierRows rows;
	uint64		claimed;

	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->is_new)
			contact->id = ci_next_value("contact_contact_id_seq");
	}
	init_identifier_rows(&rows);
	for (int i = 0; i < apply->nidentifiers; i++)
	{
		CiIdentifier *identifier = apply->identifiers[i];

		if (identifier->was.contact != NULL)
			continue;
		claims[rows.kind.count] = identifier;
		/* Where a primary is replaced, it is still there: see below. */
		if (identifier->now.contact != NULL)
			add_identifier_row(world, &rows, identifier, identifier->now.primary &&
							   takes_place_of(apply->primaries, identifier) == NULL);
		else
			add_passing_row(world, &rows, identifier, world->clock);
	}
	if (rows.kind.count > 0 && ci_has_unknown_suppressed(world->config))
		return false;
	claimed = write_rows(apply, &claim_stmt, &rows.kind);
	if (claimed == rows.kind.count)
		return true;
	world->lost = claims[claimed];
	return false;
}

/*
 * Waits until somebody who was first with a claim has ended, by claiming that
 * value again: the caller rolls it back.  (A statement that claimed has not said
 * which was lost, only how many: then this may wait for nobody.)
 */
void
ci_wait_for_claim(const CiWorld *world)
{
	Datum		account = Int32GetDatum(world->config->account_id);
	IdentifierRows rows;

	init_identifier_rows(&rows);
	if (world->lost->now.contact != NULL)
		add_identifier_row(world, &rows, world->lost, false);
	else
		add_passing_row(world, &rows, world->lost, world->clock);
	ci_run_rows(&claim_stmt, &account, &rows.kind);
}

/* Whether identifiers are freed or replaced: then their order matters. */
static bool
need_order(const Apply *apply)
{
	for (int i = 0; i < apply->nidentifiers; i++)
	{
		CiIdentifier *before = takes_place_of(apply->primaries, apply->identifiers[i]);

		if (apply->identifiers[i]->now.contact == NULL || (before != NULL && before->now.contact != NULL))
			return true;
	}
	return false;
}

/* Frees, changes and moves identifiers that are there. */
static void
apply_identifiers(Apply *apply)
{
	CiColumn	freed[2];
	CiColumn	demoted[2];
	IdentifierRows *rows = palloc(sizeof(IdentifierRows));

	for (int i = 0; i < 2; i++)
	{
		ci_column_init(&freed[i], TEXTOID);
		ci_column_init(&demoted[i], TEXTOID);
	}
	init_identifier_rows(rows);
	for (int i = 0; i < apply->nidentifiers; i++)
	{
		CiIdentifier *identifier = apply->identifiers[i];
		CiIdentifier *before = takes_place_of(apply->primaries, identifier);

		if (before != NULL && before->now.contact != NULL)
		{
			ci_column_add_text(&demoted[0], before->kind->name);
			ci_column_add_text(&demoted[1], before->value);
		}
		if (identifier->now.contact == NULL)
		{
			ci_column_add_text(&freed[0], identifier->kind->name);
			ci_column_add_text(&freed[1], identifier->value);
		}
		else if (identifier->was.contact != NULL || before != NULL)
			add_identifier_row(apply->world, rows, identifier, identifier->now.primary);
	}
	write_rows(apply, &free_identifier_stmt, freed);
	write_rows(apply, &demote_stmt, demoted);
	write_rows(apply, &change_identifier_stmt, &rows->kind);
}

/* ---- Contacts ---- */

static CiStatement new_contact_stmt = {
	.sql = "INSERT INTO contact_identity.contact (account_id, contact_id, state, made, origin,"
	" survivor_id, created_at, identified_at, updated_at, last_seen_at, attributes,"
	" attribute_times) SELECT $1, u.contact_id, u.state, u.made, u.origin, u.survivor_id,"
	" u.created_at, u.identified_at, $2, u.last_seen_at, u.attributes::pg_catalog.jsonb,"
	" u.attribute_times::pg_catalog.jsonb FROM " CI_ROWS,
	.columns = "contact_id, state, made, origin, survivor_id, created_at, identified_at, "
	"last_seen_at, attributes, attribute_times",
	.table = "contact",
	.scalars = "account_id, updated_at",
	.expected = SPI_OK_INSERT,
	.nargs = 12,
	.argtypes = {
		INT4OID, TIMESTAMPTZOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID
	}
};

static CiLookup contact_by_key = {"contact", NULL, 2, {0, 1}, {{"account_id", INT4OID}, {"contact_id", INT8OID}}};

/* The time of the change, attributes and their times stay where they are null. */
static CiStatement change_contact_stmt = {
	.sql = "UPDATE contact_identity.contact c SET state = u.state, survivor_id = u.survivor_id,"
	" identified_at = u.identified_at, last_seen_at = u.last_seen_at, updated_at = CASE WHEN"
	" u.updated_at IS NULL THEN c.updated_at ELSE u.updated_at END, attributes = CASE WHEN"
	" u.attributes IS NULL THEN c.attributes ELSE u.attributes::pg_catalog.jsonb END,"
	" attribute_times = CASE WHEN u.attribute_times IS NULL THEN c.attribute_times ELSE"
	" u.attribute_times::pg_catalog.jsonb END FROM " CI_ROWS
	" WHERE c.account_id OPERATOR(pg_catalog.=) $1 AND c.contact_id OPERATOR(pg_catalog.=)"
	" u.contact_id",
	.columns = "contact_id, state, survivor_id, identified_at, last_seen_at, updated_at, attributes, "
	"attribute_times",
	.table = "contact",
	.scalars = "account_id",
	.by_key = &contact_by_key,
	.kept = 3,
	.expected = SPI_OK_UPDATE,
	.nargs = 9,
	.argtypes = {
		INT4OID, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
		TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID
	}
};

static const char *
state_name(CiState state)
{
	static const char *const names[] = {"anonymous", "identified", "merged", "erased"};

	return names[state];
}

static const char *
class_name(CiClass class)
{
	return class == CI_CLASS_PUSH ? "push" : class == CI_CLASS_CONVERSATIONS ? "conversations" : NULL;
}

static int64
id_of(const CiContact *contact)
{
	return contact == NULL ? 0 : contact->id;
}

/* Rows for new_contact_stmt and change_contact_stmt. */
typedef struct ContactRows
{
	CiColumn	made[10];
	CiColumn	changed[8];
} ContactRows;

static void
init_contact_rows(ContactRows *rows)
{
	static const Oid new_types[10] = {
		INT8OID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
		TEXTOID, TEXTOID
	};
	static const Oid changed_types[8] = {
		INT8OID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID
	};

	for (int i = 0; i < lengthof(rows->made); i++)
		ci_column_init(&rows->made[i], new_types[i]);
	for (int i = 0; i < lengthof(rows->changed); i++)
		ci_column_init(&rows->changed[i], changed_types[i]);
}

static void
add_new_contact(const CiWorld *world, CiColumn *column, const CiContact *contact)
{
	ci_column_add_int64(column++, contact->id);
	ci_column_add_text(column++, state_name(contact->state));
	ci_column_add_text(column++, class_name(contact->made));
	ci_column_add_text(column++, contact->origin);
	ci_column_add_id(column++, id_of(contact->survivor));
	add_time(world, column++, contact->created_at);
	add_time(world, column++, contact->identified_at);
	add_time(world, column++, contact->last_seen_at);
	/* [6.2] The attributes of an ended contact are in the merge record. */
	ci_column_add_text(column++, contact->state == CI_MERGED ? "{}" :
					   ci_attributes_json(&contact->attributes));
	ci_column_add_text(column++, contact->state == CI_MERGED ? "{}" :
					   ci_attribute_times_json(world, &contact->attributes));
}

static void
add_changed_contact(const CiWorld *world, CiColumn *column, const CiContact *contact)
{
	bool		ended = contact->state == CI_MERGED && contact->was_state != CI_MERGED;
	bool		written = contact->attributes_touched || ended;

	ci_column_add_int64(column++, contact->id);
	ci_column_add_text(column++, state_name(contact->state));
	ci_column_add_id(column++, id_of(contact->survivor));
	add_time(world, column++, contact->identified_at);
	add_time(world, column++, contact->last_seen_at);
	add_time(world, column++, contact->is_changed ? world->clock : CI_NO_TIME);
	ci_column_add_text(column++, !written ? NULL : contact->state == CI_MERGED ? "{}" :
					   ci_attributes_json(&contact->attributes));
	ci_column_add_text(column++, !written ? NULL : contact->state == CI_MERGED ? "{}" :
					   ci_attribute_times_json(world, &contact->attributes));
}

static void
write_contact_rows(Apply *apply, const ContactRows *rows)
{
	write_rows(apply, &new_contact_stmt, rows->made);
	write_rows(apply, &change_contact_stmt, rows->changed);
}

static void
apply_contacts(Apply *apply)
{
	ContactRows *rows = palloc(sizeof(ContactRows));

	init_contact_rows(rows);
	for (CiContact *contact = apply->world->contacts; contact != NULL; contact = contact->next)
	{
		if (contact->is_new)
			add_new_contact(apply->world, rows->made, contact);
		else if (contact->touched || contact->attributes_touched)
			add_changed_contact(apply->world, rows->changed, contact);
		if (!is_chunk(apply, rows->made, lengthof(rows->made)) &&
			!is_chunk(apply, rows->changed, lengthof(rows->changed)))
			continue;
		write_contact_rows(apply, rows);
		MemoryContextReset(CurrentMemoryContext);
		rows = palloc(sizeof(ContactRows));
		init_contact_rows(rows);
	}
	write_contact_rows(apply, rows);
}

/* ---- Conflicts ---- */

static CiStatement new_conflict_stmt = {
	.sql = "INSERT INTO contact_identity.conflict (account_id, conflict_id, contact_id, field_type,"
	" field, secondary_value, given, owner_contact_id, source, via, key_kind, key, status,"
	" given_at, settled_by, settled_at) SELECT $1, u.conflict_id, u.contact_id, u.field_type,"
	" u.field, u.secondary_value::pg_catalog.jsonb, u.given, u.owner_contact_id, u.source,"
	" u.via, u.key_kind, u.key, u.status, u.given_at, u.settled_by, u.settled_at FROM " CI_ROWS,
	.columns = "conflict_id, contact_id, field_type, field, secondary_value, given, "
	"owner_contact_id, source, via, key_kind, key, status, given_at, settled_by, "
	"settled_at",
	.table = "conflict",
	.scalars = "account_id",
	.expected = SPI_OK_INSERT,
	.nargs = 16,
	.argtypes = {
		INT4OID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID,
		TEXTARRAYOID, TIMESTAMPTZARRAYOID
	}
};

static CiStatement change_conflict_stmt = {
	.sql = "UPDATE contact_identity.conflict f SET contact_id = u.contact_id, status = u.status,"
	" settled_by = CASE WHEN u.settled THEN u.settled_by ELSE f.settled_by END, settled_at ="
	" CASE WHEN u.status OPERATOR(pg_catalog.=) 'open' THEN NULL WHEN u.settled THEN $2 ELSE"
	" f.settled_at END FROM " CI_ROWS
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.conflict_id OPERATOR(pg_catalog.=)"
	" u.conflict_id",
	.columns = "conflict_id, contact_id, status, settled, settled_by",
	.expected = SPI_OK_UPDATE,
	.nargs = 7,
	.argtypes = {
		INT4OID, TIMESTAMPTZOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID,
		BOOLARRAYOID, TEXTARRAYOID
	}
};

static const char *
status_name(CiStatus status)
{
	static const char *const names[] = {"open", "promoted", "dismissed", "obsolete"};

	return names[status];
}

static const char *
field_type_name(CiFieldType type)
{
	static const char *const names[] = {
		"contact", "identifier", "key", "attribute", "list", "block"
	};

	return names[type];
}

/* Gives new conflicts their ids, in the order in which they were opened. */
static void
number_conflicts(CiWorld *world)
{
	CiConflict **made = palloc(sizeof(CiConflict *) * Max(1, world->new_conflicts));

	for (CiConflict *conflict = world->touched_conflicts; conflict != NULL; conflict = conflict->next_touched)
	{
		if (conflict->is_new)
			made[-conflict->id - 1] = conflict;
	}
	for (int64 i = 0; i < world->new_conflicts; i++)
		made[i]->id = ci_next_value("conflict_conflict_id_seq");
}

/* Rows for new_conflict_stmt and change_conflict_stmt. */
typedef struct ConflictRows
{
	CiColumn	made[15];
	CiColumn	changed[5];
	CiColumn	withdrawn;
} ConflictRows;

static void
init_conflict_rows(ConflictRows *rows)
{
	static const Oid new_types[15] = {
		INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID
	};
	static const Oid changed_types[5] = {INT8OID, INT8OID, TEXTOID, BOOLOID, TEXTOID};

	for (int i = 0; i < lengthof(rows->made); i++)
		ci_column_init(&rows->made[i], new_types[i]);
	for (int i = 0; i < lengthof(rows->changed); i++)
		ci_column_init(&rows->changed[i], changed_types[i]);
	ci_column_init(&rows->withdrawn, INT8OID);
}

static CiStatement withdraw_conflict_stmt = {
	.sql = "DELETE FROM contact_identity.conflict f USING " CI_ROWS
	" WHERE f.account_id OPERATOR(pg_catalog.=) $1 AND f.conflict_id OPERATOR(pg_catalog.=)"
	" u.id",
	.columns = "id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static void
write_conflict_rows(Apply *apply, const ConflictRows *rows)
{
	write_rows(apply, &withdraw_conflict_stmt, &rows->withdrawn);
	write_rows(apply, &new_conflict_stmt, rows->made);
	write_rows(apply, &change_conflict_stmt, rows->changed);
}

static void
apply_conflicts(Apply *apply)
{
	ConflictRows *rows = palloc(sizeof(ConflictRows));

	init_conflict_rows(rows);
	for (CiConflict *conflict = apply->world->touched_conflicts; conflict != NULL; conflict = conflict->next_touched)
	{
		if (is_chunk(apply, rows->made, lengthof(rows->made)) || is_chunk(apply, rows->changed, lengthof(rows->changed)))
		{
			write_conflict_rows(apply, rows);
			MemoryContextReset(CurrentMemoryContext);
			rows = palloc(sizeof(ConflictRows));
			init_conflict_rows(rows);
		}
		if (conflict->withdrawn)
		{
			ci_column_add_int64(&rows->withdrawn, conflict->id);
			continue;
		}
		if (!conflict->is_new)
		{
			ci_column_add_int64(&rows->changed[0], conflict->id);
			ci_column_add_int64(&rows->changed[1], conflict->contact->id);
			ci_column_add_text(&rows->changed[2], status_name(conflict->status));
			ci_column_add_bool(&rows->changed[3], conflict->settled);
			ci_column_add_text(&rows->changed[4], conflict->settled_by);
			continue;
		}
		ci_column_add_int64(&rows->made[0], conflict->id);
		ci_column_add_int64(&rows->made[1], conflict->contact->id);
		ci_column_add_text(&rows->made[2], field_type_name(conflict->type));
		ci_column_add_text(&rows->made[3], conflict->field);
		ci_column_add_text(&rows->made[4], conflict->type == CI_FIELD_ATTRIBUTE ?
						   conflict->value : ci_json_string(conflict->value));
		ci_column_add_text(&rows->made[5], conflict->given);
		ci_column_add_id(&rows->made[6], id_of(conflict->owner));
		ci_column_add_text(&rows->made[7], conflict->source);
		ci_column_add_text(&rows->made[8], conflict->via);
		ci_column_add_text(&rows->made[9], conflict->key_kind);
		ci_column_add_text(&rows->made[10], conflict->key);
		ci_column_add_text(&rows->made[11], status_name(conflict->status));
		add_time(apply->world, &rows->made[12], conflict->given_at);
		ci_column_add_text(&rows->made[13], conflict->settled_by);
		add_time(apply->world, &rows->made[14], conflict->status == CI_OPEN ? CI_NO_TIME : apply->world->clock);
	}
	write_conflict_rows(apply, rows);
}

/* ---- Lists and blocks ---- */

static CiStatement member_stmt = {
	.sql = "INSERT INTO contact_identity.list_member (account_id, list_id, contact_id, subscribed, source, since)"
	" SELECT $1, u.* FROM " CI_ROWS " ON CONFLICT (account_id, list_id, contact_id) DO UPDATE"
	" SET subscribed = excluded.subscribed, source = excluded.source, since = excluded.since",
	.columns = "list_id, contact_id, subscribed, source, since",
	.table = "list_member",
	.scalars = "account_id",
	.claims = true,
	.replaces = true,
	.expected = SPI_OK_INSERT,
	.nargs = 6,
	.argtypes = {INT4OID, INT4ARRAYOID, INT8ARRAYOID, BOOLARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
};

static CiStatement leave_lists_stmt = {
	.sql = "DELETE FROM contact_identity.list_member m USING " CI_ROWS
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.contact_id OPERATOR(pg_catalog.=)"
	" u.id",
	.columns = "id",
	.expected = SPI_OK_DELETE,
	.nargs = 2,
	.argtypes = {INT4OID, INT8ARRAYOID}
};

static CiStatement leave_list_stmt = {
	.sql = "DELETE FROM contact_identity.list_member m"
	" USING (SELECT pg_catalog.unnest($2), pg_catalog.unnest($3) LIMIT pg_catalog.cardinality($2)) AS u (list_id, contact_id)"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.list_id OPERATOR(pg_catalog.=) u.list_id"
	" AND m.contact_id OPERATOR(pg_catalog.=) u.contact_id",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, INT4ARRAYOID, INT8ARRAYOID}
};

static CiStatement block_stmt = {
	.sql = "INSERT INTO contact_identity.block (account_id, contact_id, channel)"
	" SELECT $1, pg_catalog.unnest($2), pg_catalog.unnest($3)",
	.expected = SPI_OK_INSERT,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTARRAYOID}
};

static CiStatement unblock_stmt = {
	.sql = "DELETE FROM contact_identity.block b USING " CI_ROWS
	" WHERE b.account_id OPERATOR(pg_catalog.=) $1 AND b.contact_id OPERATOR(pg_catalog.=)"
	" u.contact_id AND b.channel OPERATOR(pg_catalog.=) u.channel",
	.columns = "contact_id, channel",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8ARRAYOID, TEXTARRAYOID}
};

static void
apply_reach(CiWorld *world)
{
	static const Oid member_types[5] = {INT4OID, INT8OID, BOOLOID, TEXTOID, TIMESTAMPTZOID};
	Datum		values[6] = {Int32GetDatum(world->config->account_id)};
	CiColumn	members[2][5];	/* that were there, new */
	CiColumn	leaving;
	CiColumn	gone[2];		/* list, contact */
	CiColumn	blocks[2][2];	/* removed, added; contact, channel */
	CiBundle	bundle = {0};

	for (int i = 0; i < lengthof(member_types); i++)
	{
		ci_column_init(&members[0][i], member_types[i]);
		ci_column_init(&members[1][i], member_types[i]);
	}
	ci_column_init(&leaving, INT8OID);
	ci_column_init(&gone[0], INT4OID);
	ci_column_init(&gone[1], INT8OID);
	for (int i = 0; i < 2; i++)
	{
		ci_column_init(&blocks[i][0], INT8OID);
		ci_column_init(&blocks[i][1], TEXTOID);
	}
	for (CiContact *contact = world->contacts; contact != NULL; contact = contact->next)
	{
		int			changed = contact->blocks ^ contact->was_blocks;

		if (!contact->touched)
			continue;
		for (CiMember *member = contact->members; member != NULL; member = member->next)
		{
			CiColumn   *rows = members[!member->stored];

			if (member->gone)
			{
				ci_column_add(&gone[0], Int32GetDatum(member->list_id), false);
				ci_column_add_int64(&gone[1], contact->id);
			}
			if (!member->touched || member->gone)
				continue;
			ci_column_add(&rows[0], Int32GetDatum(member->list_id), false);
			ci_column_add_int64(&rows[1], contact->id);
			ci_column_add_bool(&rows[2], member->subscribed);
			ci_column_add_text(&rows[3], member->source);
			add_time(world, &rows[4], member->since);
		}
		if (contact->state != contact->was_state && !contact->is_new &&
			(contact->state == CI_MERGED || contact->state == CI_ERASED))
			ci_column_add_int64(&leaving, contact->id);
		for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
		{
			CiColumn   *side = blocks[(contact->blocks & channel) != 0];

			if ((changed & channel) == 0)
				continue;
			ci_column_add_int64(&side[0], contact->id);
			ci_column_add_text(&side[1], ci_channel_name(channel));
		}
	}
	if (leaving.count > 0)
	{
		values[1] = ci_column_array(&leaving);
		ci_run(&leave_lists_stmt, values, NULL, false);
	}
	if (gone[0].count > 0)
	{
		values[1] = ci_column_array(&gone[0]);
		values[2] = ci_column_array(&gone[1]);
		ci_run(&leave_list_stmt, values, NULL, false);
	}
	if (members[0][0].count > 0)
		ci_run_rows(&member_stmt, values, members[0]);
	if (members[1][0].count > 0)
		ci_write(&bundle, &member_stmt, values, members[1]);
	for (int i = 0; i < 2; i++)
	{
		if (blocks[i][0].count == 0)
			continue;
		values[1] = ci_column_array(&blocks[i][0]);
		values[2] = ci_column_array(&blocks[i][1]);
		ci_run(i == 0 ? &unblock_stmt : &block_stmt, values, NULL, false);
	}
}

/* ---- Merges ---- */

static CiStatement merge_stmt = {
	.sql = "INSERT INTO contact_identity.merge (account_id, merged_at, role, merge_id, survivor_id,"
	" merged_id, source, actor, detail) SELECT $1, $2, $3, u.merge_id, u.survivor_id, u.merged_id,"
	" u.source, u.actor, u.detail::pg_catalog.jsonb FROM " CI_ROWS,
	.columns = "merge_id, survivor_id, merged_id, source, actor, detail",
	.table = "merge",
	.scalars = "account_id, merged_at, role",
	.expected = SPI_OK_INSERT,
	.nargs = 9,
	.argtypes = {
		INT4OID, TIMESTAMPTZOID, TEXTOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID
	}
};

/* Appends ,"name":"text" where there is a text. */
static void
append_text(StringInfo out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	appendStringInfo(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
	escape_json(out, text);
}

/* Appends ,"name":true where it is. */
static void
append_flag(StringInfo out, const char *name, bool flag)
{
	if (flag)
		appendStringInfo(out, "%s\"%s\":true", out->data[out->len - 1] == '{' ? "" : ",", name);
}

/* Appends ,"name":"time" where there is one. */
static void
append_time(StringInfo out, const char *name, CiTime at)
{
	char		buffer[MAXDATELEN + 1];

	if (at == CI_NO_TIME)
		return;
	append_text(out, name, JsonEncodeDateTime(buffer, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL));
}

/*
 * Appends the flags of an identifier's row that are not false, and the
 * spelling that was given, where it is another one.
 */
static void
append_state(StringInfo out, const CiIdentifierState *state, const char *value)
{
	append_flag(out, "primary", state->primary);
	append_flag(out, "opted_in", state->opted_in);
	append_flag(out, "parked", state->parked);
	append_flag(out, "verified", state->verified);
	if (state->given != NULL && value != NULL && strcmp(state->given, value) != 0)
		append_text(out, "given", state->given);
}

static void
append_channels(StringInfo out, const char *name, int channels)
{
	const char *separator = "";

	if (channels == 0)
		return;
	appendStringInfo(out, ",\"%s\":[", name);
	for (int channel = CI_CHANNEL_EMAIL; channel <= CI_CHANNEL_PUSH; channel <<= 1)
	{
		if ((channels & channel) == 0)
			continue;
		appendStringInfo(out, "%s\"%s\"", separator, ci_channel_name(channel));
		separator = ",";
	}
	appendStringInfoChar(out, ']');
}

static void
append_members(StringInfo out, const CiWorld *world, const char *name, const CiMember *members, int count)
{
	if (count == 0)
		return;
	appendStringInfo(out, ",\"%s\":[", name);
	for (int i = 0; i < count; i++)
	{
		appendStringInfo(out, "%s{\"list_id\":%d", i == 0 ? "" : ",", members[i].list_id);
		append_flag(out, "subscribed", members[i].subscribed);
		append_text(out, "source", members[i].source);
		append_time(out, "since", ci_held_time(world, members[i].since));
		appendStringInfoChar(out, '}');
	}
	appendStringInfoChar(out, ']');
}

/* [6.8] The ended contact as it was, and what the survivor had otherwise. */
static char *
merge_detail(const CiWorld *world, const CiMerge *merge)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"state\":\"%s\"", state_name(merge->ended_state));
	append_time(&out, "identified_at", ci_held_time(world, merge->ended_identified_at));
	append_time(&out, "last_seen_at", ci_held_time(world, merge->ended_seen_at));
	append_time(&out, "survivor_last_seen_at", ci_held_time(world, merge->survivor_seen_at));
	for (int i = 0; i < merge->nidentifiers; i++)
	{
		const CiIdentifierState *state = &merge->identifier_states[i];

		appendStringInfoString(&out, i == 0 ? ",\"identifiers\":[{" : ",{");
		append_text(&out, "kind", merge->identifiers[i]->kind->name);
		append_text(&out, "value", merge->identifiers[i]->value);
		append_state(&out, state, merge->identifiers[i]->value);
		append_text(&out, "source", state->source);
		append_time(&out, "updated_at", ci_held_time(world, state->updated_at));
		appendStringInfoString(&out, i == merge->nidentifiers - 1 ? "}]" : "}");
	}
	for (int i = 0; i < merge->nattributes; i++)
	{
		const CiAttribute *attribute = &merge->attributes[i];

		appendStringInfoString(&out, i == 0 ? ",\"attributes\":[{" : ",{");
		append_text(&out, "name", attribute->name);
		if (attribute->json != NULL)
			appendStringInfo(&out, ",\"value\":%s", attribute->json);
		append_text(&out, "source", attribute->source);
		append_time(&out, "updated_at", ci_held_time(world, attribute->at));
		appendStringInfoString(&out, i == merge->nattributes - 1 ? "}]" : "}");
	}
	append_members(&out, world, "lists", merge->members, merge->nmembers);
	append_members(&out, world, "survivor_lists", merge->survivor_members, merge->nsurvivor_members);
	append_channels(&out, "blocks", merge->blocks);
	append_channels(&out, "survivor_blocks", merge->survivor_blocks);
	for (int i = 0; i < merge->nconflicts; i++)
		appendStringInfo(&out, "%s{\"conflict_id\":" INT64_FORMAT ",\"status\":\"%s\"}%s",
						 i == 0 ? ",\"conflicts\":[" : ",", merge->conflicts[i]->id,
						 status_name(merge->conflict_states[i]),
						 i == merge->nconflicts - 1 ? "]" : "");
	for (int i = 0; i < merge->nsettled; i++)
		appendStringInfo(&out, "%s" INT64_FORMAT "%s", i == 0 ? ",\"settled_conflicts\":[" : ",",
						 merge->settled[i]->id, i == merge->nsettled - 1 ? "]" : "");
	for (int i = 0; i < merge->nended_before; i++)
		appendStringInfo(&out, "%s" INT64_FORMAT "%s", i == 0 ? ",\"ended_before\":[" : ",",
						 merge->ended_before[i], i == merge->nended_before - 1 ? "]" : "");
	for (CiTimeMove *move = merge->time_moves; move != NULL; move = move->next)
	{
		appendStringInfoString(&out, move == merge->time_moves ? ",\"times_before\":[{" : ",{");
		append_text(&out, "name", move->name);
		append_time(&out, "updated_at", ci_held_time(world, move->at));
		appendStringInfoString(&out, move->next == NULL ? "}]" : "}");
	}
	appendStringInfoChar(&out, '}');
	return out.data;
}

#define MERGE_COLUMNS 6

static CiColumn *
new_merge_rows(void)
{
	static const Oid types[MERGE_COLUMNS] = {
		INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID
	};
	CiColumn   *columns = palloc(sizeof(CiColumn) * MERGE_COLUMNS);

	for (int i = 0; i < MERGE_COLUMNS; i++)
		ci_column_init(&columns[i], types[i]);
	return columns;
}

static void
apply_merges(Apply *apply)
{
	CiColumn   *columns = new_merge_rows();

	for (CiMerge *merge = apply->world->merges; merge != NULL; merge = merge->next)
	{
		const CiSource *source = merge->request->source;

		if (is_chunk(apply, columns, MERGE_COLUMNS))
		{
			write_rows(apply, &merge_stmt, columns);
			MemoryContextReset(CurrentMemoryContext);
			columns = new_merge_rows();
		}
		ci_column_add_int64(&columns[0], merge->id);
		ci_column_add_int64(&columns[1], merge->survivor->id);
		ci_column_add_int64(&columns[2], merge->ended->id);
		ci_column_add_text(&columns[3], source == NULL ? "merge" : source->name);
		ci_column_add_text(&columns[4], merge->request->actor);
		ci_column_add_text(&columns[5], merge_detail(apply->world, merge));
	}
	write_rows(apply, &merge_stmt, columns);
}

/* ---- What is undone, and pairs ---- */

static CiStatement undo_stmt = {
	.sql = "UPDATE contact_identity.merge m SET undone_at = $3, undone_by = $4"
	" WHERE m.account_id OPERATOR(pg_catalog.=) $1 AND m.merge_id OPERATOR(pg_catalog.=) $2",
	.expected = SPI_OK_UPDATE,
	.nargs = 4,
	.argtypes = {INT4OID, INT8OID, TIMESTAMPTZOID, TEXTOID}
};

static CiStatement pair_stmt = {
	.sql = "INSERT INTO contact_identity.distinct_pair (account_id, contact_id, other_id, merge_id, actor, set_at)"
	" VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, contact_id, other_id) DO NOTHING",
	.expected = SPI_OK_INSERT,
	.nargs = 6,
	.argtypes = {INT4OID, INT8OID, INT8OID, INT8OID, TEXTOID, TIMESTAMPTZOID}
};

static CiStatement lift_stmt = {
	.sql = "DELETE FROM contact_identity.distinct_pair p WHERE p.account_id OPERATOR(pg_catalog.=) $1"
	" AND p.contact_id OPERATOR(pg_catalog.=) $2 AND p.other_id OPERATOR(pg_catalog.=) $3",
	.expected = SPI_OK_DELETE,
	.nargs = 3,
	.argtypes = {INT4OID, INT8OID, INT8OID}
};

/* [10.3] The merge that was undone says so. */
static void
apply_undone(CiWorld *world)
{
	if (world->undone != NULL)
	{
		Datum		values[4] = {
			Int32GetDatum(world->config->account_id), Int64GetDatum(world->undone->merge_id),
			TimestampTzGetDatum(ci_held_time(world, world->clock)), CStringGetTextDatum(world->undone->actor)
		};

		ci_run(&undo_stmt, values, NULL, false);
	}
}

/* [10.4] Who are different people, and who are no longer known to be. */
static void
apply_pairs(CiWorld *world)
{
	for (const CiPair *pair = world->pairs; pair != NULL; pair = pair->next)
	{
		const char *actor = pair->is_new ? pair->request->actor : NULL;
		Datum		values[6] = {
			Int32GetDatum(world->config->account_id),
			Int64GetDatum(Min(pair->contact->id, pair->other->id)),
			Int64GetDatum(Max(pair->contact->id, pair->other->id)),
			Int64GetDatum(pair->merge == NULL ? 0 : pair->merge->id),
			actor == NULL ? (Datum) 0 : CStringGetTextDatum(actor),
			TimestampTzGetDatum(ci_held_time(world, world->clock))
		};
		char		nulls[7] = "      ";

		nulls[3] = pair->merge == NULL ? 'n' : ' ';
		nulls[4] = actor == NULL ? 'n' : ' ';
		if (pair->gone && !pair->is_new)
			ci_run(&lift_stmt, values, NULL, false);
		else if (pair->is_new && !pair->gone)
			ci_run(&pair_stmt, values, nulls, false);
	}
}

/* What follows the contacts goes back with the one that a merge had ended. */
static void
apply_unfollow(CiWorld *world)
{
	if (world->undone != NULL)
		ci_unfollow_merge(world->config, world->undone->merge_id, world->undone->merged_id,
						  world->undone->survivor_id);
}

/* ---- History ---- */

static CiStatement event_stmt = {
	.sql = "INSERT INTO contact_identity.event (account_id, written_at, role, xid, event_id, contact_id,"
	" call_id, occurred_at, merge_id, conflict_id, other_contact_id, old_at, new_at, event,"
	" field_type, field, old_value, new_value, old_source, new_source, detail, source, via,"
	" found_kind, found_value, actor) SELECT $1, $2, $3, $4, u.event_id, u.contact_id, u.call_id,"
	" u.occurred_at, u.merge_id, u.conflict_id, u.other_contact_id, u.old_at, u.new_at,"
	" u.event, u.field_type, u.field, u.old_value::pg_catalog.jsonb,"
	" u.new_value::pg_catalog.jsonb, u.old_source, u.new_source, u.detail::pg_catalog.jsonb,"
	" u.source, u.via, u.found_kind, u.found_value, u.actor FROM " CI_ROWS,
	.columns = "event_id, contact_id, call_id, occurred_at, merge_id, conflict_id, "
	"other_contact_id, old_at, new_at, event, field_type, field, old_value, new_value, "
	"old_source, new_source, detail, source, via, found_kind, found_value, actor",
	.table = "event",
	.scalars = "account_id, written_at, role, xid",
	.expected = SPI_OK_INSERT,
	.nargs = 26,
	.argtypes = {
		INT4OID, TIMESTAMPTZOID, TEXTOID, XID8OID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID
	}
};

/* A value of history as JSON, or NULL. */
static const char *
event_value(const CiEventValue *value)
{
	if (value->contact != NULL)
		return psprintf(INT64_FORMAT, value->contact->id);
	return value->text ? ci_json_string(value->text) : value->json;
}

/* The flags of an identifier before and after, where there is more than none. */
static char *
event_detail(const CiEvent *event)
{
	StringInfoData out;

	if (!event->has_old_state && !event->has_new_state)
		return NULL;
	ci_init_text(&out, 64);
	appendStringInfoChar(&out, '{');
	for (int i = 0; i < 2; i++)
	{
		int			start = out.len;

		if (!(i == 0 ? event->has_old_state : event->has_new_state))
			continue;
		appendStringInfo(&out, "%s\"%s\":{", out.len == 1 ? "" : ",", i == 0 ? "old" : "new");
		if (i == 0)
			append_state(&out, &event->old_state, event->old_value.text);
		else
			append_state(&out, &event->new_state, event->new_value.text);
		if (out.data[out.len - 1] == '{')
			out.len = start;
		else
			appendStringInfoChar(&out, '}');
	}
	out.data[out.len] = '\0';
	if (out.len == 1)
		return NULL;
	appendStringInfoChar(&out, '}');
	return out.data;
}

#define EVENT_COLUMNS 22

static CiColumn *
new_event_rows(void)
{
	static const Oid types[EVENT_COLUMNS] = {
		INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID
	};
	CiColumn   *columns = palloc(sizeof(CiColumn) * EVENT_COLUMNS);

	for (int i = 0; i < EVENT_COLUMNS; i++)
		ci_column_init(&columns[i], types[i]);
	return columns;
}

static void
apply_events(Apply *apply)
{
	CiColumn   *columns = new_event_rows();
	const CiRequest *request = NULL;
	int64		call_id = 0;

	for (CiEvent *event = apply->world->events; event != NULL; event = event->next)
	{
		int64		event_id = ci_next_value("event_event_id_seq");
		CiColumn   *column = columns;

		if (is_chunk(apply, columns, EVENT_COLUMNS))
		{
			write_rows(apply, &event_stmt, columns);
			MemoryContextReset(CurrentMemoryContext);
			columns = new_event_rows();
		}
		/* [10.1] The rows of one call have the number of its first one. */
		if (event->request != request)
		{
			request = event->request;
			call_id = event_id;
		}
		ci_column_add_int64(column++, event_id);
		ci_column_add_int64(column++, event->contact->id);
		ci_column_add_int64(column++, call_id);
		add_time(apply->world, column++, request->at);
		ci_column_add_id(column++, event->merge == NULL ? 0 : event->merge->id);
		ci_column_add_id(column++, event->conflict == NULL ? 0 : event->conflict->id);
		ci_column_add_id(column++, event->other == NULL && event->conflict != NULL ?
						 event->conflict->owner_id : id_of(event->other));
		add_time(apply->world, column++, event->old_at);
		add_time(apply->world, column++, event->new_at);
		ci_column_add_text(column++, event->event);
		ci_column_add_text(column++, field_type_name(event->type));
		ci_column_add_text(column++, event->field);
		ci_column_add_text(column++, event_value(&event->old_value));
		ci_column_add_text(column++, event_value(&event->new_value));
		ci_column_add_text(column++, event->old_source);
		ci_column_add_text(column++, event->new_source);
		ci_column_add_text(column++, event_detail(event));
		ci_column_add_text(column++, request->source == NULL ? NULL : request->source->name);
		ci_column_add_text(column++, request->via);
		ci_column_add_text(column++, request->found_kind);
		ci_column_add_text(column++, request->found_value);
		ci_column_add_text(column++, request->actor);
		Assert(column == columns + EVENT_COLUMNS);
	}
	write_rows(apply, &event_stmt, columns);
}

/* [2.4] The counts, where contacts come to be others. */
static void
apply_counts(Apply *apply)
{
	int64		changes[CI_COUNTS];

	ci_count_changes(apply->world, changes);
	if (changes[0] != 0 || changes[1] != 0 || changes[2] != 0)
		ci_add_to_counts(apply->world->config->account_id, changes);
}

/* ---- All of it ---- */

/* Whether the changes are few enough to be written together. */
static bool
are_few(const Apply *apply)
{
	const CiWorld *world = apply->world;
	int			count = apply->nidentifiers;

	for (const CiEvent *event = world->events; event != NULL && count <= MAX_ROWS_TOGETHER; event = event->next)
		count++;
	for (const CiContact *contact = world->contacts;
		 contact != NULL && count <= MAX_ROWS_TOGETHER; contact = contact->next)
		count++;
	return count <= MAX_ROWS_TOGETHER;
}

/*
 * Whatever changes of a contact, its row is written too: pipeline.c tells by
 * that row whether anything has changed.  An event has seen to it; where an
 * identifier is only given again, there is none.
 */
static void
touch_owners(const Apply *apply)
{
	for (int i = 0; i < apply->nidentifiers; i++)
	{
		const CiIdentifier *identifier = apply->identifiers[i];

		if (identifier->was.contact != NULL)
			identifier->was.contact->touched = true;
		if (identifier->now.contact != NULL)
			identifier->now.contact->touched = true;
	}
}

/*
 * Writes all changes.  False where another session was first to claim a value;
 * then nothing has been written but other claims.
 *
 * The order of the tables is fixed, claims come first: what history is given
 * its numbers for has then happened.  What one table's rows took in memory goes
 * before the next one's, unless they are few and written together.
 */
bool
ci_apply_world(CiWorld *world)
{
	static void (*const bundled[]) (Apply *) =
	{
		apply_contacts, apply_identifiers, apply_conflicts, apply_merges, apply_events, apply_counts
	};
	static void (*const others[]) (CiWorld *) =
	{
		apply_reach, apply_undone, apply_pairs, ci_apply_erasure, ci_follow_merges, apply_unfollow
	};
	Apply		apply = {.world = world};
	MemoryContext context;
	MemoryContext caller;
	bool		done;

	apply.identifiers = touched_identifiers(world, &apply.nidentifiers);
	apply.primaries = primaries_before(apply.identifiers, apply.nidentifiers);
	touch_owners(&apply);
	context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity apply", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(context);
	done = apply_claims(&apply);
	if (done)
	{
		apply.bundle.together = are_few(&apply) && !need_order(&apply);
		number_conflicts(world);
		for (CiMerge *merge = world->merges; merge != NULL; merge = merge->next)
			merge->id = ci_next_value("merge_merge_id_seq");
		for (int i = 0; i < lengthof(bundled); i++)
		{
			if (!apply.bundle.together)
				MemoryContextReset(context);
			bundled[i] (&apply);
		}
		if (apply.bundle.count > 0)
			ci_run_bundle(&apply.bundle);
		for (int i = 0; i < lengthof(others); i++)
		{
			MemoryContextReset(context);
			others[i] (world);
		}
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return done;
}
