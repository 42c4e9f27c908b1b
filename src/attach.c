/*-------------------------------------------------------------------------
 *
 * attach.c
 *	  Rows of an application's own tables (RULES 8): attach(), detach() and
 *	  the triggers that they make and drop.
 *
 * What attach() was told is kept in the arguments of the triggers and nowhere
 * else: a dump carries it, and dropping the table drops it.  The arguments
 * come in pairs, a name and its value; the first is the account.  Columns are
 * named, and looked up each time, so that one that was dropped or renamed is
 * found out.
 *
 * A statement's rows are read from its transition tables and played in
 * batches.  In an UPDATE the old and the new row of each pair come in the same
 * place of the two tables; a row is played where a column that it is read from
 * has changed.  (A BEFORE trigger that swallows a row on its way to another
 * partition shifts the places: then some rows are played again that need not
 * be, and none is missed.)
 *
 * Rows are read as the owner of the attached table, since that may run casts
 * of its types; they are played as the owner of our tables.  The contact's id
 * is written back as the owner of the attached table, as foreign keys do, and
 * with the caller's search_path, because triggers of the application may run:
 * that is why attach() and the triggers come without a search_path and set one
 * around what is ours.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "collect.h"

PG_FUNCTION_INFO_V1(ci_attach);
PG_FUNCTION_INFO_V1(ci_detach);
PG_FUNCTION_INFO_V1(ci_attached_insert);
PG_FUNCTION_INFO_V1(ci_attached_update);
PG_FUNCTION_INFO_V1(ci_attached_before_insert);

/* Ours fires after what the application's own triggers made of the row. */
#define BEFORE_TRIGGER "zz_contact_identity_insert"
#define INSERT_TRIGGER "contact_identity_insert"
#define UPDATE_TRIGGER "contact_identity_update"

#define ROWS_READ_AT_ONCE 1000
#define PROGRESS_INTERVAL (5 * USECS_PER_SEC)
#define ATTRIBUTE_PREFIX "attributes."

/* What a column is for. */
typedef enum Purpose
{
	FOR_KEY,
	FOR_IDENTIFIER,
	FOR_VIA,
	FOR_TIME,
	FOR_CONTACT_ID,
	FOR_ATTRIBUTE
} Purpose;

/* The arguments of attach(), in its order. */
enum
{
	ARG_TABLE,
	ARG_SOURCE,
	ARG_KEY,
	ARG_EMAIL,
	ARG_PHONE,
	ARG_EXT_ID,
	ARG_WHATSAPP,
	ARG_LANDLINE,
	ARG_ATTRIBUTES,
	ARG_VIA,
	ARG_OCCURRED_AT,
	ARG_CONTACT_ID,
	ARG_VERIFIED,
	ARG_VIA_COLUMN,
	ARG_ON_ERROR,
	ARG_TAKE_IN,
	ARG_ACCOUNT_ID
};

/* Those that name a column. */
static const struct
{
	const char *name;
	int			argno;
	Purpose		purpose;
}			arguments[] = {
	{"key", ARG_KEY, FOR_KEY},
	{"email", ARG_EMAIL, FOR_IDENTIFIER},
	{"phone", ARG_PHONE, FOR_IDENTIFIER},
	{"ext_id", ARG_EXT_ID, FOR_IDENTIFIER},
	{"whatsapp", ARG_WHATSAPP, FOR_IDENTIFIER},
	{"landline", ARG_LANDLINE, FOR_IDENTIFIER},
	{"via_column", ARG_VIA_COLUMN, FOR_VIA},
	{"occurred_at", ARG_OCCURRED_AT, FOR_TIME},
	{"contact_id", ARG_CONTACT_ID, FOR_CONTACT_ID}
};

/* A column, and what it is for. */
typedef struct Mapped
{
	Purpose		purpose;
	const char *name;			/* of the argument or attribute */
	const char *column;
	int			attnum;			/* in the rows that are read */
	Oid			type;			/* without domains */
	int16		length;
	bool		by_value;
	FmgrInfo	convert;		/* to text, or to jsonb */
	bool		may_fail;		/* that, on values that the type has */
} Mapped;

/* What attach() was told about a table. */
typedef struct Mapping
{
	int			account_id;
	const char *source;
	const char *via;
	bool		verified;
	bool		raises;
	Mapped	   *columns;
	int			ncolumns;
	Mapped	   *contact_id;		/* one of them, or NULL */
} Mapping;

/* A column of the primary key of a table whose contact_id is written. */
typedef struct KeyColumn
{
	const char *name;
	int			attnum;			/* in the rows that are read */
	Oid			type;
	Oid			equals;
	int16		length;
	bool		by_value;
} KeyColumn;

/* A row that waits for its contact's id. */
typedef struct Row
{
	Datum	   *key;
	bool		has_contact_id;
	int64		contact_id;		/* that it has */
	int64		new_contact_id; /* 0: none */
} Row;

/* The rows of a statement, on their way. */
typedef struct Run
{
	Relation	relation;
	Mapping		mapping;
	KeyColumn  *key;
	int			nkey;			/* 0: contact_id is not written back */
	CiBatch    *batch;
	int64		line;			/* of the last row read */
	MemoryContext memory;		/* of all this */
	MemoryContext context;		/* of rows; emptied with each flush */
	Row		   *rows;			/* beside those of the batch */
	int			size;
	int64		contact_id;		/* of the row played last; 0: none */
	CiError		first;			/* what was wrong with the first one rejected */
} Run;

/* ---- as whom, and with which search_path ---- */

/* From here on statements run as a role, and see every row. */
static void
become(Oid role, CiCaller *caller)
{
	GetUserIdAndSecContext(&caller->role, &caller->context);
	SetUserIdAndSecContext(role, caller->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

/* From here to leave_path the search_path is ours. */
static int
enter_path(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/* The search_path is the caller's again. */
static void
leave_path(int nest_level)
{
	AtEOXact_GUC(true, nest_level);
}

/* ---- the mapping ---- */

/* A table's name as SQL takes it. */
static char *
table_name(Relation relation)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
									  RelationGetRelationName(relation));
}

/* What to do about a table whose triggers no longer fit it. */
static int
hint_attach_again(Relation relation)
{
	return errhint("Call contact_identity.detach(%s), then attach the table again with the columns that it has now.",
				   quote_literal_cstr(table_name(relation)));
}

/* The column of that name, or NULL. */
static Form_pg_attribute
find_column(Relation relation, const char *name)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && namestrcmp(&attribute->attname, name) == 0)
			return attribute;
	}
	return NULL;
}

