#!/bin/sh
# Writes requirements/*.txt again from pyproject.toml: pinned and hashed, for every Python and platform at once, naming no host.
# Versions that still fit stay as they are; UPGRADE=1 takes the newest.
set -eu
cd "$(dirname "$0")/.."

python=$(sh scripts/find_python.sh)
tool=$(mktemp -d "${TMPDIR:-/tmp}/steno-lock.XXXXXX")
trap 'rm -rf "$tool"' EXIT
trap 'exit 1' INT TERM
"$python" -m venv "$tool"
"$tool/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5'

# resolve FILE OPTION...: one requirements file.
resolve() {
    file=$1
    shift
    echo "Resolving $file …"
    "$tool/bin/uv" pip compile pyproject.toml --group build "$@" --output-file "$file" --quiet \
        --universal --python-version 3.11 --generate-hashes ${UPGRADE:+--upgrade} \
        --no-config --no-emit-index-url --no-emit-find-links \
        --annotation-style line --custom-compile-command "make lock"
}

resolve requirements/dev.txt --extra dev
# The demo runs on the versions that the tests ran on.
resolve requirements/demo.txt --extra demo --constraint requirements/dev.txt
