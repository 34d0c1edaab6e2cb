#!/bin/sh
# Prints the path of a Python that can run Stenograph: it starts, its version fits, and it can make environments.
#   find_python.sh          any fitting version: $PYTHON if it is set, else `python3`, else the first one found
#   find_python.sh 3.13     that version and no other
# Without one it prints why on standard error and exits 1.
set -u

wanted=${1:-}
oldest=3.11
newest=3.13

# A name on the PATH proves nothing: a version manager's stand-in exists for versions that it refuses to run.
probe='
import ensurepip, sys, venv
wanted, oldest, newest = (tuple(map(int, text.split("."))) if text else None for text in sys.argv[1:])
version = sys.version_info[:2]
if version != wanted if wanted else not oldest <= version <= newest:
    raise SystemExit("is Python %d.%d" % version)
print(getattr(sys, "_base_executable", sys.executable))
'

# fits COMMAND: prints the interpreter behind it, or fails with the reason in $reason.
fits() {
    if ! command -v "$1" >/dev/null 2>&1; then
        reason="is not there"
        return 1
    fi
    if found=$("$1" -I -c "$probe" "$wanted" "$oldest" "$newest" 2>&1) && [ -x "$found" ]; then
        return 0
    fi
    reason=$(printf '%s\n' "$found" | sed '/^ *$/d' | tail -n 1)
    return 1
}

if [ -n "${PYTHON:-}" ] && [ -z "$wanted" ]; then
    if fits "$PYTHON"; then
        echo "$found"
        exit 0
    fi
    echo "PYTHON=$PYTHON cannot be used: $reason. Stenograph needs Python $oldest to $newest with venv and ensurepip." >&2
    exit 1
fi

tried=
for candidate in \
    ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 \
    "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.1[321]*/bin/python \
    "${HOME:-/nonexistent}"/.pyenv/versions/3.1[321]*/bin/python \
    /usr/bin/python3 /usr/local/bin/python3.1[321] /opt/homebrew/bin/python3.1[321]; do
    if fits "$candidate"; then
        echo "$found"
        exit 0
    fi
    [ "$reason" = "is not there" ] || tried="$tried
  $candidate: $reason"
done

if [ -n "$wanted" ]; then
    echo "no working Python $wanted was found (with venv and ensurepip)" >&2
else
    echo "Stenograph needs Python $oldest to $newest with venv and ensurepip; none was found.$tried
Install one, or name it: make PYTHON=/path/to/python3" >&2
fi
exit 1
