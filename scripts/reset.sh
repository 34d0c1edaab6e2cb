#!/bin/sh
# Removes .steno, the data of the pipelines on this machine, unless a server still runs on it.
set -eu
cd "$(dirname "$0")/.."

[ -d .steno ] || { echo "There is no .steno: nothing to remove."; exit 0; }
find .steno -name postmaster.pid -type f | while read -r file; do
    pid=$(head -n 1 "$file")
    if kill -0 "$pid" 2>/dev/null; then
        echo "A Postgres of ${file%/postmaster.pid} still runs as process $pid. Stop its pipeline first." >&2
        exit 1
    fi
done
rm -rf .steno
echo "Removed .steno."
