#!/usr/bin/env bash
# Checks the change from the branch `base` to the branch `proposal` of a bare repository with the Gristmill that the
# base's corpus.toml names. It is run from the base, so a proposal cannot change it.
#
#   validate.sh REPOSITORY [options of `gristmill check`]
set -euo pipefail

repository=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

read_key='import sys, tomllib; print(tomllib.load(sys.stdin.buffer).get("gristmill", ""))'
gristmill=$(git -C "$repository" show base:corpus.toml | python3 -c "$read_key")
case $gristmill in
  "")
    echo 'corpus.toml of the branch that this is meant for names no Gristmill to check with: set its key `gristmill` there' >&2
    exit 1
    ;;
  *://*) ;;
  *.whl)
    git -C "$repository" show "base:$gristmill" > "$work/${gristmill##*/}"
    gristmill=$work/${gristmill##*/}
    ;;
esac

# Of its dependencies only those that the check needs: no judge, no scheduler, nothing to compile. They come first: pip
# would complain of the others.
export PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -- \
  'click>=8.1' 'gitpython>=3.1.44' 'numpy>=2.0' 'orjson>=3.10' 'pandera[polars]>=0.24' 'phonenumbers>=9.0' \
  'polars>=1.30' 'pyarrow>=20' 'pydantic>=2.11' 'python-stdnum>=1.20' 'rich>=14'
"$work/venv/bin/pip" install --quiet --no-deps -- "$gristmill"
"$work/venv/bin/gristmill" check "$repository" --base base --head proposal "$@"
