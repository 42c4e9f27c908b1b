/*-------------------------------------------------------------------------
 *
 * integrity.c
 *	  check_integrity(): proves what must never happen (RULES 9).
 *
 * Each check is one statement over whole tables, and answers a row for each
 * breach: account, rule, object and problem.  They name numbers, kinds and
 * fields, and no value.  The statements name operators and functions without
 * a schema, since the function has pg_catalog as its search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"

#include "statement.h"

#define LIVE "('anonymous', 'identified')"

/* The four columns of a breach. */
#define BREACH(account, rule, object, problem) \
	"SELECT " account ", '" rule "', " object ", " problem

/* An event about an identifier's or key's row, and not about a conflict. */
#define IDENTIFIER_EVENT \
	"e.field_type IN ('identifier', 'key') AND NOT starts_with(e.event, 'conflict_')"

/*
 * The last row before the time up to which history was purged [10.9]: which one
 * came before it is not known any more.  Tables of 1.0.0 have no such time.
 */
#define LAST_PURGED(e, partition) \
	"max(" e ".event_id) FILTER (WHERE " e ".written_at < h.history_from) OVER (PARTITION BY " partition ")"
#define JOIN_HORIZON \
	" JOIN (SELECT a.account_id, (to_jsonb(a) ->> 'history_from')::timestamptz AS history_from" \
	" FROM contact_identity.account a) h USING (account_id)"

#define CHECK(text) {.sql = text, .expected = SPI_OK_SELECT, .free_plan = true}

