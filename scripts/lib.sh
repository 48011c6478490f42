# What scripts/deps and those it calls share: saying things, Debian's packages and their sources. Sourced from the top folder.

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

# The system's package sources, one-line and deb822 style, as source entries below $1.
source_entries() {
    mkdir -p "$1"
    local file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -nE 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >>"$1/system.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed -E 's/^Types:.*/Types: deb-src/; /^Architectures:/d' "$file" >"$1/$(basename "$file")"
    done
}

# Unpacks a Debian source package into a folder, by lists of its own.
fetch_source() { # folder, package
    local apt=$1/apt mine=()
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    source_entries "$apt/parts"
    mine=(-q -o Dir::Etc::SourceList="$apt/none" -o Dir::Etc::SourceParts="$apt/parts" -o Dir::State::Lists="$apt/lists"
        -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o Acquire::Retries=2)
    : >"$apt/none"
    # apt's own user cannot write below a private folder; what it fetches is checked by signature and hash all the same.
    if [ "$(id -u)" = 0 ]; then mine+=(-o APT::Sandbox::User=root); fi
    # One broken entry must not cost the others, so that whether the source is there decides, not whether all lists are.
    apt-get "${mine[@]}" update || true
    (cd "$1" && apt-get "${mine[@]}" source --only-source "$2")
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