/* Whether a column of that type can serve a purpose; else what it needs. */
static bool
type_fits(Purpose purpose, const char *name, Oid type, const char **needed)
{
	char		category;
	bool		preferred;

	switch (purpose)
	{
		case FOR_KEY:
		case FOR_IDENTIFIER:
		case FOR_VIA:
			get_type_category_preferred(type, &category, &preferred);
			*needed = "a text";
			if (strcmp(name, "email") == 0 || category == TYPCATEGORY_STRING)
				return category == TYPCATEGORY_STRING;
			*needed = "a text, a whole number, a numeric, a uuid or an enum";
			return category == TYPCATEGORY_ENUM || type == INT2OID || type == INT4OID || type == INT8OID ||
				type == NUMERICOID || type == UUIDOID;
		case FOR_TIME:
			*needed = "a timestamptz, a timestamp or a date";
			return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
		case FOR_CONTACT_ID:
			*needed = "a bigint";
			return type == INT8OID;
		case FOR_ATTRIBUTE:
			break;
	}
	return true;
}

/*
 * Finds a column in the table.  A column that cannot be used is an error of
 * the call of attach(), or else of what was done to the table since.
 */
static void
look_up_column(Relation relation, Mapped *mapped, bool attaching)
{
	Form_pg_attribute attribute = find_column(relation, mapped->column);
	const char *needed;

	if (attribute == NULL)
		ereport(ERROR,
				(errcode(attaching ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%.*s\" of table \"%s\" does not exist",
						pg_mbcliplen(mapped->column, strlen(mapped->column), NAMEDATALEN - 1),
						mapped->column, RelationGetRelationName(relation)),
				 attaching ? 0 :
				 errdetail("The table is attached to contact_identity, with this column as %s%s.",
						   mapped->purpose == FOR_ATTRIBUTE ? "attribute " : "", mapped->name),
				 attaching ? 0 : hint_attach_again(relation),
				 errhidestmt(true)));
	/* What is written into a domain would have to pass its checks. */
	mapped->type = mapped->purpose == FOR_CONTACT_ID ? attribute->atttypid : getBaseType(attribute->atttypid);
	if (!type_fits(mapped->purpose, mapped->name, mapped->type, &needed))
		ereport(ERROR,
				(errcode(attaching ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" cannot be used as %s",
						mapped->column, RelationGetRelationName(relation), mapped->name),
				 errdetail("It has type %s and must be %s.", format_type_be(attribute->atttypid), needed),
				 attaching ? 0 : hint_attach_again(relation),
				 errhidestmt(true)));
	mapped->attnum = attribute->attnum;
	mapped->length = attribute->attlen;
	mapped->by_value = attribute->attbyval;

	if (mapped->purpose == FOR_ATTRIBUTE)
	{
		Const	   *example = makeNullConst(attribute->atttypid, -1, InvalidOid);

		/*
		 * Types of users may have a cast to json; and json holds what jsonb
		 * cannot.
		 */
		mapped->may_fail = mapped->type == JSONOID || mapped->type >= FirstNormalObjectId ||
			OidIsValid(get_element_type(mapped->type));
		fmgr_info(F_TO_JSONB, &mapped->convert);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(example),
												 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
						   &mapped->convert);
	}
	else if (mapped->purpose != FOR_TIME && mapped->purpose != FOR_CONTACT_ID)
	{
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(mapped->type, &output, &is_varlena);
		fmgr_info(output, &mapped->convert);
	}
}

/* Reads a mapping from the arguments of a trigger, made or to be made. */
static void
read_mapping(Relation relation, char **args, int nargs, bool attaching, Mapping *mapping)
{
	memset(mapping, 0, sizeof(Mapping));
	mapping->columns = palloc0(sizeof(Mapped) * Max(1, nargs / 2));
	for (int i = 0; i + 1 < nargs; i += 2)
	{
		const char *name = args[i];
		const char *value = args[i + 1];
		Mapped	   *mapped = &mapping->columns[mapping->ncolumns];

		if (strcmp(name, "account_id") == 0)
			mapping->account_id = pg_strtoint32(value);
		else if (strcmp(name, "source") == 0)
			mapping->source = value;
		else if (strcmp(name, "via") == 0)
			mapping->via = value;
		else if (strcmp(name, "verified") == 0)
			mapping->verified = strcmp(value, "true") == 0;
		else if (strcmp(name, "on_error") == 0)
			mapping->raises = strcmp(value, "raise") == 0;
		else if (strncmp(name, ATTRIBUTE_PREFIX, strlen(ATTRIBUTE_PREFIX)) == 0)
		{
			mapped->purpose = FOR_ATTRIBUTE;
			mapped->name = name + strlen(ATTRIBUTE_PREFIX);
			mapped->column = value;
		}
		else
		{
			for (int j = 0; j < lengthof(arguments); j++)
			{
				if (strcmp(name, arguments[j].name) == 0)
				{
					mapped->purpose = arguments[j].purpose;
					mapped->name = arguments[j].name;
					mapped->column = value;
				}
			}
		}
		if (mapped->column == NULL)
			continue;
		look_up_column(relation, mapped, attaching);
		if (mapped->purpose == FOR_CONTACT_ID)
			mapping->contact_id = mapped;
		mapping->ncolumns++;
	}
	if (mapping->account_id <= 0 || mapping->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("arguments of a trigger on table \"%s\" are not those of contact_identity.attach()",
						RelationGetRelationName(relation))));
}

