#!/bin/sh
# Install msadg with everything its tests need into a virtual environment: sh scripts/install.sh .venv
# uv where it can be had (half a minute), else pip (a few minutes); versions are those of constraints.txt.
set -eu
venv=$1
"${PYTHON:-python3}" -m venv "$venv"
# A wheel of torch without CUDA that lies on this machine is found through the same setting that pip reads.
UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}"
[ -n "$UV_FIND_LINKS" ] && export UV_FIND_LINKS || unset UV_FIND_LINKS
if "$venv/bin/pip" install --quiet "uv>=0.9,<1" &&
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode \
        -c constraints.txt -e ".[offline,ray,dev]" 2>"$venv/uv.log"; then
    :
else
    cat "$venv/uv.log" >&2 || true
    echo "uv could not install; trying pip" >&2
    "$venv/bin/pip" install --quiet -c constraints.txt -e ".[offline,ray,dev]"
fi
# The weights of the face detector (MIT) travel in this wheel; its code is not used, its dependencies are not wanted.
"$venv/bin/pip" install --quiet --no-deps "facenet-pytorch==2.6.0"
"$venv/bin/msadg" --version
