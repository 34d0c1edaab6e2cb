#!/bin/sh
# Makes one environment ready: setup.sh PROFILE FOLDER [VERSION]
# PROFILE is a file of requirements/; FOLDER is the environment; VERSION asks for one Python version.
# Does nothing where nothing changed, starts afresh after an interruption.
set -eu
cd "$(dirname "$0")/.."

profile=$1
venv=$2
version=${3:-}
unfinished=$venv/.steno-unfinished

key_of() {
    cat pyproject.toml "requirements/$1.txt" | cksum
}

is_ready() {
    [ -f "$venv/.steno-$1" ] && [ "$(cat "$venv/.steno-$1")" = "$(key_of "$1")" ]
}

# An environment's scripts name its folder, and its Python may have been removed since.
is_usable() {
    [ ! -e "$unfinished" ] && grep -qF "$(pwd -P)/$venv" "$venv/bin/activate" && "$venv/bin/python" -c 'import pip'
}

if [ -d "$venv" ] && ! is_usable >/dev/null 2>&1; then
    rm -rf "$venv"
fi
# The development profile holds the demo's.
if is_ready "$profile" || { [ "$profile" = demo ] && is_ready dev; }; then
    exit 0
fi

if [ ! -d "$venv" ]; then
    python=$(sh scripts/find_python.sh ${version:+"$version"})
    echo "Setting up $venv with $("$python" -V) (once, about a minute) …"
    mkdir "$venv"
    : >"$unfinished"
    "$python" -m venv "$venv"
fi
: >"$unfinished"

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
unset PIP_USER PIP_TARGET PIP_PREFIX PYTHONHOME PYTHONPATH
if [ -z "${PIP_CACHE_DIR:-}" ] && { [ -z "${HOME:-}" ] || [ ! -O "$HOME" ] || [ ! -w "$HOME" ]; }; then
    export PIP_NO_CACHE_DIR=1
fi
echo "  installing $(grep -c '==' "requirements/$profile.txt") packages of requirements/$profile.txt …"
"$venv/bin/python" -m pip install --quiet --require-hashes -r "requirements/$profile.txt"
echo "  installing stenograph itself …"
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .

key_of "$profile" >"$venv/.steno-$profile"
rm -f "$unfinished"
echo "  $venv is ready."
