# What scripts/deps and scripts/build-curl share: saying things, and Debian's packages. Sourced from the top folder.

say() { printf 'deps: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

die_with_log() { # log, sentence
    tail -n 20 "$1" >&2
    die "$2; the whole log is $1."
}

knows_apt() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# Prints those of the packages that are not installed; all of them where there is no dpkg to ask.
missing_packages() {
    {
        printf '%s wanted\n' "$@"
        if knows_apt; then dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true; fi
    } | awk '$2 == "wanted" { wanted[$1] = 1 } $2 == "installed" { delete wanted[$1] }
             END { for (name in wanted) print name }' | sort
}

# Sets the array as_root to what has to stand before a command that changes the system.
find_root() { # packages, for the sentence when there is no way
    as_root=()
    [ "$(id -u)" = 0 ] && return
    command -v sudo >/dev/null || die "these Debian packages are missing, and this is neither root nor is sudo there: $*"
    as_root=(sudo)
}

have_package_lists() { compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; }

apt() { # arguments of apt-get, run as root, its chatter in a log
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null >>build/deps/apt.log 2>&1
}

install_packages() {
    knows_apt || die "this is not a Debian-like system; install what your system calls these Debian packages, then try again: $*"
    find_root "$@"
    say "installing Debian packages${as_root[0]:+ with sudo}: $*"
    mkdir -p build/deps
    : >build/deps/apt.log
    local install=(install -y -q --no-install-recommends -o Dpkg::Use-Pty=0)
    if have_package_lists && apt "${install[@]}" "$@"; then return; fi
    # Without lists, or with lists so old that what they name is gone: fetch them, once.
    apt update -q || die_with_log build/deps/apt.log "apt-get update failed"
    apt "${install[@]}" "$@" || die_with_log build/deps/apt.log "apt-get could not install the packages"
}

# A Python new enough for the pinned packages; Debian's keeps venv and pip in packages of their own.
python_for_venv() {
    local it
    for it in python3 /usr/bin/python3; do
        if "$it" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$it"
            return
        fi
    done
    return 1
}

# Sets the array pip: as the system has it, or from an environment of its own below a folder.
find_pip() { # folder
    local python
    pip=(python3 -m pip)
    if "${pip[@]}" --version >/dev/null 2>&1; then return; fi
    python=$(python_for_venv) || return 1
    "$python" -m venv "$1/venv" || return 1
    pip=("$1/venv/bin/python" -m pip)
}