/* The columns of the primary key, by which contact_id is written back. */
static void
read_primary_key(Run *run, bool attaching)
{
	Relation	index;
	Oid			index_id;

	list_free(RelationGetIndexList(run->relation));
	index_id = run->relation->rd_pkindex;
	if (!OidIsValid(index_id))
		ereport(ERROR,
				(errcode(attaching ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(run->relation)),
				 errdetail("A contact's id is written into column \"%s\" by it.", run->mapping.contact_id->column),
				 attaching ? errhint("Add one, or leave out contact_id.") : hint_attach_again(run->relation)));
	index = relation_open(index_id, AccessShareLock);
	run->nkey = IndexRelationGetNumberOfKeyAttributes(index);
	run->key = palloc0(sizeof(KeyColumn) * run->nkey);
	for (int i = 0; i < run->nkey; i++)
	{
		KeyColumn  *column = &run->key[i];
		Form_pg_attribute attribute;

		column->attnum = index->rd_index->indkey.values[i];
		attribute = TupleDescAttr(RelationGetDescr(run->relation), column->attnum - 1);
		column->name = pstrdup(NameStr(attribute->attname));
		column->type = attribute->atttypid;
		column->length = attribute->attlen;
		column->by_value = attribute->attbyval;
		column->equals = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
											 index->rd_opcintype[i], BTEqualStrategyNumber);
	}
	relation_close(index, AccessShareLock);
}

/* ---- reading a row ---- */

/* A value as text; NULL where there is none. */
static const char *
read_text(Mapped *mapped, Datum value)
{
	char	   *string;

	if (mapped->type == TEXTOID || mapped->type == VARCHAROID || mapped->type == BPCHAROID)
		string = TextDatumGetCString(value);
	else
		string = OutputFunctionCall(&mapped->convert, value);
	/* What char(n) is padded with is no part of it. */
	if (mapped->type == BPCHAROID)
		string[bpchartruelen(string, strlen(string))] = '\0';
	return string[0] == '\0' ? NULL : string;
}

/* A value as a time. */
static TimestampTz
read_time(const Mapped *mapped, Datum value)
{
	int			overflow;

	if (mapped->type == TIMESTAMPOID)
		return timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
	if (mapped->type == DATEOID)
		return date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
	return DatumGetTimestampTz(value);
}

/*
 * A value as jsonb, or NULL where it cannot be one: json takes "\u0000", and a
 * cast of a user's may do anything.  Then *limit says whether a limit is why.
 */
static Jsonb *
convert_softly(Mapped *mapped, Datum value, bool *limit)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	Jsonb	   *volatile json = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		json = DatumGetJsonbP(FunctionCall1(&mapped->convert, value));
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			ReThrowError(error);
		*limit = category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		FreeErrorData(error);
		json = NULL;
	}
	PG_END_TRY();
	return json;
}

/* Says that an attribute is too large even to be looked at; always false. */
static bool
too_large(CiError *error, const Mapped *mapped)
{
	error->code = CI_TOO_LARGE;
	error->message = psprintf("attribute \"%s\" is too large", mapped->name);
	error->detail = psprintf("Those of a contact have up to %d bytes in all.", CI_MAX_ATTRIBUTE_BYTES);
	return false;
}

/*
 * A value as an item of jsonb.  False, with the error, where it cannot be one or
 * is so large that the attributes are refused anyway; *size grows by its size.
 */
