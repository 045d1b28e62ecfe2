#!/usr/bin/env bash
# The project speaks of the product only: no path of a developer's machine, no host of a package registry.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
words='/wo''rk/|(deb|security|ftp)\.deb''ian\.org|registry\.npm''js\.org|snapshot\.deb''ian\.org|\.\./sha''red'
! git grep -nIE "$words" -- . ':!LICENSE'
