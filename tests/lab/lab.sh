#!/usr/bin/env bash
# Makes a small internet and a user's machine in namespaces of their own, and runs a script there.
#
# usage: lab.sh root|user DIR SCRIPT
#   root   as root of the machine, in new network and mount namespaces
#   user   as an ordinary user, without any privilege: in a user namespace that keeps the user's number
# DIR holds certificates and logs (made by `lab.sh prepare DIR BUILD`). SCRIPT is bash and sees:
#   $DRYDOCK  the program       $LAB   DIR       $RULES_CA  options that make clients trust the lab's CA inside
# Everything ends with the script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
self=$here/$(basename "$0") # a folder may be left before this file is executed again

prepare() { # DIR BUILD
	local dir=$1 build=$2
	mkdir -p "$dir/bin" "$dir/share/drydock"
	chmod 755 "$dir"
	install -m 755 "$build/drydock" "$build/drydock-egress" "$dir/bin/"
	cp -r "$here/../../data/presets" "$dir/share/drydock/"
	install -m 644 "$here/internet.py" "$here/agents/stub_api.py" "$dir/"
	install -m 755 "$here/lab.sh" "$dir/" # the checkout may lie where another user cannot look
	(
		cd "$dir"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem \
			-subj "/CN=lab CA" 2>/dev/null
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr \
			-subj "/CN=lab" 2>/dev/null
		names='DNS:allowed.test,DNS:www.allowed.test,DNS:other.test,DNS:evil.test,DNS:git.test,DNS:six.test'
		names+=',DNS:rebind.test,DNS:meta.test,DNS:mixed.test,DNS:loop.test,DNS:api.anthropic.com,DNS:api.openai.com,DNS:generativelanguage.googleapis.com'
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
			-extfile <(echo "subjectAltName=$names") 2>/dev/null
		chmod 644 server.key ca.pem server.pem
		# ssh and git are for the tests; the demo does without. ssh wants its user to have an account.
		if ! getent passwd "$(id -u)" >/dev/null; then
			echo "lab: without ssh: user $(id -u) has no account" >&2
		elif command -v ssh-keygen >/dev/null; then
			ssh-keygen -q -t ed25519 -N '' -f hostkey
			ssh-keygen -q -t ed25519 -N '' -f clientkey
			chmod 644 clientkey
		fi
		if command -v keytool >/dev/null; then
			keytool -importcert -noprompt -alias lab -file ca.pem -keystore trust.p12 -storetype PKCS12 -storepass changeit \
				>/dev/null 2>&1
		fi
		if command -v git >/dev/null; then
			git init -q --bare repo.git
			git init -q work
			echo hello >work/file
			git -C work -c user.name=lab -c user.email=lab@example add file
			git -C work -c user.name=lab -c user.email=lab@example commit -qm first
			git -C work push -q ../repo.git HEAD:refs/heads/main
			git -C repo.git symbolic-ref HEAD refs/heads/main
			git -C repo.git update-server-info
		fi
		chmod -R a+rX .
	)
}

fresh() { # DIR
	rm -rf "${1:?}"/{ready,home,sockets,run.*}
	: >"$1/dns.log"
	: >"$1/hits.log"
}

# git over ssh on git.test:22, for the account "lab", which exists in this mount namespace alone.
ssh_server() { # DIR
	local dir=$1 run
	run=$(mktemp -d "$dir/run.XXXXXX")
	{
		cat /etc/passwd
		echo "lab:x:$(id -u):$(id -g):lab:$dir/home:/bin/bash"
	} >"$run/passwd"
	mount --bind "$run/passwd" /etc/passwd
	if [ "$(id -u)" -eq 0 ]; then
		mount -t tmpfs tmpfs /run
		mkdir /run/sshd
	fi
	install -m 600 "$dir/hostkey" "$run/hostkey"
	install -m 600 "$dir/clientkey.pub" "$run/authorized"
	cat >"$run/sshd_config" <<-EOF
		ListenAddress 93.184.216.20:22
		HostKey $run/hostkey
		AuthorizedKeysFile $run/authorized
		PidFile $run/pid
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		PermitRootLogin prohibit-password
	EOF
	/usr/sbin/sshd -f "$run/sshd_config" -E "$run/log"
}

# Inside the namespaces, with the right to set up the network.
inside() { # KIND DIR SCRIPT
	local kind=$1 script=$3
	dir=$2 # the trap needs it
	ip link set lo up
	for a in 93.184.216.10 93.184.216.11 93.184.216.66 93.184.216.20 93.184.216.30 10.9.8.7 169.254.169.254; do
		ip addr add "$a/32" dev lo
	done
	ip -6 addr add 2606:2800:220:1::10/128 dev lo
	[ ! -e "$dir/hostkey" ] || [ ! -x /usr/sbin/sshd ] || ssh_server "$dir"
	# The servers use low ports; what runs later has no such right and needs none.
	env -i PATH=/usr/bin:/bin /usr/bin/python3 "$dir/internet.py" "$dir" &
	servers=$!
	trap 'kill $servers $(cat "$dir"/run.*/pid 2>/dev/null) 2>/dev/null || true; wait $servers 2>/dev/null || true' EXIT
	if [ -e "$dir/task" ]; then # a model's API, for the tests with real agents
		env -i PATH=/usr/bin:/bin /usr/bin/python3 "$dir/stub_api.py" 93.184.216.30 443 "$dir/server.pem" "$dir/server.key" \
			"$dir/hits.log" "$dir/task" &
		servers+=" $!"
	fi
	for _ in $(seq 200); do
		[ -e "$dir/ready" ] && break
		kill -0 "${servers%% *}"
		sleep 0.02
	done
	[ -e "$dir/ready" ]
	local home=$dir/home
	mkdir -p "$home/.ssh" "$home/project"
	echo "PRIVATE KEY OF THE USER" >"$home/.ssh/id_ed25519"
	printf '[safe]\n\tdirectory = *\n' >"$home/.gitconfig" # for the ssh server's git
	local drop=(setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all)
	[ "$kind" = user ] || drop=()
	cd "$home/project"
	env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME="$home" USER=lab LAB="$dir" DRYDOCK="$dir/bin/drydock" TERM=dumb \
		LAB_RESOLVER=127.0.0.1:5353 "${drop[@]}" bash -c "$script"
}

case $1 in
prepare) prepare "$2" "$3" ;;
inside) inside "$2" "$3" "$4" ;;
root)
	fresh "$2"
	exec unshare -n -m "$self" inside root "$2" "$3"
	;;
user)
	cd "$2"
	if [ "$(id -u)" -eq 0 ]; then
		fresh "$2"
		chown 65432:65432 "$2" "$2/dns.log" "$2/hits.log"
		exec setpriv --reuid 65432 --regid 65432 --clear-groups "$2/lab.sh" user "$2" "$3"
	fi
	# logs of another number were made anew by root, above
	if [ ! -e "$2/hits.log" ] || [ -O "$2/hits.log" ]; then fresh "$2"; fi
	exec unshare -U --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps -n -m "$self" inside user "$2" "$3"
	;;
*)
	echo "usage: $0 prepare DIR BUILD | root|user DIR SCRIPT" >&2
	exit 2
	;;
esac