static bool
read_json(Mapped *mapped, Datum value, JsonbValue *item, Size *size, CiError *error)
{
	bool		limit = false;
	Jsonb	   *json;

	if (mapped->length == -1)
		*size += toast_raw_datum_size(value);
	if (*size > CI_MAX_KEPT_ATTRIBUTE_BYTES)
		return too_large(error, mapped);
	if (mapped->type == TEXTOID || mapped->type == VARCHAROID)
	{
		item->type = jbvString;
		item->val.string.val = TextDatumGetCString(value);
		item->val.string.len = strlen(item->val.string.val);
		return true;
	}
	json = mapped->type == JSONBOID ? DatumGetJsonbP(value) :
		mapped->may_fail ? convert_softly(mapped, value, &limit) :
		DatumGetJsonbP(FunctionCall1(&mapped->convert, value));
	if (limit || (json != NULL && !ci_json_is_kept(&json->root)))
		return too_large(error, mapped);
	if (json == NULL)
	{
		error->code = CI_INVALID;
		error->message = psprintf("value of attribute \"%s\" has no form in jsonb", mapped->name);
		error->detail = NULL;
		return false;
	}
	if (!JsonbExtractScalar(&json->root, item))
	{
		item->type = jbvBinary;
		item->val.binary.data = &json->root;
		item->val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	return true;
}

/*
 * Makes a request of a row.  A null, and an empty string where a handle is
 * expected, is not given; but an attribute that the old row had and the new
 * one has not is cleared.  False where the row gives nothing at all.  An
 * attribute that cannot be read is an error of the row.
 */
static bool
read_row(const Mapping *mapping, TupleTableSlot *slot, TupleTableSlot *old, CiRawRequest *raw,
		 CiError *error)
{
	JsonbParseState *state = NULL;
	Size		size = 0;
	bool		gives = false;

	memset(raw, 0, sizeof(CiRawRequest));
	raw->op = CI_OP_IDENTIFY;
	raw->source = mapping->source;
	raw->via = mapping->via;
	raw->verified = mapping->verified;
	for (int i = 0; i < mapping->ncolumns; i++)
	{
		Mapped	   *mapped = &mapping->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(slot, mapped->attnum, &isnull);
		const char *text;
		JsonbValue	name;
		JsonbValue	item;

		switch (mapped->purpose)
		{
			case FOR_KEY:
				raw->key = isnull ? NULL : read_text(mapped, value);
				gives |= raw->key != NULL;
				break;
			case FOR_IDENTIFIER:
				text = isnull ? NULL : read_text(mapped, value);

				if (text == NULL)
					break;
				raw->identifiers[raw->nidentifiers].kind = mapped->name;
				raw->identifiers[raw->nidentifiers++].value = text;

				gives = true;
				break;
			case FOR_VIA:
				raw->via = isnull ? NULL : read_text(mapped, value);
				break;
			case FOR_TIME:
				raw->has_occurred_at = !isnull;
				raw->occurred_at = isnull ? 0 : read_time(mapped, value);
				break;
			case FOR_CONTACT_ID:
				break;
			case FOR_ATTRIBUTE:
				if (isnull)
				{
					bool		was_null = true;

					if (old != NULL)
						(void) slot_getattr(old, mapped->attnum, &was_null);
					if (was_null)
						break;
				}
				gives = true;
				if (state == NULL)
					(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
				item.type = jbvNull;
				if (!isnull && !read_json(mapped, value, &item, &size, error))
					break;
				name.type = jbvString;
				name.val.string.val = unconstify(char *, mapped->name);
				name.val.string.len = strlen(mapped->name);
				(void) pushJsonbValue(&state, WJB_KEY, &name);
				(void) pushJsonbValue(&state, WJB_VALUE, &item);
				break;
		}
	}
	if (state != NULL)
		raw->attributes = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	return gives;
}

/*
 * Whether an update changed something that the row gives.  The time column
 * alone is nothing: many tables move theirs with every update.
 */
static bool
row_changed(const Mapping *mapping, TupleTableSlot *old, TupleTableSlot *new)
{
	for (int i = 0; i < mapping->ncolumns; i++)
	{
		const Mapped *mapped = &mapping->columns[i];
		bool		old_null;
		bool		new_null;
		Datum		old_value;
		Datum		new_value;

		if (mapped->purpose == FOR_TIME || mapped->purpose == FOR_CONTACT_ID)
			continue;
		old_value = slot_getattr(old, mapped->attnum, &old_null);
		new_value = slot_getattr(new, mapped->attnum, &new_null);
		if (old_null != new_null ||
			(!new_null && !datum_image_eq(old_value, new_value, mapped->by_value, mapped->length)))
			return true;
	}
	return false;
}

/* ---- playing rows ---- */

/* Notes what became of a row. */
static void
note_played(void *arg, const CiCollected *collected, const CiRequest *request, const CiResult *result)
{
	Run		   *run = (Run *) arg;
	bool		failed = request->error.code != CI_OK;

	run->contact_id = failed || result->contact == NULL ? 0 : result->contact->id;
	if (run->nkey > 0)
		run->rows[collected - run->batch->requests].new_contact_id = run->contact_id;
	if (failed && run->first.code == CI_OK)
	{
		run->first.code = request->error.code;
		run->first.message = MemoryContextStrdup(run->memory, ci_error_text(&request->error));
	}
}

/*
 * Makes ready for rows of a table, as the arguments of its trigger say.  It
 * takes memory of the current context.
 */
static void
begin_run(Run *run, Relation relation, char **args, int nargs, bool attaching)
{
	memset(run, 0, sizeof(Run));
	run->relation = relation;
	run->memory = CurrentMemoryContext;
	read_mapping(relation, args, nargs, attaching, &run->mapping);
	run->context = AllocSetContextCreate(CurrentMemoryContext, "contact_identity rows", ALLOCSET_DEFAULT_SIZES);
	run->batch = ci_create_batch(CurrentMemoryContext);
	run->batch->raise = run->mapping.raises;
	run->batch->table = RelationGetRelationName(relation);
	run->batch->played = note_played;
	run->batch->played_arg = run;
}

/* Writes the ids of contacts into rows that do not have them. */
static void
write_contact_ids(Run *run, int count)
{
	StringInfoData sql;
	CiColumn   *columns;
	Datum	   *values;
	Oid		   *types;
	CiCaller	caller;

	columns = palloc(sizeof(CiColumn) * (run->nkey + 1));
	ci_column_init(&columns[0], INT8OID);
	for (int k = 0; k < run->nkey; k++)
		ci_column_init(&columns[k + 1], run->key[k].type);
	for (int i = 0; i < count; i++)
	{
		const Row  *row = &run->rows[i];

		if (row->new_contact_id == 0 || (row->has_contact_id && row->contact_id == row->new_contact_id))
			continue;
		ci_column_add_int64(&columns[0], row->new_contact_id);
		for (int k = 0; k < run->nkey; k++)
			ci_column_add(&columns[k + 1], row->key[k], false);
	}
	if (columns[0].count == 0)
		return;

	values = palloc(sizeof(Datum) * (run->nkey + 1));
	types = palloc(sizeof(Oid) * (run->nkey + 1));
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET %s = u.id FROM ROWS FROM (pg_catalog.unnest($1)",
					 table_name(run->relation), quote_identifier(run->mapping.contact_id->column));
	for (int k = 0; k < run->nkey; k++)
		appendStringInfo(&sql, ", pg_catalog.unnest($%d)", k + 2);
	appendStringInfoString(&sql, ") AS u (id");
	for (int k = 0; k < run->nkey; k++)
		appendStringInfo(&sql, ", k%d", k + 1);
	appendStringInfoString(&sql, ") WHERE ");
	for (int k = 0; k < run->nkey; k++)
	{
		generate_operator_clause(&sql, psprintf("t.%s", quote_identifier(run->key[k].name)), run->key[k].type,
								 run->key[k].equals, psprintf("u.k%d", k + 1), run->key[k].type);
		appendStringInfoString(&sql, " AND ");
	}
	appendStringInfo(&sql, "(t.%s OPERATOR(pg_catalog.=) u.id) IS NOT TRUE",
					 quote_identifier(run->mapping.contact_id->column));
	for (int k = 0; k <= run->nkey; k++)
	{
		types[k] = get_array_type(columns[k].type);
		values[k] = ci_column_array(&columns[k]);
	}

	become(run->relation->rd_rel->relowner, &caller);
	SPI_connect();
	if (SPI_execute_with_args(sql.data, run->nkey + 1, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not write contact ids into table \"%s\"", RelationGetRelationName(run->relation));
	SPI_finish();
	ci_become_caller(&caller);
}

/* Plays what waits. */
static void
flush_run(Run *run)
{
	MemoryContext outer;
	int			count = run->batch->count;
	int			nest_level;

	if (count == 0)
		return;
	nest_level = enter_path();
	ci_play_batch(run->batch);
	leave_path(nest_level);
	if (run->nkey == 0)
		return;
	outer = MemoryContextSwitchTo(run->context);
	write_contact_ids(run, count);
	MemoryContextSwitchTo(outer);
	MemoryContextReset(run->context);
	run->rows = NULL;
	run->size = 0;
}

/* Keeps what is needed to write the contact's id into a row, the nth that waits. */
static void
keep_row(Run *run, TupleTableSlot *slot, int n)
{
	MemoryContext outer = MemoryContextSwitchTo(run->context);
	bool		isnull;
	Row		   *row;

	if (n >= run->size)
	{
		run->size = Max(16, run->size * 2);
		if (run->rows == NULL)
			run->rows = palloc(sizeof(Row) * run->size);
		else
			run->rows = repalloc(run->rows, sizeof(Row) * run->size);
	}
	row = &run->rows[n];
	row->key = palloc(sizeof(Datum) * run->nkey);
	for (int k = 0; k < run->nkey; k++)
		row->key[k] = datumCopy(slot_getattr(slot, run->key[k].attnum, &isnull),
								run->key[k].by_value, run->key[k].length);
	row->contact_id = DatumGetInt64(slot_getattr(slot, run->mapping.contact_id->attnum, &isnull));
	row->has_contact_id = !isnull;
	row->new_contact_id = 0;
	MemoryContextSwitchTo(outer);
}

/* Takes a row; old is what it was before, if that is known. */
static void
add_row(Run *run, TupleTableSlot *slot, TupleTableSlot *old)
{
	MemoryContext outer = MemoryContextSwitchTo(run->batch->context);
	CiRawRequest raw;
	CiCollected *collected;
	CiError		error = {CI_OK};
	CiCaller	caller;
	bool		gives;

	run->line++;
	become(run->relation->rd_rel->relowner, &caller);
	gives = read_row(&run->mapping, slot, old, &raw, &error);
	ci_become_caller(&caller);
	MemoryContextSwitchTo(outer);
	if (!gives)
		return;
	if (run->nkey > 0)
		keep_row(run, slot, run->batch->count);
	collected = ci_collect(run->batch, run->line, run->mapping.account_id);
	collected->raw = raw;
	collected->error = error;
	if (ci_batch_is_full(run->batch))
		flush_run(run);
}

/* Plays the rest and says what could not be used. */
static void
end_run(Run *run)
{
	flush_run(run);
	if (run->batch->rejected > 0)
		ereport(WARNING,
				(errcode(ci_error_sqlstate(run->first.code)),
				 errmsg_plural("%lld row of table \"%s\" could not be used",
							   "%lld rows of table \"%s\" could not be used", (unsigned long) run->batch->rejected,
							   (long long) run->batch->rejected, RelationGetRelationName(run->relation)),
				 errdetail_internal("%s", run->first.message),
				 errhint("See contact_identity.rejected, job %lld.", (long long) run->batch->job),
				 errhidestmt(true), errhidecontext(true)));
}

/* ---- the triggers ---- */

/* Refuses to be called otherwise than attach() makes the triggers. */
static TriggerData *
check_trigger(FunctionCallInfo fcinfo, const char *name, TriggerEvent event, bool statement)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", name)));
	if ((data->tg_event & TRIGGER_EVENT_OPMASK) != event ||
		(statement ?
		 !TRIGGER_FIRED_AFTER(data->tg_event) || !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) ||
		 data->tg_newtable == NULL || (event == TRIGGER_EVENT_UPDATE && data->tg_oldtable == NULL) :
		 !TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" was not made by contact_identity.attach()",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation))));
	return data;
}

