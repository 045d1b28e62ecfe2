# What the claims below are written with. $a is the agent's service, $s the sidecar's, $h the holder's.
# Compose v1 and v2 print the same thing in two ways: {} or null for an option of nothing, "64" or 64.
def set: (. // []) | sort;
def names: (. // {}) | keys | sort;
def drops_all: (.cap_drop | set) == ["ALL"];
def seccomp: .security_opt | map(select(test("^seccomp[:=].*/data/compose/seccomp.json$"))) | length == 1;
def nnp: (.security_opt | set) == ["no-new-privileges:true"];
def mib: if . == null then 0 else tostring | if endswith("m") then .[:-1] | tonumber else tonumber / 1048576 end end;
def mount($target): (.volumes // []) | map(select(.target == $target)) | if length == 1 then .[0] else {} end;
def bind($target; $source): mount($target) | .type == "bind" and .source == $source;
def labels($role): .labels["dev.drydock.session"] == "shop-7f3a" and .labels["dev.drydock.role"] == $role
  and .labels["dev.drydock.owner"] == "boot:1:2";
def hardened($memory; $processes): drops_all and ((.cap_add // []) == []) and nnp and .read_only == true
  and (.tmpfs | set) == ["/run:mode=1777", "/tmp:mode=1777"] and (.mem_limit | mib) == $memory
  and (.pids_limit | tonumber) == $processes and .user == "65534:65534" and .stop_grace_period == "1s"
  and ((.privileged // false) | not) and ((.devices // []) == []) and (.image == "drydock-egress:latest");
def healthy: .healthcheck | .test == ["CMD", "/drydock-egress", "health"] and .interval == "5s" and .timeout == "2s"
  and .retries == 3;
def has_pair: (.networks | names) == ["drydock_egress", "drydock_internal"];
def outer: .networks.drydock_egress | .name == "drydock_egress" and .driver == "bridge" and .enable_ipv6 == false
  and .driver_opts == {"com.docker.network.bridge.enable_icc": "false"} and ((.internal // false) | not);