static CiStatement checks[] = {
	/* Whose identifiers are. */
	CHECK(BREACH("i.account_id", "9.1",
				 "'contacts ' || string_agg(DISTINCT i.contact_id::text, ', ')",
				 "'hold the same ' || i.kind")
		  " FROM contact_identity.identifier i"
		  " GROUP BY i.account_id, i.kind, i.value HAVING count(*) > 1"),
	CHECK(BREACH("i.account_id", "9.2", "'contact ' || i.contact_id",
				 "CASE WHEN c.contact_id IS NULL THEN 'does not exist and holds a value of kind '"
				 " ELSE 'is ' || c.state || ' and holds a value of kind ' END || i.kind")
		  " FROM contact_identity.identifier i LEFT JOIN contact_identity.contact c"
		  " ON c.account_id = i.account_id AND c.contact_id = i.contact_id"
		  " WHERE c.contact_id IS NULL OR c.state NOT IN " LIVE),
	CHECK(BREACH("i.account_id", "0", "'contact ' || i.contact_id",
				 "'holds a value of the unknown kind ' || i.kind")
		  " FROM contact_identity.identifier i WHERE NOT EXISTS (SELECT"
		  " FROM contact_identity.identifier_kind k WHERE k.account_id = i.account_id AND k.kind = i.kind)"),
	CHECK(BREACH("i.account_id", "0", "'contact ' || i.contact_id",
				 "CASE WHEN i.is_primary THEN 'has a key as primary value, of kind '"
				 " WHEN i.parked AND k.identifying THEN 'has a detached identifier, of kind '"
				 " ELSE 'is opted in or out by something other than a push key, of kind ' END || i.kind")
		  " FROM contact_identity.identifier i JOIN contact_identity.identifier_kind k"
		  " ON k.account_id = i.account_id AND k.kind = i.kind"
		  " WHERE CASE WHEN k.identifying THEN i.parked OR i.opted_in"
		  " ELSE i.is_primary OR ((i.opted_in OR i.parked) AND k.channel IS DISTINCT FROM 'push')"
		  " OR (i.opted_in AND i.parked) END"),
	CHECK(BREACH("i.account_id", "0", "'contact ' || i.contact_id",
				 "CASE WHEN count(*) FILTER (WHERE i.is_primary) > 1 THEN 'has more than one primary value of kind '"
				 " ELSE 'has an alias but no primary value of kind ' END || i.kind")
		  " FROM contact_identity.identifier i JOIN contact_identity.identifier_kind k"
		  " ON k.account_id = i.account_id AND k.kind = i.kind AND k.identifying"
		  " GROUP BY i.account_id, i.contact_id, i.kind HAVING count(*) FILTER (WHERE i.is_primary) <> 1"),

	/* Contacts. */
	CHECK(BREACH("c.account_id", "1.4", "'contact ' || c.contact_id",
				 "CASE c.state WHEN 'anonymous' THEN 'is anonymous and holds an identifier'"
				 " ELSE 'is identified and holds no identifier' END")
		  " FROM contact_identity.contact c LEFT JOIN (SELECT DISTINCT i.account_id, i.contact_id"
		  " FROM contact_identity.identifier i JOIN contact_identity.identifier_kind k"
		  " ON k.account_id = i.account_id AND k.kind = i.kind AND k.identifying) h"
		  " ON h.account_id = c.account_id AND h.contact_id = c.contact_id"
		  " WHERE c.state IN " LIVE " AND (c.state = 'identified') <> (h.contact_id IS NOT NULL)"),
	CHECK(BREACH("c.account_id", "9.3", "'contact ' || c.contact_id",
				 "CASE WHEN c.survivor_id IS NULL THEN 'is merged and has no survivor'"
				 " WHEN c.state <> 'merged' THEN 'is ' || c.state || ' and has a survivor'"
				 " WHEN s.contact_id IS NULL THEN 'has a survivor that does not exist'"
				 " ELSE 'has a survivor that is ' || s.state END")
		  " FROM contact_identity.contact c LEFT JOIN contact_identity.contact s"
		  " ON s.account_id = c.account_id AND s.contact_id = c.survivor_id"
		  " WHERE (c.state = 'merged' OR c.survivor_id IS NOT NULL)"
		  " AND (c.state <> 'merged' OR s.state IS NULL OR s.state NOT IN " LIVE ")"),
	CHECK(BREACH("c.account_id", "6.8", "'contact ' || c.contact_id", "'is merged without a record of the merge'")
		  " FROM contact_identity.contact c WHERE c.state = 'merged' AND NOT EXISTS (SELECT"
		  " FROM contact_identity.merge m WHERE m.account_id = c.account_id AND m.merged_id = c.contact_id)"),
	CHECK(BREACH("c.account_id", "0", "'contact ' || c.contact_id",
				 "CASE WHEN a.account_id IS NULL THEN 'is of an account that does not exist'"
				 " ELSE 'has attributes without time or source' END")
		  " FROM contact_identity.contact c LEFT JOIN contact_identity.account a"
		  " ON a.account_id = c.account_id WHERE a.account_id IS NULL"
		  " OR jsonb_typeof(c.attributes) <> 'object' OR jsonb_typeof(c.attribute_times) <> 'object'"
		  " OR (c.attributes <> '{}' AND c.attributes - ARRAY(SELECT jsonb_object_keys(c.attribute_times)) <> '{}')"),
	CHECK("WITH key AS (SELECT i.account_id, i.contact_id, bool_or(k.channel IS NOT DISTINCT FROM 'push') AS push"
		  " FROM contact_identity.identifier i JOIN contact_identity.identifier_kind k"
		  " ON k.account_id = i.account_id AND k.kind = i.kind AND NOT k.identifying"
		  " WHERE NOT i.parked GROUP BY i.account_id, i.contact_id"
		  "), class AS (SELECT c.account_id, CASE WHEN c.state = 'identified' THEN 'identified'"
		  " WHEN coalesce(key.push, c.made = 'push', false) THEN 'anonymous_push'"
		  " ELSE 'anonymous_conversations' END AS name, count(*) AS number"
		  " FROM contact_identity.contact c LEFT JOIN key"
		  " ON key.account_id = c.account_id AND key.contact_id = c.contact_id"
		  " WHERE c.state IN " LIVE " GROUP BY 1, 2"
		  "), counted AS (SELECT n.account_id, u.name, sum(u.number) AS number"
		  " FROM contact_identity.contact_count n CROSS JOIN LATERAL (VALUES ('identified', n.identified),"
		  " ('anonymous_push', n.anonymous_push), ('anonymous_conversations', n.anonymous_conversations))"
		  " u (name, number) GROUP BY 1, 2"
		  ") "
		  BREACH("account_id", "9.5", "'account ' || account_id",
				 "name || ' is counted as ' || coalesce(counted.number, 0) || ' and is '"
				 " || coalesce(class.number, 0)")
		  " FROM class FULL JOIN counted USING (account_id, name)"
		  " WHERE coalesce(class.number, 0) <> coalesce(counted.number, 0)"),

	/* Conflicts. */
	CHECK(BREACH("v.account_id", "5.1", "'contact ' || v.contact_id",
				 "'has more than one open conflict about ' || v.field || ' from one key or source'")
		  " FROM contact_identity.conflict v WHERE v.status = 'open'"
		  " GROUP BY v.account_id, v.contact_id, v.field_type, v.field, v.key_kind, v.key,"
		  " CASE WHEN v.key IS NULL THEN v.source END HAVING count(*) > 1"),
	CHECK(BREACH("v.account_id", "5.7", "'conflict ' || v.conflict_id", "'is open and equals the primary value'")
		  " FROM contact_identity.conflict v"
		  " LEFT JOIN contact_identity.identifier p ON v.field_type = 'identifier' AND p.account_id = v.account_id"
		  " AND p.contact_id = v.contact_id AND p.kind = v.field AND p.is_primary"
		  " LEFT JOIN contact_identity.contact c ON v.field_type = 'attribute' AND c.account_id = v.account_id"
		  " AND c.contact_id = v.contact_id"
		  " WHERE v.status = 'open' AND v.secondary_value = CASE v.field_type"
		  " WHEN 'identifier' THEN to_jsonb(p.value) ELSE c.attributes -> v.field END"),
	CHECK(BREACH("v.account_id", "5.7", "'conflict ' || v.conflict_id",
				 "CASE WHEN c.contact_id IS NULL THEN 'is of a contact that does not exist'"
				 " WHEN c.state NOT IN " LIVE " THEN 'is of a contact that is ' || c.state"
				 " WHEN o.contact_id IS NULL AND v.owner_contact_id IS NOT NULL"
				 " THEN 'names an owner that does not exist'"
				 " ELSE 'is about the unknown kind ' || v.field END")
		  " FROM contact_identity.conflict v"
		  " LEFT JOIN contact_identity.contact c ON c.account_id = v.account_id AND c.contact_id = v.contact_id"
		  " LEFT JOIN contact_identity.contact o ON o.account_id = v.account_id AND o.contact_id = v.owner_contact_id"
		  " LEFT JOIN contact_identity.identifier_kind k ON k.account_id = v.account_id AND k.kind = v.field"
		  " WHERE c.contact_id IS NULL OR c.state NOT IN " LIVE
		  " OR (o.contact_id IS NULL AND v.owner_contact_id IS NOT NULL)"
		  " OR (v.field_type = 'identifier' AND k.kind IS NULL)"),

	/* Lists and blocks. */
	CHECK(BREACH("m.account_id", "6.7", "'contact ' || m.contact_id",
				 "CASE WHEN c.contact_id IS NULL THEN 'does not exist and is on a list'"
				 " WHEN c.state NOT IN " LIVE " THEN 'is ' || c.state || ' and on a list'"
				 " ELSE 'is on a list that does not exist' END")
		  " FROM contact_identity.list_member m LEFT JOIN contact_identity.contact c"
		  " ON c.account_id = m.account_id AND c.contact_id = m.contact_id"
		  " LEFT JOIN contact_identity.list l ON l.account_id = m.account_id AND l.list_id = m.list_id"
		  " WHERE c.contact_id IS NULL OR c.state NOT IN " LIVE " OR l.list_id IS NULL"),
	CHECK(BREACH("b.account_id", "6.7", "'contact ' || b.contact_id",
				 "CASE WHEN c.contact_id IS NULL THEN 'does not exist and is blocked for '"
				 " ELSE 'is ' || c.state || ' and blocked for ' END || b.channel")
		  " FROM contact_identity.block b LEFT JOIN contact_identity.contact c"
		  " ON c.account_id = b.account_id AND c.contact_id = b.contact_id"
		  " WHERE c.contact_id IS NULL OR c.state NOT IN " LIVE),

	/*
	 * History [9.4], played again.  The newest event that names an identifier
	 * says whose it is: its contact's where it is the new value, else
	 * nobody's. A detached key whose opt-out is remembered goes with its last
	 * contact; that it is gone is right where somebody can have had it since
	 * whose rows about it were emptied by an erasure, or are purged.  What a
	 * contact had when it was merged is its survivor's, whose rows can be
	 * emptied as well.
	 */
	CHECK("WITH said AS (SELECT DISTINCT ON (account_id, kind, value) n.*"
		  " FROM (SELECT e.account_id, e.field AS kind, (e.new_value #>> '{}') COLLATE \"C\" AS value, e.event_id,"
		  " e.contact_id, e.written_at, true AS held, e.detail -> 'new' AS detail"
		  " FROM contact_identity.event e WHERE " IDENTIFIER_EVENT " AND e.new_value IS NOT NULL"
		  " UNION ALL SELECT e.account_id, e.field, (e.old_value #>> '{}') COLLATE \"C\", e.event_id,"
		  " e.contact_id, e.written_at, coalesce((e.detail -> 'new' ->> 'parked')::boolean, false), e.detail -> 'new'"
		  " FROM contact_identity.event e WHERE " IDENTIFIER_EVENT " AND e.old_value IS NOT NULL"
		  " AND e.old_value IS DISTINCT FROM e.new_value) n"
		  " ORDER BY account_id, kind, value, event_id DESC"
		  ") "
		  BREACH("account_id", "9.4", "'contact ' || coalesce(i.contact_id, said.contact_id)",
				 "CASE WHEN said.held IS NOT TRUE THEN 'holds a value that history does not know of, of kind '"
				 " WHEN i.contact_id IS NULL THEN 'holds by history a value that is nobody''s, of kind '"
				 " WHEN i.contact_id <> said.contact_id THEN 'holds what is another contact''s by history, of kind '"
				 " ELSE 'holds a value with other flags than history has, of kind ' END || kind")
		  " FROM contact_identity.identifier i FULL JOIN said USING (account_id, kind, value)"
		  " WHERE (said.held IS NOT TRUE AND i.contact_id IS NOT NULL)"
		  " OR (said.held AND i.contact_id IS NULL AND NOT EXISTS (SELECT FROM contact_identity.event m"
		  " JOIN contact_identity.event e ON e.account_id = m.account_id AND e.contact_id = m.other_contact_id"
		  " WHERE m.account_id = said.account_id AND m.contact_id = said.contact_id AND m.event = 'merged'"
		  " AND m.event_id > said.event_id AND e.event_id > m.event_id AND e.event IN ('moved_in', 'alias_added')"
		  " AND e.field = said.kind AND e.old_value IS NULL AND e.new_value IS NULL) AND (said.detail ->> 'parked' IS NULL OR NOT (EXISTS (SELECT"
		  " FROM contact_identity.event e"
		  " WHERE e.account_id = said.account_id AND e.field_type = 'key' AND e.field = said.kind"
		  " AND e.event_id > said.event_id AND e.event IN ('attached', 'moved_in')"
		  " AND e.old_value IS NULL AND e.new_value IS NULL)"
		  " OR EXISTS (SELECT FROM contact_identity.account a"
		  " WHERE a.account_id = said.account_id AND (to_jsonb(a) ->> 'purged_at')::timestamptz >= said.written_at))))"
		  " OR (said.held AND (i.contact_id <> coalesce((SELECT c.survivor_id FROM contact_identity.contact c"
		  " WHERE i.parked AND c.account_id = said.account_id AND c.contact_id = said.contact_id), said.contact_id)"
		  " OR i.is_primary <> coalesce((said.detail ->> 'primary')::boolean, false)"
		  " OR i.opted_in <> coalesce((said.detail ->> 'opted_in')::boolean, false)"
		  " OR i.parked <> coalesce((said.detail ->> 'parked')::boolean, false)"
		  " OR i.verified <> coalesce((said.detail ->> 'verified')::boolean, false)))"),

	/*
	 * Each row of history goes on from where the one before it left off.  A
	 * detached key whose opt-out is remembered may be anybody's next.  What a
	 * contact had when it was merged was its survivor's, whose own rows may
	 * have been emptied since [10.6], when unmerge() gives it back.
	 */
	CHECK("WITH named AS (SELECT e.account_id, e.event_id, e.written_at, e.contact_id, e.field AS kind, e.new_value AS value,"
		  " e.contact_id AS holder, e.old_value IS NOT DISTINCT FROM e.new_value AS held, false AS parked"
		  " FROM contact_identity.event e WHERE " IDENTIFIER_EVENT " AND e.new_value IS NOT NULL"
		  " UNION ALL SELECT e.account_id, e.event_id, e.written_at, e.contact_id, e.field, e.old_value, NULL, true,"
		  " coalesce((e.detail -> 'new' ->> 'parked')::boolean, false)"
		  " FROM contact_identity.event e WHERE " IDENTIFIER_EVENT " AND e.old_value IS NOT NULL"
		  " AND e.old_value IS DISTINCT FROM e.new_value"
		  "), line AS (SELECT n.*, lag(n.holder) OVER w AS held_by, lag(n.parked) OVER w AS was_parked,"
		  " lag(n.event_id) OVER w AS before, " LAST_PURGED("n", "n.account_id, n.kind, n.value") " AS last_purged"
		  " FROM named n" JOIN_HORIZON " WINDOW w AS (PARTITION BY n.account_id, n.kind, n.value ORDER BY n.event_id)"
		  ") "
		  BREACH("account_id", "9.4", "'event ' || event_id",
				 "CASE WHEN held THEN 'is about a value that by history was not its contact''s, of kind '"
				 " ELSE 'gives a contact what it had by history, of kind ' END || kind")
		  " FROM line WHERE (last_purged IS NULL OR event_id > last_purged) AND NOT was_parked AND held <> (held_by IS NOT DISTINCT FROM contact_id)"
		  " AND (held OR NOT EXISTS (SELECT FROM contact_identity.event m WHERE m.account_id = line.account_id"
		  " AND m.contact_id = line.contact_id AND m.event = 'merged'"
		  " AND m.event_id > line.before AND m.event_id < line.event_id))"),
	CHECK("WITH line AS (SELECT account_id, contact_id, e.call_id, e.event_id, e.field_type, e.field, e.old_value, e.new_value,"
		  " e.field_type = 'attribute' AND (e.old_at IS NULL) <> (e.new_at IS NULL) AS comes_or_goes,"
		  " lag(e.event_id) OVER w AS before, lag(e.new_value) OVER w AS value_before,"
		  " " LAST_PURGED("e", "account_id, contact_id, e.field_type, e.field") " AS last_purged"
		  " FROM contact_identity.event e JOIN contact_identity.contact c USING (account_id, contact_id)" JOIN_HORIZON
		  " WHERE e.field_type IN ('attribute', 'list', 'block') AND NOT starts_with(e.event, 'conflict_')"
		  " AND c.state <> 'erased'"	/* whose values are gone [10.6] */
		  " WINDOW w AS (PARTITION BY account_id, contact_id, e.field_type, e.field ORDER BY e.event_id)"
		  ") "
		  BREACH("account_id", "9.4", "'event ' || event_id",
				 "CASE WHEN old_value IS NOT DISTINCT FROM value_before THEN 'says no change of '"
				 " ELSE 'says a change from what was not there by history, of ' END || field_type || ' ' || field")
		  " FROM line WHERE before IS NOT NULL AND (last_purged IS NULL OR event_id > last_purged)"
	/* unmerge() gives a contact again what it had when it ended */
		  " AND NOT EXISTS (SELECT FROM contact_identity.event u WHERE u.account_id = line.account_id"
		  " AND u.contact_id = line.contact_id AND u.call_id = line.call_id AND u.event = 'unmerged')"
		  " AND (old_value IS DISTINCT FROM value_before"
		  " OR (old_value IS NOT DISTINCT FROM new_value AND NOT comes_or_goes"
	/* what a merge brought that was undone is emptied with its contact [10.6] */
		  " AND (new_value IS NOT NULL OR NOT EXISTS (SELECT FROM contact_identity.event r"
		  " WHERE r.account_id = line.account_id AND r.contact_id = line.contact_id AND r.event = 'released'))))"),
	CHECK("WITH live AS (SELECT c.account_id, c.contact_id, c.attributes FROM contact_identity.contact c"
		  " WHERE c.state IN " LIVE
		  "), said AS (SELECT DISTINCT ON (e.account_id, e.contact_id, e.field) e.account_id, e.contact_id,"
		  " e.field, e.new_value FROM contact_identity.event e"
		  " WHERE e.field_type = 'attribute' AND e.event IN ('set', 'cleared', 'unset')"
		  " ORDER BY e.account_id, e.contact_id, e.field, e.event_id DESC"
		  "), newest AS (SELECT s.* FROM said s JOIN live USING (account_id, contact_id)"
		  " WHERE s.new_value IS NOT NULL"
		  "), stored AS (SELECT l.account_id, l.contact_id, a.key COLLATE \"C\" AS field, a.value"
		  " FROM live l CROSS JOIN LATERAL jsonb_each(l.attributes) a WHERE l.attributes <> '{}'"
		  ") "
		  BREACH("account_id", "9.4", "'contact ' || contact_id",
				 "CASE WHEN newest.new_value IS NULL THEN 'has an attribute that history does not know of: '"
				 " WHEN stored.value IS NULL THEN 'has by history an attribute that is not there: '"
				 " ELSE 'has another value than history for its attribute ' END || field")
		  " FROM stored FULL JOIN newest USING (account_id, contact_id, field)"
		  " WHERE stored.value IS DISTINCT FROM newest.new_value"),
	CHECK("WITH said AS (SELECT DISTINCT ON (e.account_id, e.contact_id) e.account_id, e.contact_id,"
		  " CASE WHEN e.event = 'erased' THEN 'erased' WHEN e.field = 'survivor' THEN 'merged'"
		  " ELSE e.new_value #>> '{}' END AS state,"
		  " CASE WHEN e.field = 'survivor' THEN e.new_value #>> '{}' END AS survivor"
		  " FROM contact_identity.event e"
		  " WHERE e.field_type = 'contact' AND (e.field IN ('state', 'survivor') OR e.event = 'erased')"
		  " ORDER BY e.account_id, e.contact_id, e.event_id DESC"
		  ") "
		  BREACH("account_id", "9.4", "'contact ' || contact_id",
				 "CASE WHEN said.state IS NULL THEN 'is not known to history'"
				 " WHEN c.state IS NULL THEN 'is ' || said.state || ' by history and does not exist'"
				 " WHEN c.state <> said.state THEN 'is ' || c.state || ' and by history ' || said.state"
				 " ELSE 'has another survivor than by history' END")
		  " FROM contact_identity.contact c FULL JOIN said USING (account_id, contact_id)"
		  " WHERE c.state IS DISTINCT FROM said.state OR c.survivor_id::text IS DISTINCT FROM said.survivor"),
	CHECK("WITH said AS (SELECT DISTINCT ON (e.account_id, e.contact_id, e.field_type, e.field) e.account_id,"
		  " e.contact_id, e.field_type, e.field, e.new_value FROM contact_identity.event e"
		  " WHERE e.field_type IN ('list', 'block')"
		  " ORDER BY e.account_id, e.contact_id, e.field_type, e.field, e.event_id DESC"
		  "), newest AS (SELECT s.* FROM said s JOIN contact_identity.contact c USING (account_id, contact_id)"
		  " WHERE c.state IN " LIVE " AND (s.field_type = 'list' OR s.new_value = 'true')"
		  "), stored AS (SELECT m.account_id, m.contact_id, 'list' AS field_type,"
		  " m.list_id::text COLLATE \"C\" AS field, to_jsonb(m.subscribed) AS value"
		  " FROM contact_identity.list_member m"
		  " UNION ALL SELECT b.account_id, b.contact_id, 'block', b.channel, 'true'"
		  " FROM contact_identity.block b"
		  ") "
		  BREACH("account_id", "9.4", "'contact ' || contact_id",
				 "CASE WHEN newest.new_value IS NULL THEN 'has a row that history does not know of: '"
				 " WHEN stored.value IS NULL THEN 'has by history a row that is not there: '"
				 " ELSE 'differs from history: ' END || field_type || ' ' || field")
		  " FROM stored FULL JOIN newest USING (account_id, contact_id, field_type, field)"
		  " WHERE stored.value IS DISTINCT FROM newest.new_value"),
	CHECK("WITH said AS (SELECT e.account_id, e.conflict_id, (array_agg(e.contact_id ORDER BY e.event_id DESC))[1]"
		  " AS contact_id, (array_agg(CASE e.event WHEN 'conflict_opened' THEN 'open'"
		  " ELSE substr(e.event, 10) END ORDER BY e.event_id DESC)"
		  " FILTER (WHERE e.event <> 'conflict_moved'))[1] AS status FROM contact_identity.event e"
		  " WHERE starts_with(e.event, 'conflict_') GROUP BY e.account_id, e.conflict_id"
		  ") "
		  BREACH("account_id", "9.4", "'conflict ' || conflict_id",
				 "CASE WHEN said.contact_id IS NULL THEN 'is not known to history'"
				 " WHEN v.contact_id IS NULL THEN 'is ' || said.status || ' by history and does not exist'"
				 " WHEN v.contact_id <> said.contact_id THEN 'is another contact''s by history'"
				 " ELSE 'is ' || v.status || ' and by history ' || said.status END")
		  " FROM contact_identity.conflict v FULL JOIN said USING (account_id, conflict_id)"
		  " WHERE (v.contact_id IS DISTINCT FROM said.contact_id OR v.status IS DISTINCT FROM said.status)"
	/* those of a merge that is undone are gone with it [10.3] */
		  " AND (v.contact_id IS NOT NULL OR said.status <> 'withdrawn')"
	/* those of an erased contact are gone with it [5.7] */
		  " AND (v.contact_id IS NOT NULL OR EXISTS (SELECT FROM contact_identity.contact c"
		  " WHERE c.account_id = said.account_id AND c.contact_id = said.contact_id AND c.state IN " LIVE "))"),

	/*
	 * Attached tables; the arguments of their triggers begin with the
	 * account.
	 */
	CHECK("WITH made AS (SELECT t.tgrelid, t.tgname, t.tgfoid, t.tgargs FROM pg_trigger t"
		  " JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.pronamespace = 'contact_identity'::regnamespace"
		  " AND p.proname IN ('attached_insert', 'attached_update', 'attached_before_insert')"
		  ") "
		  BREACH("split_part(encode(m.tgargs, 'escape'), E'\\\\000', 2)::integer", "8.1",
				 "'table ' || r.relid::regclass",
				 "'is a partition of ' || m.tgrelid::regclass || ' and lacks its trigger ' || m.tgname"
				 " || ': attach the table again'")
		  " FROM made m JOIN pg_class c ON c.oid = m.tgrelid AND c.relkind = 'p' AND NOT c.relispartition"
		  " CROSS JOIN LATERAL pg_partition_tree(m.tgrelid) r"
		  " WHERE r.relid <> m.tgrelid AND NOT EXISTS (SELECT FROM made h"
		  " WHERE h.tgrelid = r.relid AND h.tgfoid = m.tgfoid AND h.tgargs = m.tgargs)")
};

PG_FUNCTION_INFO_V1(ci_check_integrity);

/* check_integrity(): all checks, in one snapshot. */
Datum
ci_check_integrity(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CiCaller	caller;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	ci_become_owner(&caller);
	SPI_connect();
	for (int i = 0; i < lengthof(checks); i++)
	{
		uint64		count = ci_run(&checks[i], NULL, NULL, true);

		CHECK_FOR_INTERRUPTS();
		ci_keep_rows(result, count);
		SPI_freetuptable(SPI_tuptable);

		/*
		 * A plan for tables as small as they are now could be hours on large
		 * ones.
		 */
		SPI_freeplan(checks[i].plan);
		checks[i].plan = NULL;
	}
	SPI_finish();
	ci_become_caller(&caller);
	return (Datum) 0;
}
