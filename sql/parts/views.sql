-- The views over the tables, made by setup().  Each table in a view says by
-- itself which accounts the reader may see: the planner does not carry that
-- over a join.  The sub-select around readable_accounts() makes the server ask
-- once for a query and not once for a row.
--
-- Tables that only add a column are joined from the left on a unique index, so
-- that a query that does not ask for the column does not read them.
CREATE FUNCTION contact_identity.make_views() RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $views$
DECLARE
    views text[] := '{}';       -- names and definitions, in turn
    made text[] := '{}';
    replaced text[] := '{}';
    view_name text;
    definition text;
    present regclass;
    differs boolean;
    item record;
    -- contacts and all_contacts differ in whom they show, and in nothing else.
    listing constant text := $listing$
        SELECT c.account_id,
               c.contact_id,
               (CASE c.state
                    WHEN 'anonymous' THEN replace(c.anonymous_label, '<id>', c.contact_id::text)
                    ELSE coalesce(c.email,
                                  (SELECT i.value
                                   FROM contact_identity.identifier i
                                   JOIN contact_identity.identifier_kind k
                                     ON k.account_id = i.account_id AND k.kind = i.kind
                                   WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                                     AND i.is_primary
                                   ORDER BY k.strength LIMIT 1))
                END) COLLATE "default" AS label,
               c.state,
               c.email,
               c.phone,
               c.ext_id,
               c.whatsapp,
               c.landline,
               c.attributes,
               ARRAY(SELECT DISTINCT r.channel
                     FROM contact_identity.audience r
                     WHERE r.account_id = c.account_id AND r.contact_id = c.contact_id
                     ORDER BY r.channel)::text[] AS reachable,
               (SELECT count(*)
                FROM contact_identity.conflict o
                WHERE o.account_id = c.account_id AND o.contact_id = c.contact_id
                  AND o.status = 'open') AS open_conflicts,
               c.created_at,
               c.identified_at,
               c.updated_at,
               c.last_seen_at
        FROM contact_identity.live_contact c
        $listing$;
    -- Whom the listing shows (RULES 2.1, 2.2).  OFFSET 0 has each contact looked
    -- up by itself: else the planner reads all keys of all contacts before it
    -- shows the first of a page.
    listed constant text := $listed$
        WHERE c.state = 'identified'
           OR EXISTS (SELECT
                      FROM contact_identity.identifier i
                      JOIN contact_identity.identifier_kind k
                        ON k.account_id = i.account_id AND k.kind = i.kind
                      WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                        AND NOT i.parked AND k.channel = 'push'
                      OFFSET 0)
           OR (c.made = 'push'
               AND NOT EXISTS (SELECT
                               FROM contact_identity.identifier i
                               WHERE i.account_id = c.account_id AND i.contact_id = c.contact_id
                                 AND NOT i.parked
                               OFFSET 0))
        $listed$;
