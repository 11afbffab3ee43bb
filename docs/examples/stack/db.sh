# The newest PostgreSQL that Debian has installed; elsewhere, the one in PATH.
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
exec "${bin:+$bin/}postgres" -D data -p 5433 -c listen_addresses=127.0.0.1 -c unix_socket_directories=