/* Starts to read a transition table; a slot for its rows. */
static TupleTableSlot *
read_rows(TriggerData *data, Tuplestorestate *rows)
{
	tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);
	return MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation), &TTSOpsMinimalTuple);
}

/* AFTER INSERT, for each statement: plays the new rows. */
Datum
ci_attached_insert(PG_FUNCTION_ARGS)
{
	TriggerData *data = check_trigger(fcinfo, "attached_insert", TRIGGER_EVENT_INSERT, true);
	TupleTableSlot *slot;
	Run			run;

	if (tuplestore_tuple_count(data->tg_newtable) == 0)
		return PointerGetDatum(NULL);
	begin_run(&run, data->tg_relation, data->tg_trigger->tgargs, data->tg_trigger->tgnargs, false);
	slot = read_rows(data, data->tg_newtable);
	while (tuplestore_gettupleslot(data->tg_newtable, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		add_row(&run, slot, NULL);
	}
	ExecDropSingleTupleTableSlot(slot);
	end_run(&run);
	return PointerGetDatum(NULL);
}

/* AFTER UPDATE, for each statement: plays the rows that give something else. */
Datum
ci_attached_update(PG_FUNCTION_ARGS)
{
	TriggerData *data = check_trigger(fcinfo, "attached_update", TRIGGER_EVENT_UPDATE, true);
	TupleTableSlot *old;
	TupleTableSlot *new;
	bool		in_pairs;
	Run			run;

	if (tuplestore_tuple_count(data->tg_newtable) == 0)
		return PointerGetDatum(NULL);
	begin_run(&run, data->tg_relation, data->tg_trigger->tgargs, data->tg_trigger->tgnargs, false);
	if (run.mapping.contact_id != NULL)
		read_primary_key(&run, false);
	in_pairs = tuplestore_tuple_count(data->tg_newtable) == tuplestore_tuple_count(data->tg_oldtable);
	old = read_rows(data, data->tg_oldtable);
	new = read_rows(data, data->tg_newtable);
	while (tuplestore_gettupleslot(data->tg_newtable, true, false, new))
	{
		bool		has_old = tuplestore_gettupleslot(data->tg_oldtable, true, false, old);

		CHECK_FOR_INTERRUPTS();
		if (!has_old || row_changed(&run.mapping, old, new))
			add_row(&run, new, has_old && in_pairs ? old : NULL);
		else
			run.line++;
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
	end_run(&run);
	return PointerGetDatum(NULL);
}

/*
 * BEFORE INSERT, for each row: plays the row and puts its contact's id into
 * it.  A row that has one already is left alone: it is a copy, or on its way
 * to another partition, which the server does by deleting and inserting.
 */
Datum
ci_attached_before_insert(PG_FUNCTION_ARGS)
{
	TriggerData *data = check_trigger(fcinfo, "attached_before_insert", TRIGGER_EVENT_INSERT, false);
	HeapTuple	result = data->tg_trigtuple;
	Run			run;
	bool		isnull;

	begin_run(&run, data->tg_relation, data->tg_trigger->tgargs, data->tg_trigger->tgnargs, false);
	if (run.mapping.contact_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" names no column for the contact's id",
						data->tg_trigger->tgname, RelationGetRelationName(data->tg_relation)),
				 hint_attach_again(data->tg_relation)));
	(void) slot_getattr(data->tg_trigslot, run.mapping.contact_id->attnum, &isnull);
	if (isnull)
	{
		add_row(&run, data->tg_trigslot, NULL);
		end_run(&run);
	}
	if (run.contact_id != 0)
	{
		int			column = run.mapping.contact_id->attnum;
		Datum		value = Int64GetDatum(run.contact_id);

		isnull = false;
		result = heap_modify_tuple_by_cols(data->tg_trigtuple, RelationGetDescr(data->tg_relation),
										   1, &column, &value, &isnull);
	}
	return PointerGetDatum(result);
}

