[ -e data/PG_VERSION ] && exit 0
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
exec "${bin:+$bin/}initdb" -D data -U postgres --auth=trust
