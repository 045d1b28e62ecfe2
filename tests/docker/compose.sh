# shellcheck shell=bash disable=SC2154 # sourced by rig.sh after lib.sh
# The compose files as they are, driven by hand with both generations of compose: $RIG/compose.GENERATION.OVERLAY.
# Then with a sidecar that cannot become healthy: the agent must not start.
state=/run/s/shop
files=$RIG/compose
mkdir -p "$state"/{policy,out,sock} /run/project
chown 65534:65534 "$state"/{out,sock}
chmod 700 "$state/sock"
export DRYDOCK_NAME=drydock-shop DRYDOCK_IMAGE=drydock-agent:latest DRYDOCK_USER=0:0 DRYDOCK_PROJECT=/run/project \
	DRYDOCK_CWD=/run/project DRYDOCK_SESSION=shop DRYDOCK_OWNER=boot:1:2 DRYDOCK_SIDECAR_NAME=drydock-shop-egress \
	DRYDOCK_HOLDER_NAME=drydock-shop-net DRYDOCK_TOKEN=s3cret DRYDOCK_INNER_SUBNET=172.30.0.0/24 \
	DRYDOCK_SECCOMP="$files/seccomp.json" DRYDOCK_EGRESS_FILTER_FILE="$state/policy/allow" \
	DRYDOCK_EGRESS_DIR="$state/out" DRYDOCK_SOCK_DIR="$state/sock" DRYDOCK_PORTS=80,443 COMPOSE_PROGRESS=quiet

compose() { # GENERATION OVERLAY ARG...
	local program=docker-compose overlay=$2
	[ "$1" = v1 ] || program=$RIG_COMPOSE_V2
	shift 2
	"$program" --env-file "$files/empty.env" -p drydock-shop -f "$files/docker-compose.yml" \
		-f "$files/docker-compose.$overlay.yml" "$@"
}

# v1 makes the networks itself; their subnet has to be known before the sidecar starts.
subnet() { # GENERATION
	echo 'allow allowed.test:80,443' >"$state/policy/allow"
	compose "$1" contain up --no-start drydock-egress
	DRYDOCK_INNER_SUBNET=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' drydock_internal)
	docker rm -f drydock-shop-egress
}

session() { # GENERATION OVERLAY FILE
	compose "$1" "$2" run -T --rm --name drydock-shop drydock \
		sh -c 'echo started; RES_OPTIONS="timeout:1 attempts:1" python3 /probe.py only=allowed; curl -sS -m 5 https://evil.test/' \
		>"$RIG/$3" 2>&1 || echo "rc=$?" >>"$RIG/$3"
	docker inspect -f '{{.Name}} {{.State.Status}} {{json .HostConfig.CapAdd}} {{json .NetworkSettings.Networks}}' \
		drydock-shop-egress >"$RIG/$3.sidecar"
	docker ps -aq --filter label=dev.drydock.session=shop | xargs -r docker rm -f >/dev/null
}

for generation in $RIG_GENERATIONS; do
	subnet "$generation"
	for overlay in contain sealed; do
		echo 'allow allowed.test:80,443' >"$state/policy/allow"
		session "$generation" "$overlay" "compose.$generation.$overlay"
		echo 'this is no rule' >"$state/policy/allow"
		session "$generation" "$overlay" "unhealthy.$generation.$overlay"
	done
	docker network rm drydock_internal drydock_egress
done