/* ---- attach() and detach() ---- */

/* The arguments of the triggers, in pairs. */
typedef struct Pairs
{
	char	  **values;
	int			count;
	int			size;
} Pairs;

/* The triggers that attach() made on some tables, but for copies of a parent's. */
static CiStatement triggers_stmt = {
	.sql = "SELECT pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::pg_catalog.regclass),"
	" pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), E'\\\\000', 2)"
	" FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid"
	" JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
	" WHERE t.tgrelid OPERATOR(pg_catalog.=) ANY ($1) AND t.tgparentid OPERATOR(pg_catalog.=) 0"
	" AND n.nspname OPERATOR(pg_catalog.=) 'contact_identity' AND p.proname OPERATOR(pg_catalog.=) ANY"
	" ('{attached_insert,attached_update,attached_before_insert}'::pg_catalog.name[])"
	" ORDER BY t.tgrelid, t.tgname",
	.expected = SPI_OK_SELECT,
	.nargs = 1,
	.argtypes = {OIDARRAYOID},
	.free_plan = true
};

/* Adds a name and its value. */
static void
add_pair(Pairs *pairs, const char *name, const char *value)
{
	if (pairs->count + 2 > pairs->size)
	{
		pairs->size = Max(32, pairs->size * 2);
		pairs->values = pairs->values == NULL ? palloc(sizeof(char *) * pairs->size) :
			repalloc(pairs->values, sizeof(char *) * pairs->size);
	}
	pairs->values[pairs->count++] = pstrdup(name);
	pairs->values[pairs->count++] = pstrdup(value);
}

/* A text argument, or NULL. */
static char *
text_argument(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argno));
}

/* Whether the value of a pair is that column. */
static bool
is_mapped(const Pairs *pairs, const char *column)
{
	for (int i = 0; i < pairs->count; i += 2)
	{
		bool		names_column = strncmp(pairs->values[i], ATTRIBUTE_PREFIX, strlen(ATTRIBUTE_PREFIX)) == 0;

		for (int j = 0; j < lengthof(arguments); j++)
			names_column |= strcmp(pairs->values[i], arguments[j].name) == 0;
		if (names_column && strcmp(pairs->values[i + 1], column) == 0)
			return true;
	}
	return false;
}

/* Adds an attribute, unless there is one of that name. */
static void
add_attribute(Pairs *pairs, const CiConfig *config, const char *name, const char *column)
{
	char	   *pair = psprintf(ATTRIBUTE_PREFIX "%s", name);
	const CiKind *kind = ci_find_kind(config, name);

	if (kind != NULL)
		ci_refuse(CI_INVALID,
				  psprintf("column \"%s\" cannot become attribute \"%s\", which is the name of an identifier",
						   column, name),
				  psprintf("Use the argument \"%s\" instead, give it another name with '%s=name',"
						   " or leave it out with '%s='.",
						   kind->identifying ? kind->name : "key", column, column));
	if (strlen(name) > CI_MAX_ATTRIBUTE_NAME)
		ci_refuse(CI_INVALID,
				  psprintf("name of an attribute must be at most %d octets long", CI_MAX_ATTRIBUTE_NAME), NULL);
	for (int i = 0; i < pairs->count; i += 2)
	{
		if (strcmp(pairs->values[i], pair) == 0)
			ci_refuse(CI_INVALID, psprintf("attribute \"%s\" is given twice", name), NULL);
	}
	add_pair(pairs, pair, column);
}

/*
 * The argument attributes: 'column', 'column=name', or '*' for every column
 * that is neither mapped otherwise nor of the primary key, which says which row
 * it is and nothing about a person; 'column=' leaves one more out.
 */
static void
add_attributes(Pairs *pairs, const CiConfig *config, Relation relation, ArrayType *array)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Bitmapset  *left_out = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	bool		all = false;
	Datum	   *items;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *item = nulls[i] ? NULL : TextDatumGetCString(items[i]);
		char	   *name;
		Form_pg_attribute attribute;

		if (item == NULL)
			ci_refuse(CI_INVALID, "attributes must not contain null", NULL);
		name = strchr(item, '=');
		if (strcmp(item, "*") == 0)
			all = true;
		else if (name == NULL || find_column(relation, item) != NULL)
			add_attribute(pairs, config, item, item);
		else
		{
			*name++ = '\0';
			attribute = find_column(relation, item);
			if (attribute == NULL)
				ci_refuse(CI_INVALID, psprintf("column \"%.*s\" of table \"%s\" does not exist",
											   pg_mbcliplen(item, strlen(item), NAMEDATALEN - 1),
											   item, RelationGetRelationName(relation)), NULL);
			if (*name == '\0')
				left_out = bms_add_member(left_out, attribute->attnum - FirstLowInvalidHeapAttributeNumber);
			else
				add_attribute(pairs, config, name, item);
		}
	}
	for (int i = 0; all && i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		char	   *column = NameStr(attribute->attname);

		if (!attribute->attisdropped && !is_mapped(pairs, column) &&
			!bms_is_member(attribute->attnum - FirstLowInvalidHeapAttributeNumber, left_out))
			add_attribute(pairs, config, column, column);
	}
}

