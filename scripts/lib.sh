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

this_arch() { # as Debian calls this machine's processor
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# Their licences, one file behind the other, into the folder of what was built of them.
keep_licences() { # folder with the source, files in it
    local file
    mkdir -p "$prefix.new" && cd "$1" || return 1
    shift
    for file in "$@"; do
        printf -- '---- %s ----\n\n' "$file"
        cat "$file" || return 1
        echo
    done >"$prefix.new/copyright"
}

gnu_arch() { # amd64 or arm64, as compilers call it
    case $1 in
    amd64) echo x86_64 ;;
    arm64) echo aarch64 ;;
    *) die "$1 is neither amd64 nor arm64" ;;
    esac
}

# Sets prefix, work and log of what is built for an architecture, and the array cross to what CMake has to be told.
find_place() { # name, architecture or nothing
    local deps=$PWD/build/deps
    cross=()
    if [ -n "$2" ] && [ "$2" != "$(this_arch)" ]; then
        deps=$deps/$2
        cross=(-DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/cross.cmake" -DLP_ARCH="$2")
    fi
    prefix=$deps/$1 work=$deps/$1-work log=$deps/$1.log
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

# A package's source from PyPI, unpacked below a folder. pip checks the hash before it looks inside, and insists on asking a
# package for its metadata; for that it would first install the package's build system and run it. A module that knows the
# answer spares that.
fetch_pypi_source() { # folder, name, version, sha256
    local module=$1/module/scikit_build_core pip
    find_pip "$1" || return 1
    mkdir -p "$module"
    : >"$module/__init__.py"
    cat >"$module/build.py" <<PYTHON
import pathlib


def prepare_metadata_for_build_wheel(folder, config_settings=None, *others):
    it = pathlib.Path(folder) / "$2-$3.dist-info"
    it.mkdir()
    (it / "METADATA").write_text("Metadata-Version: 2.1\nName: $2\nVersion: $3\n")
    return it.name


def __getattr__(name):  # what a package's own backend may import, and never calls
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *arguments: []
PYTHON
    printf '%s==%s --hash=sha256:%s\n' "$2" "$3" "$4" >"$1/wanted-source.txt"
    PYTHONPATH=$1/module "${pip[@]}" download --disable-pip-version-check --no-deps --no-binary :all: \
        --no-build-isolation --require-hashes --dest "$1" --requirement "$1/wanted-source.txt" &&
        tar -xf "$1/$2-$3.tar.gz" -C "$1"
}

# The system's package sources, one-line and deb822 style, as entries of a kind (deb or deb-src) below a folder.
package_sources() { # kind, folder
    local file
    mkdir -p "$2"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -nE "s/^[[:space:]]*deb[[:space:]]/$1 /; T; s/arch=[^] ]*//; s/\\[ *\\]//; p" "$file" >>"$2/system.list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed -E "s/^Types:.*/Types: $1/; /^Architectures:/d" "$file" >"$2/$(basename "$file")"
    done
}

# Sets the array private_apt to the options with which apt keeps lists and files below a folder and changes nothing on the
# system. apt checks signatures and hashes as ever.
find_private_apt() { # kind, folder
    mkdir -p "$2/lists/partial" "$2/cache/archives/partial"
    : >"$2/none"
    package_sources "$1" "$2/parts"
    private_apt=(-q -o Dir::Etc::SourceList="$2/none" -o Dir::Etc::SourceParts="$2/parts" -o Dir::State::Lists="$2/lists"
        -o Dir::Cache="$2/cache" -o Acquire::Languages=none -o Acquire::Retries=2)
    # apt's own user cannot write below a private folder; what it fetches is checked by signature and hash all the same.
    if [ "$(id -u)" = 0 ]; then private_apt+=(-o APT::Sandbox::User=root); fi
}

# Unpacks a Debian source package into a folder.
fetch_source() { # folder, package
    find_private_apt deb-src "$1/apt"
    # One broken entry must not cost the others, so that whether the source is there decides, not whether all lists are.
    apt-get "${private_apt[@]}" update || true
    (cd "$1" && apt-get "${private_apt[@]}" source --only-source "$2")
}
