# What the suites that play storms share; to be sourced. Needs $scratch, a folder.
number=0 failed=0
sessions=12
storm=$(dirname "${BASH_SOURCE[0]}")

# report STATUS NAME [FILE]: a line of TAP; the file says what went wrong.
report() {
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		[ -z "${3:-}" ] || head -n 20 "$3" | cut -c 1-${WIDTH:-1000} | sed 's/^/# /'
		failed=1
	fi
}

# sql ARGS...: psql that says nothing but rows and stops at an error.
sql() {
	PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning" psql -XAtq -v ON_ERROR_STOP=1 "$@"
}

# none NAME QUERY...: queries that must answer no row.
none() {
	local status=0 name=$1
	shift
	sql "${@/#/-c}" >"$scratch/rows" 2>&1 || status=1
	[ ! -s "$scratch/rows" ] || status=1
	report $status "$name" "$scratch/rows"
}

# What a call may be refused for, whoever else is there: SQLSTATE and message.
# A unique violation is one of ours, which names no constraint.
expected='22023: an identified contact cannot be merged into an anonymous one'
expected+='|22023: key belongs to another contact than contact_id'
expected+='|22023: (conflict_id|contact_id|survivor|loser|a|b) must be given'
expected+='|23505: value belongs to another contact'
expected+='|55000: conflict [0-9]+ is settled already'
expected+='|22023: [a-z_]+ was erased and is not to be stored again'
expected+='|22023: a contact is not another person than itself'
expected+='|55000: contact [0-9]+ is not merged'
expected+='|55000: the merge of contact [0-9]+ cannot be undone now'
expected+='|55000: the contacts are (one|set distinct)'
expected+='|25P02: current transaction is aborted, commands ignored until end of transaction block'
expected+='|P0002: (contact|conflict) [0-9]+ does not exist'

# create_storm: the database's objects, and the extension where it is missing.
create_storm() {
	sql -c 'CREATE EXTENSION IF NOT EXISTS contact_identity' -c 'SELECT contact_identity.setup()' \
		-f "$storm/calls.sql" -f "$storm/replay.sql" >/dev/null
}

# write_scripts SEED CALLS: a script for each session of the account in
# PGOPTIONS, and the calls that come before all of them.
write_scripts() {
	local session
	sql >/dev/null <<-'SQL' || return
		SELECT storm.play('identify', '{"source": "shop", "ext_id": "ledger"}');
		SELECT storm.play('identify', '{"source": "conversations", "key": "conversations0", "email": "e0@example.org"}');
		SELECT storm.play('identify', '{"source": "conversations", "key": "conversations0", "email": "e1@example.org"}');
	SQL
	for session in $(seq $sessions); do
		sql >"$scratch/$session.sql" <<-SQL || return
			SELECT setseed($(($1 % 32768)) / 32768.0 - $session / 32.0);
			SELECT storm.script($session, $2);
		SQL
	done
}

# play_scripts: all sessions at once. What each printed and was refused is in
# $scratch/SESSION.out and .err; fails when one did not come to its end.
play_scripts() {
	local session pids=() status=0
	for session in $(seq $sessions); do
		psql -XAtq -v VERBOSITY=verbose -f "$scratch/$session.sql" \
			>"$scratch/$session.out" 2>"$scratch/$session.err" &
		pids+=($!)
	done
	for session in "${pids[@]}"; do wait "$session" || status=1; done
	return $status
}

# unexpected_errors [PATTERN]: the errors of the sessions but for what may be.
unexpected_errors() {
	sed -n 's/^psql:.*: \(ERROR\|FATAL\|PANIC\):  //p' "$scratch"/[0-9]*.err | sort | uniq -c | sort -rn |
		grep -vE "^ *[0-9]+ ($expected${1:+|$1})\$"
}

# look_at ACCOUNT TWIN NAME: what must be so after a storm.
look_at() {
	sql -c 'ANALYZE storm.played, contact_identity.event, contact_identity.contact, contact_identity.identifier'
	none "$3: check_integrity() finds no breach" \
		"SELECT * FROM contact_identity.check_integrity() WHERE account_id = $1"
	none "$3: the counts equal the rows" "
		SELECT * FROM contact_identity.contact_counts n
		WHERE n.account_id = $1
		  AND (n.identified, n.listing_total, n.home_total) IS DISTINCT FROM
		      ((SELECT count(*) FROM contact_identity.all_contacts WHERE account_id = $1 AND state = 'identified'),
		       (SELECT count(*) FROM contact_identity.contacts WHERE account_id = $1),
		       (SELECT count(*) FROM contact_identity.all_contacts WHERE account_id = $1))"
	none "$3: previews wrote nothing" "
		SELECT played_id, op, args FROM storm.played WHERE account_id = $1 AND op LIKE 'preview%' AND had_xid"
	none "$3: no event but of a call" "
		SELECT e.event_id FROM contact_identity.event e WHERE e.account_id = $1
		EXCEPT SELECT c.event_id FROM storm.event_of_call c WHERE c.account_id = $1"
	replay "$@"
	sql -F ' ' -c "SELECT '#', calls, 'calls,', wrote, 'wrote,', shared, 'to what another session had written,', met, 'at the same time,', contacts, 'contacts' FROM storm.figures($1)"
}

# replay ACCOUNT TWIN NAME: whether the calls in some order explain all of it.
replay() {
	none "$3: history explains what the calls that wrote nothing answered" "SELECT * FROM storm.unexplained($1)"
	none "$3: the calls played one by one answer the same" "CALL storm.replay($1, $2)" \
		"SELECT played_id, problem FROM storm.difference WHERE account_id = $1"
	[ ! -s "$scratch/rows" ] &&	# else they differ for that reason
		none "$3: and leave the same" 'ANALYZE' "SELECT * FROM storm.differences($1, $2)"
	none "$3: the replay too is whole" "SELECT * FROM contact_identity.check_integrity() WHERE account_id = $2"
}