/* The arguments of the triggers that a call of attach() asks for. */
static void
collect_pairs(FunctionCallInfo fcinfo, const CiConfig *config, Relation relation, Pairs *pairs)
{
	const char *via = text_argument(fcinfo, ARG_VIA);
	const char *on_error = text_argument(fcinfo, ARG_ON_ERROR);
	bool		finds = false;
	CiRawRequest raw = {.op = CI_OP_IDENTIFY};
	CiRequest	request;

	memset(pairs, 0, sizeof(Pairs));
	if (on_error == NULL || (strcmp(on_error, "report") != 0 && strcmp(on_error, "raise") != 0))
		ci_refuse(CI_INVALID, "on_error must be report or raise", NULL);
	if (via != NULL && !PG_ARGISNULL(ARG_VIA_COLUMN))
		ci_refuse(CI_INVALID, "only one of via and via_column can be given", NULL);

	/* The source and via are used as a call would, and refused as there. */
	raw.source = text_argument(fcinfo, ARG_SOURCE);
	raw.via = via;
	ci_prepare_request(config, &raw, &request);
	if (request.error.code != CI_OK)
		ci_report_error(&request.error);
	if (!PG_ARGISNULL(ARG_KEY) && PG_ARGISNULL(ARG_VIA_COLUMN) && request.key_kind == NULL)
		ci_refuse(CI_INVALID, psprintf("source \"%s\" takes no key", request.source->name),
				  "Leave out the key, or use another source.");

	add_pair(pairs, "account_id", psprintf("%d", config->account_id));
	add_pair(pairs, "source", raw.source);
	if (via != NULL)
		add_pair(pairs, "via", via);
	if (!PG_ARGISNULL(ARG_VERIFIED) && PG_GETARG_BOOL(ARG_VERIFIED))
		add_pair(pairs, "verified", "true");
	add_pair(pairs, "on_error", on_error);
	for (int i = 0; i < lengthof(arguments); i++)
	{
		if (PG_ARGISNULL(arguments[i].argno))
			continue;
		add_pair(pairs, arguments[i].name, text_argument(fcinfo, arguments[i].argno));
		finds |= arguments[i].argno <= ARG_LANDLINE;
	}
	if (!finds)
		ci_refuse(CI_INVALID, "no column is given that a contact could be found by",
				  "Name the column of at least one of key, email, phone, ext_id, whatsapp and landline.");
	if (!PG_ARGISNULL(ARG_ATTRIBUTES))
		add_attributes(pairs, config, relation, PG_GETARG_ARRAYTYPE_P(ARG_ATTRIBUTES));
}

/* What the column for the contact's id asks of the table. */
static void
check_contact_id(const Mapping *mapping, Relation relation)
{
	Form_pg_attribute attribute = find_column(relation, mapping->contact_id->column);

	if (attribute->attgenerated != '\0' || attribute->attidentity != '\0')
		ci_refuse(CI_INVALID, psprintf("column \"%s\" cannot receive the contact's id, since it is generated",
									   mapping->contact_id->column), NULL);
	for (int i = 0; i < mapping->ncolumns; i++)
	{
		const Mapped *mapped = &mapping->columns[i];

		if (find_column(relation, mapped->column)->attgenerated != '\0')
			ci_refuse(CI_INVALID, psprintf("column \"%s\" is generated and cannot be used beside contact_id",
										   mapped->column),
					  "It is not there yet when the contact's id is put into a new row.");
		if (mapped != mapping->contact_id && strcmp(mapped->column, mapping->contact_id->column) == 0)
			ci_refuse(CI_INVALID, psprintf("column \"%s\" receives the contact's id and cannot be used as %s too",
										   mapped->column, mapped->name), NULL);
	}
}

/* Reads the triggers of some tables; SPI must be connected. */
static uint64
find_triggers(List *tables)
{
	CiColumn	column;
	Datum		value;
	ListCell   *cell;

	ci_column_init(&column, OIDOID);
	foreach(cell, tables)
		ci_column_add(&column, ObjectIdGetDatum(lfirst_oid(cell)), false);
	value = ci_column_array(&column);
	return ci_run(&triggers_stmt, &value, NULL, false);
}

/*
 * Locks a table that the caller owns, and its partitions, for its triggers to
 * be changed; they are returned, the table first.
 */
static List *
lock_table(Oid table)
{
	List	   *tables = list_make1_oid(table);
	LOCKMODE	mode;
	Relation	relation;
	ListCell   *cell;

	if (get_rel_name(table) != NULL && !CI_OWNS_TABLE(table, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(table)), get_rel_name(table));

	/* Triggers are made beside readers, but not dropped. */
	mode = find_triggers(tables) > 0 ? AccessExclusiveLock : ShareRowExclusiveLock;
	SPI_freetuptable(SPI_tuptable);
	relation = try_relation_open(table, mode);
	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	if (relation->rd_rel->relkind != RELKIND_RELATION && relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(relation))));
	if (RelationGetNamespace(relation) == get_namespace_oid("contact_identity", true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is one of contact_identity's own", RelationGetRelationName(relation))));
	if (relation->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is a partition", RelationGetRelationName(relation)),
				 errhint("Name its partitioned table instead.")));
	if (relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		tables = find_all_inheritors(table, mode, NULL);
	relation_close(relation, NoLock);
	foreach(cell, tables)
	{
		Oid			partition = lfirst_oid(cell);

		if (!CI_OWNS_TABLE(partition, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(partition)),
						   get_rel_name(partition));
	}
	return tables;
}

/* Drops the triggers of some tables; whether there were any, for that account. */
static bool
drop_triggers(List *tables, const char *account)
{
	uint64		count = find_triggers(tables);
	SPITupleTable *triggers = SPI_tuptable;
	bool		any = false;

	for (uint64 i = 0; i < count; i++)
	{
		const char *sql = SPI_getvalue(triggers->vals[i], triggers->tupdesc, 1);

		if (account != NULL && strcmp(SPI_getvalue(triggers->vals[i], triggers->tupdesc, 2), account) != 0)
			continue;
		if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not run: %s", sql);
		any = true;
	}
	SPI_freetuptable(triggers);
	return any;
}

/*
 * Makes a trigger.  The caller owns the table and may call attach(), but not
 * execute the trigger functions, since that would let him make triggers with
 * arguments of his choice; so the server's own role makes it.
 */
static void
make_trigger(Oid table, const char *name, const char *when, const char *function, const Pairs *pairs)
{
	StringInfoData sql;
	CiCaller	caller;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TRIGGER %s %s EXECUTE FUNCTION contact_identity.%s(", name,
					 psprintf(when, quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
															   get_rel_name(table))),
					 function);
	for (int i = 0; i < pairs->count; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? "" : ", ", quote_literal_cstr(pairs->values[i]));
	appendStringInfoChar(&sql, ')');
	become(BOOTSTRAP_SUPERUSERID, &caller);
	if (SPI_execute(sql.data, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", sql.data);
	ci_become_caller(&caller);
}

/*
 * Makes the triggers of a table and its partitions.  A row that is written
 * through the partitioned table is seen by that table's triggers of
 * statements, one that is written to a partition directly by the partition's.
 * The trigger of rows is copied to partitions by the server.
 */
static void
make_triggers(List *tables, const Pairs *pairs, bool fills)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		Oid			table = lfirst_oid(cell);

		if (get_rel_relkind(table) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("partition \"%s\" is a foreign table", get_rel_name(table)),
					 errdetail("The server does not show its rows to triggers of statements.")));
		if (!fills)
			make_trigger(table, INSERT_TRIGGER,
						 "AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT",
						 "attached_insert", pairs);
		make_trigger(table, UPDATE_TRIGGER,
					 "AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
					 "attached_update", pairs);
	}
	if (fills)
		make_trigger(linitial_oid(tables), BEFORE_TRIGGER, "BEFORE INSERT ON %s FOR EACH ROW",
					 "attached_before_insert", pairs);
}

