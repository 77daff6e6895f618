#!/bin/sh
# Checks for what the build needs and installs what is missing on Debian and its relatives.
# RocksDB is compiled from source: it needs a C++20 compiler and libclang.
set -eu

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: cargo is missing. Install Rust 1.94 or newer (https://rustup.rs), then try again." >&2
    exit 2
fi

missing=""
command -v c++ >/dev/null 2>&1 || missing="$missing g++"
command -v make >/dev/null 2>&1 || missing="$missing make"

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    ldconfig -p 2>/dev/null | grep -q 'libclang[-.0-9]*\.so' && return 0
    ls /usr/lib/llvm-*/lib/libclang*.so* >/dev/null 2>&1
}
has_libclang || missing="$missing libclang-dev clang"

[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install:$missing (here: no apt-get to do it with)" >&2
    exit 2
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: please run as root, or install sudo:  apt-get install$missing" >&2
        exit 2
    fi
    as_root="sudo"
fi
echo "setup: installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "setup: done"
