#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of compose v2. It is a package of the next Debian release: see get_package.sh.
# usage: get_compose_v2.sh [CACHE-FOLDER]
# Exit: 0; 1 with the reason when it cannot be had.
exec "$(dirname "$0")/get_package.sh" docker-compose usr/libexec/docker/cli-plugins/docker-compose "$@"
