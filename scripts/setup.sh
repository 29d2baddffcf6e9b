#!/usr/bin/env bash
# Sets up everything the emulator needs: ngspice with its shared library, and a
# virtual environment in .venv with the package and its test tools.
#
#   scripts/setup.sh                  set up, or do nothing where all is in place
#   NGSPICE=stock scripts/setup.sh    keep to the distribution's own ngspice
#   NGSPICE=newest scripts/setup.sh   the default; undoes an earlier NGSPICE=stock
#   PYTHON=python3.12 ...             build .venv with this Python (3.11 or later)
#   NGSPICE_LIBRARY_PATH=FILE ...     use this libngspice and install none
set -euo pipefail

readonly MIN_PYTHON=3.11
readonly EXTRA=test
readonly VENV=.venv
# What the last run did. It lives inside .venv so that removing .venv forgets it.
readonly STAMP=$VENV/.ais-setup
readonly BACKPORTS_FILE=/etc/apt/sources.list.d/ais-emulator-backports.sources
readonly DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
ROOT=$(pwd -P)
readonly ROOT

say() { printf 'setup: %s\n' "$*"; }
warn() { printf 'setup: warning: %s\n' "$*" >&2; }
die() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# --- what is there ----------------------------------------------------------

# One short Python run answers all that a second run of this script has to know:
# the version, the hash of the requirements, and whether a libngspice loads.
# Loading it is the only test that counts; a package can be there and broken.
probe() {
    "$1" -I -S -c '
import ctypes, ctypes.util, glob, hashlib, os, sys

def candidates():
    named = os.environ.get("NGSPICE_LIBRARY_PATH", "")
    if named and os.path.isfile(named):
        yield named
        return
    yield "libngspice.so.0"
    yield "libngspice.so"
    yield "libngspice.dylib"
    # Homebrew installs where the dynamic linker of macOS does not look
    if sys.platform == "darwin":
        yield from glob.glob("/opt/homebrew/lib/libngspice*.dylib")
        yield from glob.glob("/usr/local/lib/libngspice*.dylib")
    found = ctypes.util.find_library("ngspice")
    if found:
        yield found

def loads(name):
    try:
        return hasattr(ctypes.CDLL(name), "ngSpice_Init")
    except OSError:
        return False

with open("pyproject.toml", "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
version = "{}.{}".format(*sys.version_info)
print(version, digest, next(filter(loads, candidates()), ""))
' 2>/dev/null
}

look_with() { # PYTHON; sets the three
    read -r version needs library < <(probe "$1")
}

stamp_text() { # STATE NGSPICE
    printf 'state %s\nroot %s\npython %s\nneeds %s\nextra %s\nngspice %s\n' \
        "$1" "$ROOT" "$python_version" "$needs" "$EXTRA" "$2"
}

stamped() { # KEY
    [ ! -f "$STAMP" ] || sed -n "s|^$1 ||p" "$STAMP"
}

# The Python of a .venv that works stays its Python, also when python3 means another.
# What is printed is always the base interpreter, not that of a virtual environment that
# happens to be active: that may be our own, and a .venv cannot be rebuilt from itself.
find_python() {
    local candidate found
    for candidate in ${PYTHON:+"$PYTHON"} "$VENV/bin/python" python3 python3.13 python3.12 python3.11; do
        found=$("$candidate" -I -c "
import sys
if sys.version_info < tuple(map(int, '$MIN_PYTHON'.split('.'))):
    sys.exit(1)
print(getattr(sys, '_base_executable', '') or sys.executable)" 2>/dev/null) || found=
        if [ -n "$found" ]; then
            printf '%s\n' "$found"
            return
        fi
        if [ -n "${PYTHON:-}" ]; then
            die "PYTHON=$PYTHON is not a working Python $MIN_PYTHON or later"
        fi
    done
    die "no Python $MIN_PYTHON or later found (tried python3, python3.13, python3.12, python3.11)" \
        "install one, or name one with PYTHON=/path/to/python"
}

# --- apt --------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null || return 1
    # sudo may ask for a password only where there is somebody to type it
    [ -t 0 ] || sudo -n true 2>/dev/null
}

# env, because sudo does not pass our environment on. The lock timeout waits for
# the unattended upgrades that a freshly started Ubuntu machine is busy with.
apt_get() {
    as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        apt-get -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"
}

# A failure here is often somebody else's broken source, and says nothing about
# our packages: whether those can be had is asked separately.
refresh_lists() {
    say "refreshing apt's package lists"
    apt_get -qq update "$@" || warn "apt-get update reported errors; going on"
}

can_install() {
    LC_ALL=C apt-get -qq --simulate --no-install-recommends install "$@" >/dev/null 2>&1
}

# The retry is for lists older than the mirror, which name files that are gone.
apt_install() {
    say "installing $*"
    can_install "$@" || refresh_lists
    apt_get -q --no-install-recommends install "$@" && return
    refresh_lists
    apt_get -q --no-install-recommends install "$@"
}

# Which releases apt knows, one CODENAME|RELEASE|ORIGIN|COMPONENT|URI a line. The codename
# and origin come from the downloaded lists, the release is the word in the sources file.
apt_releases() {
    # shellcheck disable=SC2016  # $(...) is apt's own placeholder syntax
    apt-get indextargets --format '$(CODENAME)|$(RELEASE)|$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' \
        'Created-By: Packages' 2>/dev/null || true
}

# The mirror this machine already gets Debian from: not its -updates or -security
# entries, no third party's, and not an installation disc.
debian_mirror() {
    apt_releases | awk -F'|' -v codename="$os_codename" '
        $1 == codename && $3 == "Debian" && $4 == "main" && $5 !~ /^cdrom:/ && !seen++ { print $5 }'
}

suite_enabled() {
    apt_releases | awk -F'|' -v suite="$1" '$1 == suite || $2 == suite { found = 1 } END { exit !found }'
}

enable_suite() {
    local suite=$1 mirror
    mirror=$(debian_mirror)
    if [ -z "$mirror" ]; then
        refresh_lists # a fresh container has no lists, and so no codenames
        mirror=$(debian_mirror)
    fi
    if [ -z "$mirror" ]; then
        warn "apt's configuration names no Debian mirror for $os_codename"
        return 1
    fi
    say "enabling $suite in $BACKPORTS_FILE"
    {
        echo "# Written by ais-emulator's scripts/setup.sh, for ngspice. Packages of this suite are"
        echo "# installed only where asked for by name."
        echo "Types: deb"
        echo "URIs: $mirror"
        echo "Suites: $suite"
        echo "Components: main"
        if [ -r "$DEBIAN_KEYRING" ]; then echo "Signed-By: $DEBIAN_KEYRING"; fi
    } | as_root tee "$BACKPORTS_FILE" >/dev/null
    # Only this file: a broken source elsewhere on the machine is not our affair, and
    # without List-Cleanup=false apt would drop the lists of all the others.
    refresh_lists -o Dir::Etc::SourceList="$BACKPORTS_FILE" -o Dir::Etc::SourceParts=/dev/null \
        -o APT::Get::List-Cleanup=false
}

install_from_backports() { # PACKAGE...
    local suite=$os_codename-backports package pinned=()
    # PACKAGE/SUITE fails where the suite lacks the package, and -t alone would quietly
    # take the old one. -t is still needed, to get the dependencies from there.
    for package in "$@"; do pinned+=("$package/$suite"); done
    if ! suite_enabled "$suite"; then
        enable_suite "$suite" || return 1
    elif ! can_install -t "$suite" "${pinned[@]}"; then
        refresh_lists
    fi
    if can_install -t "$suite" "${pinned[@]}" && apt_install -t "$suite" "${pinned[@]}"; then
        return 0
    fi
    # Left behind, a source that cannot be reached would spoil every later apt-get update.
    as_root rm -f "$BACKPORTS_FILE"
    return 1
}

package_version() {
    dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p' || true
}

# What a person without the right to install has to do.
explain_by_hand() { # PACKAGE...
    printf 'setup: not root and no usable sudo, so install these by hand, as root:\n' >&2
    printf '    apt-get update\n    apt-get install --no-install-recommends %s\n' "$*" >&2
    if [ "$wants_backports" = yes ]; then
        printf 'setup: (that is ngspice 39; for 46 enable %s and add "-t %s")\n' \
            "$os_codename-backports" "$os_codename-backports" >&2
    fi
    printf 'setup: and then run scripts/setup.sh again\n' >&2
}

can_make_venv() {
    "$python" -I -c 'import ensurepip, venv' 2>/dev/null
}

install_with_apt() { # needs $library and $python
    local missing=() outdated=() venv_package=() package installed
    command -v ngspice >/dev/null || missing+=(ngspice)
    [ -n "$library" ] || missing+=(libngspice0)

    # Only stock packages are replaced: a library built by hand is its owner's choice.
    if [ "$wants_backports" = yes ] && [ -z "$own_library" ]; then
        for package in ngspice libngspice0; do
            installed=$(package_version "$package")
            if [ -n "$installed" ] && dpkg --compare-versions "$installed" lt 40; then
                outdated+=("$package")
            fi
        done
    fi

    # Debian and Ubuntu split ensurepip off from Python; each Python has a package of its
    # own for it, and python3-venv would bring only the default Python's.
    if ! can_make_venv; then
        venv_package=("python$python_version-venv")
    fi

    if ((${#missing[@]} + ${#outdated[@]} + ${#venv_package[@]} == 0)); then return 0; fi
    if ! can_be_root; then
        if ((${#venv_package[@]} > 0)) || [ -z "$library" ]; then
            explain_by_hand ${missing[@]+"${missing[@]}"} ${venv_package[@]+"${venv_package[@]}"}
            exit 1
        fi
        # The emulator runs on the library alone.
        if ((${#missing[@]} > 0)); then
            warn "the ngspice program is missing and installing it needs root; going on with the library alone"
        fi
        if ((${#outdated[@]} > 0)); then
            warn "keeping ngspice 39: replacing it by 46 needs root"
            ngspice_outcome=fallback
        fi
        return 0
    fi

    if ((${#venv_package[@]} > 0)); then
        if ! { apt_install "${venv_package[@]}" && can_make_venv; }; then
            die "$python cannot make virtual environments (no ensurepip), and ${venv_package[*]} does not help"
        fi
    fi
    if ((${#missing[@]} + ${#outdated[@]} == 0)); then return 0; fi

    if [ "$wants_backports" = yes ]; then
        if ((${#outdated[@]} > 0)); then
            say "replacing the distribution's ngspice 39 by a newer one (NGSPICE=stock keeps it)"
        fi
        if install_from_backports ${missing[@]+"${missing[@]}"} ${outdated[@]+"${outdated[@]}"}; then
            return 0
        fi
        ngspice_outcome=fallback
        warn "no ngspice from $os_codename-backports; using the distribution's ngspice 39," \
            "without the KLU sparse solver and without OSDI compiled devices" \
            "(NGSPICE=newest scripts/setup.sh tries again)"
    fi
    if ((${#missing[@]} > 0)) && ! apt_install "${missing[@]}"; then
        if [ "$os_id" = ubuntu ]; then
            warn "on Ubuntu these are in universe: 'add-apt-repository universe' enables it"
        fi
        die "apt could not install ${missing[*]}"
    fi
}

# --- other systems ----------------------------------------------------------

explain_other_systems() {
    local command=
    if command -v dnf >/dev/null; then
        command='dnf install ngspice libngspice'
    elif command -v zypper >/dev/null; then
        command='zypper install ngspice libngspice0'
    elif command -v pacman >/dev/null; then
        command='pacman -S ngspice'
    elif command -v brew >/dev/null; then
        command='brew install ngspice libngspice'
    fi
    printf 'setup: no apt-get here: install ngspice 39 or later with its shared library (libngspice)\n' >&2
    if [ -n "$command" ]; then printf 'setup: here that should be: %s\n' "$command" >&2; fi
    printf 'setup: a library in an unusual place is named by NGSPICE_LIBRARY_PATH=/path/to/libngspice\n' >&2
}

# --- the virtual environment -------------------------------------------------

# Repaired in place only where that is safe. Rebuilt are: one whose Python is gone, of
# another version, or without pip; one that was moved here (its scripts name the old
# place); and one we did not get to finish, as pip takes a half-written package for
# an installed one. One made by hand, which has no stamp, is taken over as it is.
prepare_venv() {
    local stamped_root
    stamped_root=$(stamped root)
    if [ "$venv_version" != "$python_version" ] || [ "${stamped_root:-$ROOT}" != "$ROOT" ] ||
        [ "$(stamped state)" = unfinished ] || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        if [ -e "$VENV" ] || [ -L "$VENV" ]; then
            say "rebuilding $VENV"
            rm -rf -- "$VENV"
        fi
        mkdir "$VENV"
        stamp_text unfinished "$ngspice_outcome" >"$STAMP"
        say "making $VENV with Python $python_version"
        "$python" -m venv "$VENV" || die "$python -m venv failed"
    fi
    stamp_text unfinished "$ngspice_outcome" >"$STAMP"
    say "installing the package and its test tools with pip"
    "$VENV/bin/python" -m pip install --quiet --no-input --disable-pip-version-check -e ".[$EXTRA]" ||
        die "pip could not install the package: see above"
}

# --- main -------------------------------------------------------------------

case ${NGSPICE:-} in
    '' | stock | newest) ;;
    *) die "NGSPICE is '$NGSPICE'; it can be stock or newest" ;;
esac

own_library=
if [ -n "${NGSPICE_LIBRARY_PATH:-}" ]; then
    if [ -f "$NGSPICE_LIBRARY_PATH" ]; then
        own_library=$NGSPICE_LIBRARY_PATH
    else
        warn "NGSPICE_LIBRARY_PATH names no file: $NGSPICE_LIBRARY_PATH"
    fi
fi

venv_version=
if [ -x "$VENV/bin/python" ] && look_with "$VENV/bin/python"; then venv_version=$version; fi
python=
if [ -n "${PYTHON:-}" ] || [ -z "$venv_version" ]; then
    python=$(find_python)
    look_with "$python" || die "$python does not run"
fi
python_version=$version

# The choice of ngspice is remembered, so that `make demo` does not overturn an
# NGSPICE=stock given by hand once; another one given explicitly counts.
remembered=$(stamped ngspice)
venv_done=no
if [ -n "$venv_version" ] && [ -f "$STAMP" ] &&
    [ "$(cat "$STAMP")" = "$(stamp_text 'done' "$remembered")" ] && [ "$venv_version" = "$python_version" ]; then
    venv_done=yes
fi
if [ "$venv_done" = yes ] && [ -n "$library" ] && command -v ngspice >/dev/null &&
    [ "${NGSPICE:-$remembered}" = "$remembered" ]; then
    exit 0
fi

# From here on something has to be done.
if [ -n "$own_library" ] && [ -z "$library" ]; then
    die "NGSPICE_LIBRARY_PATH is not a loadable ngspice library: $own_library"
fi
if [ -z "$python" ]; then
    python=$(find_python)
    look_with "$python" || die "$python does not run"
    python_version=$version
fi

os_id=
os_codename=
if [ -r /etc/os-release ]; then
    # shellcheck source=/dev/null
    read -r os_id os_codename < <(. /etc/os-release && echo "${ID:-unknown} ${VERSION_CODENAME:-}")
fi

ngspice_outcome=newest
wants_backports=no
wanted=${NGSPICE:-$remembered}
if [ "$wanted" = stock ]; then
    ngspice_outcome=stock
elif [ "$wanted" = fallback ] && [ -n "$library" ]; then
    # The backports could not be had before: not tried again unless asked for.
    ngspice_outcome=fallback
elif [ "$os_id" = debian ] && [ "$os_codename" = bookworm ]; then
    # Debian 12 itself has ngspice 39, which lacks KLU and OSDI; its backports have 46.
    wants_backports=yes
fi

if command -v apt-get >/dev/null; then
    install_with_apt
elif [ -z "$library" ]; then
    explain_other_systems
    exit 1
elif ! command -v ngspice >/dev/null; then
    warn "the ngspice program is missing; going on with the library alone"
fi

if [ "$venv_done" != yes ]; then prepare_venv; fi

look_with "$VENV/bin/python" || die "$VENV/bin/python does not run"
[ -n "$library" ] || die "no ngspice shared library loads, although its package should be there"
stamp_text 'done' "$ngspice_outcome" >"$STAMP"
say "ready: Python $python_version in $VENV, ngspice library $library"
if [ -z "$own_library" ] && [ "${library#/}" != "$library" ]; then
    say "should the emulator not find that library: export NGSPICE_LIBRARY_PATH=$library"
fi
