#!/bin/sh
# Runs tests on another version of Python as well: test_on.sh VERSION FOLDER TEST...
# Without such a Python it says so and succeeds, unless STENO_REQUIRE names it (python313).
set -eu
cd "$(dirname "$0")/.."

version=$1
venv=$2
shift 2
component=python$(echo "$version" | tr -d .)

if [ $# -eq 0 ]; then
    echo "No tests to run on Python $version."
    exit 0
fi
if ! reason=$(sh scripts/find_python.sh "$version" 2>&1 >/dev/null); then
    case ",${STENO_REQUIRE:-}," in
        *",$component,"*)
            echo "STENO_REQUIRE names $component, but $reason." >&2
            exit 1
            ;;
    esac
    echo "Not tested on Python $version: $reason."
    exit 0
fi
sh scripts/setup.sh dev "$venv" "$version"
echo "Tests on Python $version:"
# shellcheck disable=SC2086 # several words on purpose.
"$venv/bin/python" -m pytest -q ${PARALLEL:-} "$@"
