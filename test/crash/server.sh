# Servers that are made to crash; to be sourced. Needs $scratch and $sockets.

# A start that is given up while it goes on makes each later one fail.
export PGCTLTIMEOUT=600

# start_new_server DIRECTORY [INITDB'S ARGUMENTS]
start_new_server() {
	local data=$1
	shift
	initdb -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync "$@" >"$scratch/log" 2>&1 || return
	# Checkpoints come often, so that crashes meet them.
	cat >>"$data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$sockets'
		fsync = off
		max_prepared_transactions = 40
		checkpoint_timeout = 30s
		max_wal_size = 32MB
		min_wal_size = 32MB
		autovacuum_naptime = 1s
		log_min_messages = error
		${CI_STAGE:+extension_destdir = '$CI_STAGE'}
	CONF
	pg_ctl -D "$data" -l "$scratch/log" -s -w start
}

stop_server() {
	[ ! -f "$1/postmaster.pid" ] || pg_ctl -D "$1" -m immediate -s stop 2>/dev/null
}

# wait_for_server KIND DIRECTORY: until it has recovered from that crash. After
# the postmaster's end the others end by themselves, and only then can it start.
wait_for_server() {
	local tries=0
	if [ "$1" = backend ]; then
		until psql -XAtq -d postgres -c 'SELECT' >/dev/null 2>&1; do
			tries=$((tries + 1))
			[ $tries -lt 3000 ] || return
			sleep 0.1
		done
	else
		until pg_ctl -D "$2" -l "$scratch/log" -s -w start >/dev/null 2>&1; do
			tries=$((tries + 1))
			[ $tries -lt 3000 ] || return
			sleep 0.1
		done
	fi
}

# look_after_crash ACCOUNT NAME [PATTERN]: what must be so after a storm that
# ended in a crash; the sessions may have met errors of that pattern too.
look_after_crash() {
	local gid
	unexpected_errors "57P0[123]: .*|42704: prepared transaction .* does not exist${3:+|$3}" >"$scratch/errors"
	[ ! -s "$scratch/errors" ]
	report $? "$2: no other error" "$scratch/errors"
	# What was prepared is still there, and is ended now.
	while read -r gid; do
		sql -c "$([ $((RANDOM % 2)) = 0 ] && echo COMMIT || echo ROLLBACK) PREPARED '$gid'"
	done < <(sql -c "SELECT gid FROM pg_prepared_xacts")
	grep -hE '^[0-9]+$' "$scratch"/[0-9]*.out >"$scratch/known"
	known=$((${known:-0} + $(wc -l <"$scratch/known")))
	none "$2: all is there that a client knows to be committed" \
		"CREATE TEMP TABLE known (id bigint)" "\\copy known FROM '$scratch/known'" \
		"SELECT id FROM known WHERE id NOT IN (SELECT played_id FROM storm.played)"
	look_at "$1" $(($1 + 1000)) "$2"
	pg_amcheck --heapallindexed --install-missing -d "$PGDATABASE" >"$scratch/amcheck" 2>&1
	report $? "$2: pg_amcheck finds no fault" "$scratch/amcheck"
}