/*
 * Plays the rows that are in the table, in order of its time column, else of
 * its primary key, else as they lie.
 */
static int64
take_in(Run *run)
{
	MemoryContext outer = CurrentMemoryContext;
	TimestampTz reported = GetCurrentTimestamp();
	TupleTableSlot *slot = NULL;
	StringInfoData sql;
	StringInfoData order;
	CiCaller	caller;
	SPIPlanPtr	plan;
	Portal		portal;
	int			n = 0;

	initStringInfo(&sql);
	initStringInfo(&order);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < run->mapping.ncolumns; i++)
	{
		Mapped	   *mapped = &run->mapping.columns[i];

		appendStringInfo(&sql, "%st.%s", n == 0 ? "" : ", ", quote_identifier(mapped->column));
		mapped->attnum = ++n;
		if (mapped->purpose == FOR_TIME)
			appendStringInfo(&order, "%d, ", mapped->attnum);
	}
	for (int i = 0; i < run->nkey; i++)
	{
		appendStringInfo(&sql, ", t.%s", quote_identifier(run->key[i].name));
		run->key[i].attnum = ++n;
		appendStringInfo(&order, "%d, ", run->key[i].attnum);
	}
	appendStringInfo(&sql, " FROM %s AS t ORDER BY %st.tableoid, t.ctid", table_name(run->relation), order.data);

	become(run->relation->rd_rel->relowner, &caller);
	SPI_connect();
	plan = SPI_prepare(sql.data, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s for: %s", SPI_result_code_string(SPI_result), sql.data);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	for (;;)
	{
		SPITupleTable *table;
		TimestampTz now;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, ROWS_READ_AT_ONCE);
		table = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		MemoryContextSwitchTo(outer);
		if (slot == NULL)
			slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(table->tupdesc), &TTSOpsHeapTuple);
		for (uint64 i = 0; i < table->numvals; i++)
		{
			ExecStoreHeapTuple(table->vals[i], slot, false);
			add_row(run, slot, NULL);
		}
		ExecClearTuple(slot);
		SPI_freetuptable(table);
		now = GetCurrentTimestamp();
		if (now - reported >= PROGRESS_INTERVAL)
		{
			reported = now;
			ereport(NOTICE,
					(errmsg_internal("taking in table \"%s\": %s so far", RelationGetRelationName(run->relation),
									 ci_describe_outcomes(run->batch))));
		}
	}
	SPI_cursor_close(portal);
	SPI_finish();
	ci_become_caller(&caller);
	flush_run(run);
	ereport(NOTICE,
			(errmsg_internal("taking in table \"%s\": %s", RelationGetRelationName(run->relation),
							 ci_describe_outcomes(run->batch))));
	return run->batch->done - run->batch->rejected;
}

/*
 * attach("table", source, key, email, phone, ext_id, whatsapp, landline,
 * attributes, via, occurred_at, contact_id, verified, via_column, on_error,
 * take_in, account_id)
 */
Datum
ci_attach(PG_FUNCTION_ARGS)
{
	bool		takes_in = !PG_ARGISNULL(ARG_TAKE_IN) && PG_GETARG_BOOL(ARG_TAKE_IN);
	int			account_id = ci_account_argument(fcinfo, ARG_ACCOUNT_ID);
	MemoryContext outer = CurrentMemoryContext;
	int			nest_level = enter_path();
	const CiConfig *config;
	CiCaller	caller;
	Relation	relation;
	List	   *tables;
	Pairs		pairs;
	bool		fills;
	int64		taken = 0;
	Run			run;

	PreventCommandIfReadOnly("contact_identity.attach()");
	ci_become_owner(&caller);
	SPI_connect();
	MemoryContextSwitchTo(outer);
	config = ci_get_config(account_id);
	ci_become_caller(&caller);
	if (PG_ARGISNULL(ARG_TABLE))
		ci_refuse(CI_INVALID, "table must be given", NULL);
	tables = lock_table(PG_GETARG_OID(ARG_TABLE));
	if (takes_in && IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("rows can be taken in only where the isolation level is READ COMMITTED"),
				 errdetail("Rows that others have just written would be missed.")));

	/* Everything is looked up before anything is made. */
	relation = relation_open(linitial_oid(tables), NoLock);
	collect_pairs(fcinfo, config, relation, &pairs);
	begin_run(&run, relation, pairs.values, pairs.count, true);
	fills = run.mapping.contact_id != NULL;
	if (fills)
	{
		check_contact_id(&run.mapping, relation);
		read_primary_key(&run, true);
	}
	relation_close(relation, NoLock);

	drop_triggers(tables, NULL);
	make_triggers(tables, &pairs, fills);
	SPI_finish();
	leave_path(nest_level);

	if (takes_in)
	{
		relation = relation_open(linitial_oid(tables), NoLock);
		begin_run(&run, relation, pairs.values, pairs.count, true);
		if (fills)
			read_primary_key(&run, true);
		taken = take_in(&run);
		end_run(&run);
		relation_close(relation, NoLock);
	}
	PG_RETURN_INT64(taken);
}

/* detach("table", account_id) */
Datum
ci_detach(PG_FUNCTION_ARGS)
{
	const char *account = PG_ARGISNULL(1) ? NULL : psprintf("%d", PG_GETARG_INT32(1));
	MemoryContext outer = CurrentMemoryContext;
	bool		any;

	PreventCommandIfReadOnly("contact_identity.detach()");
	if (PG_ARGISNULL(0))
		ci_refuse(CI_INVALID, "table must be given", NULL);
	SPI_connect();
	MemoryContextSwitchTo(outer);
	any = drop_triggers(lock_table(PG_GETARG_OID(0)), account);
	SPI_finish();
	PG_RETURN_BOOL(any);
}