BEGIN
    -- A key reaches by push and by nothing else, an identifier as primary
    -- only (RULES 2.7).
    views := views || ARRAY['audience', $view$
        SELECT i.account_id,
               i.contact_id,
               k.channel,
               i.value
        FROM contact_identity.identifier i
        JOIN contact_identity.identifier_kind k
          ON k.account_id = i.account_id AND k.kind = i.kind
         AND k.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE i.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND NOT i.parked
          AND CASE WHEN k.identifying THEN i.is_primary AND k.channel IS NOT NULL
                   ELSE i.opted_in AND k.channel = 'push' END
          AND NOT EXISTS (SELECT
                          FROM contact_identity.block b
                          WHERE b.account_id = i.account_id AND b.contact_id = i.contact_id
                            AND b.channel = k.channel)
        $view$];

    views := views || ARRAY['live_contact', $view$
        SELECT c.account_id,
               c.contact_id,
               c.state,
               c.made,
               a.anonymous_label,
               email.value AS email,
               phone.value AS phone,
               ext_id.value AS ext_id,
               whatsapp.value AS whatsapp,
               landline.value AS landline,
               c.attributes,
               c.created_at,
               c.identified_at,
               c.updated_at,
               c.last_seen_at
        FROM contact_identity.contact c
        LEFT JOIN contact_identity.account a
          ON a.account_id = c.account_id
         AND a.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier email
          ON email.account_id = c.account_id AND email.contact_id = c.contact_id
         AND email.kind = 'email' AND (CASE WHEN email.is_primary THEN 1 END) = 1
         AND email.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier phone
          ON phone.account_id = c.account_id AND phone.contact_id = c.contact_id
         AND phone.kind = 'phone' AND (CASE WHEN phone.is_primary THEN 1 END) = 1
         AND phone.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier ext_id
          ON ext_id.account_id = c.account_id AND ext_id.contact_id = c.contact_id
         AND ext_id.kind = 'ext_id' AND (CASE WHEN ext_id.is_primary THEN 1 END) = 1
         AND ext_id.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier whatsapp
          ON whatsapp.account_id = c.account_id AND whatsapp.contact_id = c.contact_id
         AND whatsapp.kind = 'whatsapp' AND (CASE WHEN whatsapp.is_primary THEN 1 END) = 1
         AND whatsapp.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier landline
          ON landline.account_id = c.account_id AND landline.contact_id = c.contact_id
         AND landline.kind = 'landline' AND (CASE WHEN landline.is_primary THEN 1 END) = 1
         AND landline.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE c.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND c.state IN ('anonymous', 'identified')
        $view$];

    -- These two read tables through live_contact alone, and beside it only what
    -- belongs to one of its rows.  They are no barriers themselves, because a
    -- barrier has every column of every row made before the rows are sorted: a
    -- page of 50 would cost as much as all contacts.
    views := views || ARRAY['contacts', listing || listed, 'all_contacts', listing];

    views := views || ARRAY['contact_counts', $view$
        SELECT a.account_id,
               n.identified,
               n.anonymous_push,
               n.anonymous_conversations,
               n.identified + n.anonymous_push AS listing_total,
               n.identified + n.anonymous_push + n.anonymous_conversations AS home_total
        FROM contact_identity.account a
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(p.identified), 0)::bigint AS identified,
                   coalesce(sum(p.anonymous_push), 0)::bigint AS anonymous_push,
                   coalesce(sum(p.anonymous_conversations), 0)::bigint AS anonymous_conversations
            FROM contact_identity.contact_count p
            WHERE p.account_id = a.account_id) n
        WHERE a.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    views := views || ARRAY['identifiers', $view$
        SELECT i.account_id,
               i.kind,
               i.value,
               coalesce(i.given, i.value) AS given,
               i.contact_id,
               k.identifying,
               i.is_primary,
               i.opted_in OR k.identifying OR k.channel IS DISTINCT FROM 'push' AS active,
               i.verified,
               i.source,
               i.updated_at
        FROM contact_identity.identifier i
        LEFT JOIN contact_identity.identifier_kind k
          ON k.account_id = i.account_id AND k.kind = i.kind
         AND k.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE i.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
          AND NOT i.parked
        $view$];

    views := views || ARRAY['conflicts', $view$
        SELECT v.account_id,
               v.conflict_id,
               v.contact_id,
               v.field_type,
               v.field,
               CASE v.field_type
                    WHEN 'identifier' THEN to_jsonb(p.value)
                    ELSE c.attributes -> v.field
               END AS primary_value,
               v.secondary_value,
               (SELECT nullif(live.contact_id, v.contact_id)
                FROM contact_identity.contact o
                JOIN contact_identity.contact live
                  ON live.account_id = o.account_id AND live.contact_id = coalesce(o.survivor_id, o.contact_id)
                WHERE o.account_id = v.account_id AND o.contact_id = v.owner_contact_id
                  AND live.state IN ('anonymous', 'identified')) AS owner_contact_id,
               v.source,
               v.via,
               v.key,
               v.status,
               v.given_at,
               v.settled_by,
               v.settled_at,
               v.key_kind,
               v.given
        FROM contact_identity.conflict v
        LEFT JOIN contact_identity.contact c
          ON c.account_id = v.account_id AND c.contact_id = v.contact_id
         AND c.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        LEFT JOIN contact_identity.identifier p
          ON p.account_id = v.account_id AND p.contact_id = v.contact_id AND p.kind = v.field
         AND (CASE WHEN p.is_primary THEN 1 END) = 1
         AND p.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE v.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    views := views || ARRAY['merges', $view$
        SELECT m.account_id,
               m.merge_id,
               m.survivor_id,
               m.merged_id,
               m.source,
               m.actor,
               m.merged_at,
               m.detail,
               m.role,
               m.undone_at,
               m.undone_by
        FROM contact_identity.merge m
        WHERE m.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    views := views || ARRAY['distinct_contacts', $view$
        SELECT p.account_id,
               p.contact_id,
               p.other_id AS other_contact_id,
               p.actor,
               p.role,
               p.set_at
        FROM contact_identity.distinct_pair p
        WHERE p.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    views := views || ARRAY['history', $view$
        SELECT h.account_id,
               h.event_id,
               h.contact_id,
               h.event,
               h.field_type,
               CASE h.field_type
                   WHEN 'list' THEN coalesce((SELECT l.name FROM contact_identity.list l
                                              WHERE l.account_id = h.account_id
                                                AND l.list_id = h.field::integer), h.field)
                   ELSE h.field
               END AS field,
               h.old_value,
               h.new_value,
               h.source,
               h.via,
               h.actor,
               h.role,
               h.occurred_at,
               h.written_at,
               h.call_id,
               h.merge_id,
               h.conflict_id,
               h.other_contact_id,
               h.old_source,
               h.old_at,
               h.new_source,
               h.new_at,
               h.found_kind,
               h.found_value,
               h.detail,
               h.xid
        FROM contact_identity.event h
        WHERE h.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    views := views || ARRAY['lists', $view$
        SELECT m.account_id,
               l.name AS list,
               m.contact_id,
               m.subscribed,
               m.since
        FROM contact_identity.list_member m
        LEFT JOIN contact_identity.list l
          ON l.account_id = m.account_id AND l.list_id = m.list_id
         AND l.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        WHERE m.account_id = ANY ((SELECT contact_identity.readable_accounts())::integer[])
        $view$];

    -- It holds nothing.  Its columns are texts, so that what is not of a
    -- column's type is a rejected request and no error of COPY.
    views := views || ARRAY['inbox', $view$
        SELECT n.t AS source,
               n.t AS key,
               n.t AS email,
               n.t AS phone,
               n.t AS ext_id,
               n.t AS whatsapp,
               n.t AS landline,
               n.t AS attributes,
               n.t AS via,
               n.t AS occurred_at,
               n.t AS contact_id,
               n.t AS verified,
               n.t AS actor,
               n.t AS op,
               n.t AS account_id
        FROM (VALUES (NULL::text)) n (t)
        WHERE false
        $view$];

    FOR i IN 1 .. cardinality(views) / 2 LOOP
        view_name := views[2 * i - 1];
        definition := CASE WHEN view_name NOT IN ('contacts', 'all_contacts') THEN ' WITH (security_barrier)' ELSE '' END
                      || ' AS ' || views[2 * i];
        present := to_regclass('contact_identity.' || view_name);
        IF present IS NULL THEN
            EXECUTE format('CREATE VIEW contact_identity.%I', view_name) || definition;
            made := made || view_name;
            CONTINUE;
        END IF;

        -- One that an earlier version made is replaced where this one makes
        -- another; that keeps its rights, comments and triggers.  The server
        -- alone can say whether two are the same.
        EXECUTE 'CREATE VIEW contact_identity.contact_identity_new' || definition;
        differs := pg_get_viewdef(present) <> pg_get_viewdef('contact_identity.contact_identity_new'::regclass);
        DROP VIEW contact_identity.contact_identity_new;
        IF differs THEN
            BEGIN
                EXECUTE format('CREATE OR REPLACE VIEW contact_identity.%I', view_name) || definition;
                replaced := replaced || view_name;
            EXCEPTION WHEN invalid_table_definition OR wrong_object_type THEN
                RAISE WARNING 'view contact_identity.% is not what setup() makes, and stays as it is', view_name
                    USING DETAIL = SQLERRM,
                          HINT = 'Drop it, and run setup() again, to have the one of this version.';
            END;
        END IF;
    END LOOP;

    FOR view_name IN
        SELECT v.name
        FROM unnest('{contacts,all_contacts}'::text[]) v (name)
        WHERE NOT EXISTS (SELECT FROM pg_trigger t
                          WHERE t.tgrelid = to_regclass('contact_identity.' || v.name)
                            AND t.tgname = 'contact_identity_write')
    LOOP
        EXECUTE format('CREATE TRIGGER contact_identity_write INSTEAD OF INSERT OR UPDATE OR DELETE'
                       ' ON contact_identity.%I FOR EACH ROW'
                       ' EXECUTE FUNCTION contact_identity.write_contacts()', view_name);
    END LOOP;
    FOR item IN
        SELECT *
        FROM (VALUES ('contact_identity_inbox_begin', 'BEFORE INSERT OR UPDATE OR DELETE', 'STATEMENT'),
                     ('contact_identity_inbox_row', 'INSTEAD OF INSERT OR UPDATE OR DELETE', 'ROW'),
                     ('contact_identity_inbox_end', 'AFTER INSERT', 'STATEMENT')) t (name, fired, level)
        WHERE NOT EXISTS (SELECT FROM pg_trigger g
                          WHERE g.tgrelid = 'contact_identity.inbox'::regclass AND g.tgname = t.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I %s ON contact_identity.inbox FOR EACH %s'
                       ' EXECUTE FUNCTION contact_identity.write_inbox()', item.name, item.fired, item.level);
    END LOOP;

    FOR item IN
        SELECT v.name, v.comment
        FROM (VALUES
            ('live_contact', 'What contacts and all_contacts are made of; read those.'),
            ('contacts', 'The listing: every identified and every anonymous push contact (RULES 2.2).'),
            ('all_contacts', 'Every live contact: the listing and the anonymous conversations contacts.'),
            ('contact_counts', 'Exact numbers of contacts, a row for each account; they equal count(*) over the rows of the same snapshot (RULES 2.3, 2.4).'),
            ('identifiers', 'Every identifier and key and whose it is. A detached key is nobody''s and not here.'),
            ('conflicts', 'Secondary values: given and different from the primary one, open and settled (RULES 5).'),
            ('merges', 'What each merge took and set aside (RULES 6.8).'),
            ('distinct_contacts', 'Contacts that are different people, by set_distinct() or because their merge was undone (RULES 10.4).'),
            ('history', 'Every change of every contact (RULES 10.1); event_id gives the order.'),
            ('lists', 'Who is on a list, and who was.'),
            ('audience', 'Every value that a contact can be reached by now (RULES 2.7): one row for each primary identifier and each opted-in push key whose channel is not blocked.'),
            ('inbox', 'Takes INSERT and COPY: each row is a request that is played as identify() would, many at a time. A row that cannot be used goes to the table rejected.')
        ) v (name, comment)
        WHERE v.name = ANY (made)
    LOOP
        EXECUTE format('REVOKE ALL ON contact_identity.%I FROM PUBLIC', item.name);
        EXECUTE format('COMMENT ON VIEW contact_identity.%I IS %L', item.name, item.comment);
    END LOOP;

    FOR item IN
        WITH described (views, name, comment) AS (VALUES
            ('live_contact contacts all_contacts contact_counts identifiers conflicts merges distinct_contacts history lists audience',
             'account_id', 'The contact database that the row belongs to.'),

            ('live_contact contacts all_contacts', 'contact_id', 'The contact; its number never changes meaning.'),
            ('contacts all_contacts', 'label', 'What to call it: its e-mail address, else its strongest identifier; of an anonymous one the account''s anonymous_label with the contact''s id (RULES 1.5).'),
            ('live_contact contacts all_contacts', 'state', 'anonymous or identified: it is identified while it holds an identifying identifier (RULES 1.4).'),
            ('live_contact contacts all_contacts', 'email', 'Primary e-mail address, normalised; null: none. The view identifiers has the spelling and the aliases.'),
            ('live_contact contacts all_contacts', 'phone', 'Primary telephone number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'ext_id', 'Primary id in the customer''s own system; null: none.'),
            ('live_contact contacts all_contacts', 'whatsapp', 'Primary WhatsApp number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'landline', 'Primary landline number in E.164; null: none.'),
            ('live_contact contacts all_contacts', 'attributes', 'Primary values by name, a JSON object; cleared ones are left out.'),
            ('contacts all_contacts', 'reachable', 'The channels it can be reached by now, in alphabetical order, of email, push, sms and whatsapp; {}: none (RULES 2.7).'),
            ('contacts all_contacts', 'open_conflicts', 'How many secondary values wait for an agent (RULES 5).'),
            ('live_contact contacts all_contacts', 'created_at', 'When the contact was made, in the time of the information (RULES 4.10).'),
            ('live_contact contacts all_contacts', 'identified_at', 'When it became identified; null: anonymous.'),
            ('live_contact contacts all_contacts', 'updated_at', 'When anything about it last changed.'),
            ('live_contact contacts all_contacts', 'last_seen_at', 'When it was last seen, noted at most once in the account''s seen_interval (RULES 1.2).'),

            ('live_contact', 'made', 'What its source makes: push or conversations; null: nothing anonymous (RULES 2.1).'),
            ('live_contact', 'anonymous_label', 'The account''s label of anonymous contacts.'),

            ('contact_counts', 'identified', 'Identified contacts.'),
            ('contact_counts', 'anonymous_push', 'Anonymous contacts that hold a push key, or no key and were made by a push source (RULES 2.1).'),
            ('contact_counts', 'anonymous_conversations', 'All other anonymous contacts.'),
            ('contact_counts', 'listing_total', 'identified + anonymous_push: the rows of the view contacts.'),
            ('contact_counts', 'home_total', 'listing_total + anonymous_conversations: the rows of the view all_contacts.'),

            ('identifiers', 'kind', 'Kind of the identifier or key, a row of identifier_kind.'),
            ('identifiers', 'value', 'The normalised value, unique in its account and kind (RULES 7, 9.1).'),
            ('identifiers', 'given', 'The value as it was spelt when it was given.'),
            ('identifiers', 'contact_id', 'The contact that owns it.'),
            ('identifiers', 'identifying', 'true: an identifier, which makes its contact identified; false: a key.'),
            ('identifiers', 'is_primary', 'true: the contact''s one primary value of that kind; false: a key, or an alias that a merge left (RULES 6.4).'),
            ('identifiers', 'active', 'false: a push key that is opted out (RULES 1.7).'),
            ('identifiers', 'verified', 'true: a call with verified => true gave it, or an agent promoted it (RULES 4.18).'),
            ('identifiers', 'source', 'The source that gave it to its contact.'),
            ('identifiers', 'updated_at', 'The time of the value, or of the key''s attachment, that newer calls are compared with (RULES 3.9, 4.10).'),

            ('conflicts', 'conflict_id', 'The conflict, as promote() and dismiss() take it.'),
            ('conflicts', 'contact_id', 'The contact that the value was given for.'),
            ('conflicts', 'field_type', 'identifier or attribute.'),
            ('conflicts', 'field', 'The identifier''s kind, or the attribute''s name.'),
            ('conflicts', 'primary_value', 'The contact''s primary value as it is now; null: it has none.'),
            ('conflicts', 'secondary_value', 'The value that was given and differs; an identifier is normalised.'),
            ('conflicts', 'owner_contact_id', 'The other contact whose value it was when it was given, followed to its survivor; null: nobody else''s, or erased (RULES 5.7).'),
            ('conflicts', 'source', 'The source that gave it; merge: a merge set it aside.'),
            ('conflicts', 'via', 'The via that it came by; null: none was given.'),
            ('conflicts', 'key', 'The key that it was given with; of a merge the ended contact''s id; null: none.'),
            ('conflicts', 'status', 'open, promoted, dismissed or obsolete.'),
            ('conflicts', 'given_at', 'The time of the value.'),
            ('conflicts', 'settled_by', 'The agent, or the actor that the call named, whose call settled it; null: open, or none was named.'),
            ('conflicts', 'settled_at', 'When it was settled; null: open.'),
            ('conflicts', 'key_kind', 'The kind of the key; contact: key is the id of a merge''s ended contact.'),
            ('conflicts', 'given', 'An identifier as it was spelt when it was given; null of attributes.'),

            ('merges', 'merge_id', 'The merge; rows of history name it.'),
            ('merges', 'survivor_id', 'The contact that lived on then; resolve() leads to the one that does now.'),
            ('merges', 'merged_id', 'The contact that ended.'),
            ('merges', 'source', 'The source of the call that merged.'),
            ('merges', 'actor', 'The agent, or the actor that the call named; null: none.'),
            ('merges', 'merged_at', 'When they were merged.'),
            ('merges', 'detail', 'What was taken and what was set aside, as unmerge needs it.'),
            ('merges', 'role', 'The session''s role.'),
            ('merges', 'undone_at', 'When unmerge() undid it; null: it holds (RULES 10.3).'),
            ('merges', 'undone_by', 'The agent who undid it.'),

            ('distinct_contacts', 'contact_id', 'One of the two, as it was then; it also holds for whom that was merged into.'),
            ('distinct_contacts', 'other_contact_id', 'The other one, of a higher number.'),
            ('distinct_contacts', 'actor', 'The agent who said so; null: a call merged one of the two with somebody who had the pair.'),
            ('distinct_contacts', 'role', 'The session''s role.'),
            ('distinct_contacts', 'set_at', 'When it was said.'),

            ('history', 'event_id', 'The change; a later one has a higher number.'),
            ('history', 'contact_id', 'The contact that changed.'),
            ('history', 'event', 'What happened, in a word.'),
            ('history', 'field_type', 'contact, identifier, key, attribute, list or block.'),
            ('history', 'field', 'The kind, the attribute''s name, the list''s name or the channel.'),
            ('history', 'old_value', 'What was there before; null: nothing.'),
            ('history', 'new_value', 'What is there since, or a conflict''s secondary value; null: nothing.'),
            ('history', 'source', 'The source of the call; null: it needs none.'),
            ('history', 'via', 'The via of the call; null: none was given.'),
            ('history', 'actor', 'The agent, or the actor that the call named; null: none.'),
            ('history', 'role', 'The session''s role.'),
            ('history', 'occurred_at', 'When it happened: the time of the call''s information (RULES 4.10).'),
            ('history', 'written_at', 'When it was written.'),
            ('history', 'call_id', 'Joins the rows of one call.'),
            ('history', 'merge_id', 'Joins the rows of one merge; null: of none.'),
            ('history', 'conflict_id', 'The conflict that was opened, moved or settled; null: none.'),
            ('history', 'other_contact_id', 'The contact that it came from, went to or belongs to; null: none.'),
            ('history', 'old_source', 'The source that had given the old value.'),
            ('history', 'old_at', 'The time of the old value.'),
            ('history', 'new_source', 'The source that gave the new value.'),
            ('history', 'new_at', 'The time of the new value.'),
            ('history', 'found_kind', 'The kind of the key or identifier that the call found its contact by, or made a new one for; null: by contact_id.'),
            ('history', 'found_value', 'That key or identifier.'),
            ('history', 'detail', 'What else changed about an identifier or key.'),
            ('history', 'xid', 'The transaction that wrote it.'),

            ('lists', 'list', 'Name of the list.'),
            ('lists', 'contact_id', 'The contact.'),
            ('lists', 'subscribed', 'false: was on the list and left it (RULES 4.12).'),
            ('lists', 'since', 'Since when that is so.'),

            ('audience', 'contact_id', 'The contact.'),
            ('audience', 'channel', 'email, push, sms or whatsapp.'),
            ('audience', 'value', 'The normalised identifier or the push key to reach it by.'),

            ('inbox', 'source', 'Where the data comes from.'),
            ('inbox', 'key', 'The visitor''s or browser''s key.'),
            ('inbox', 'email', 'E-mail address.'),
            ('inbox', 'phone', 'Telephone number.'),
            ('inbox', 'ext_id', 'Id in the customer''s own system.'),
            ('inbox', 'whatsapp', 'WhatsApp number.'),
            ('inbox', 'landline', 'Landline number.'),
            ('inbox', 'attributes', 'A JSON object of names and values.'),
            ('inbox', 'via', 'The way it came by, of those that the source lists.'),
            ('inbox', 'occurred_at', 'When it was said, a timestamptz; null: now.'),
            ('inbox', 'contact_id', 'The contact that is meant, where that is known.'),
            ('inbox', 'verified', 'true: the application vouches for what is given.'),
            ('inbox', 'actor', 'Who gives it.'),
            ('inbox', 'op', 'identify, capture, subscribe, unsubscribe or logout; null: identify.'),
            ('inbox', 'account_id', 'The contact database; null: that of the setting contact_identity.account_id.'))
        SELECT v.name AS view, d.name, d.comment
        FROM described d
        CROSS JOIN string_to_table(d.views, ' ') AS v (name)
        JOIN pg_attribute a
          ON a.attrelid = to_regclass('contact_identity.' || v.name) AND a.attname = d.name
        WHERE v.name = ANY (made)
           OR (v.name = ANY (replaced) AND col_description(a.attrelid, a.attnum) IS NULL)
    LOOP
        EXECUTE format('COMMENT ON COLUMN contact_identity.%I.%I IS %L', item.view, item.name, item.comment);
    END LOOP;
END
$views$;
COMMENT ON FUNCTION contact_identity.make_views() IS 'Makes the views that are missing, and replaces those that an earlier version made otherwise; setup() calls it.';
