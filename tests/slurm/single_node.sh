#!/usr/bin/env bash
# A SLURM of one node on this machine, and a real sweep through it that loses a job and goes on.
#
#   bash tests/slurm/single_node.sh [FOLDER]
#
# For a throw-away Debian machine, as root: installs slurm-wlm and munge, writes /etc/slurm/slurm.conf, starts
# munged, slurmctld and slurmd, and runs the sweep in FOLDER (default: a new temporary one). As soon as a job has
# its first record, its process is killed, as when a node is lost. This SLURM keeps no accounting, so submitit waits
# for that job for ever: when the others are done the command is told to end, and run again. Checks that every run is
# done, that no record is there twice, and that the jobs were SLURM's; stops the daemons again. Exit code 0 means that
# all of it held. BENCH: the command, of a clone or of an installed wheel.
set -euo pipefail
cd "$(dirname "$0")/../.."

FOLDER=$(realpath "${1:-$(mktemp -d)}")
BENCH=$(realpath -s "${BENCH:-.venv/bin/squeezed-bench}")
STATE=$(mktemp -d)

if [ "$(id -u)" != 0 ]; then
    echo "single_node.sh: needs root: it starts SLURM's daemons" >&2
    exit 2
fi
if pgrep -x slurmctld > /dev/null; then
    echo "single_node.sh: a slurmctld runs here already; use its cluster: hydra/launcher=slurm" >&2
    exit 2
fi
if ! command -v slurmctld > /dev/null; then
    apt-get update -qq
    apt-get install -y -qq slurm-wlm munge > "$STATE/apt.log"
fi

HOST=$(hostname -s)
CORES=$(nproc)
MEMORY=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) / 1024 - 512))
mkdir -p /etc/slurm /run/munge
cat > /etc/slurm/slurm.conf << CONF
ClusterName=single
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/slurmd
SlurmctldPidFile=$STATE/slurmctld.pid
SlurmdPidFile=$STATE/slurmd.pid
SlurmctldLogFile=$STATE/slurmctld.log
SlurmdLogFile=$STATE/slurmd.log
MpiDefault=none
ReturnToService=2
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CORES RealMemory=$MEMORY State=UNKNOWN
PartitionName=here Nodes=$HOST Default=YES MaxTime=60 State=UP
CONF
mkdir -p "$STATE/ctld" "$STATE/slurmd"

MUNGED=
stop() {
    local file
    for file in "$STATE/slurmd.pid" "$STATE/slurmctld.pid" "$MUNGED"; do
        if [ -s "$file" ]; then kill "$(cat "$file")" 2> /dev/null || true; fi
    done
}
trap stop EXIT
# Where systemd runs, installing the package has started munged, and there can be one only.
if ! pgrep -x munged > /dev/null; then
    chown munge: /run/munge
    MUNGED=/run/munge/single.pid
    runuser -u munge -- /usr/sbin/munged --pid-file "$MUNGED"
fi
slurmctld
slurmd
for _ in $(seq 60); do
    sinfo --noheader --format %T 2> /dev/null | grep -q idle && break
    sleep 1
done
sinfo

cd "$FOLDER"
# One context for a job: four tasks of an array with three runs each.
sweep() {
    exec "$BENCH" -m hydra/launcher=slurm \
        hydra.launcher.partition=here hydra.launcher.gpus_per_node=null hydra.launcher.cpus_per_task=1 \
        hydra.launcher.mem_gb=2 hydra.launcher.timeout_min=50 \
        method=full,squeezed_topk,streaming method.kv_budget=0.4 \
        task.subtask=niah_single_1,niah_multikey_1 task.length=1024,1280 task.samples=2 task.max_new_tokens=8 \
        model.device=cpu
}

sweep &
FIRST=$!
victim() { grep -ho '"pid": [0-9]*' results/runs/*/*/*/attempt.json 2> /dev/null | head -n 1 | tr -dc 0-9; }
LOST=
until grep -q . results/runs/*/*/*/records.jsonl 2> /dev/null && LOST=$(victim) && [ -n "$LOST" ]; do
    kill -0 "$FIRST" || exit 1 # the sweep ended before any job had a record
    sleep 0.2
done
echo "single_node.sh: kills process $LOST of a job"
kill -9 "$LOST"
while [ -n "$(squeue --noheader)" ] && kill -0 "$FIRST" 2> /dev/null; do sleep 1; done
sleep 5
kill "$FIRST" 2> /dev/null || true
if wait "$FIRST"; then
    echo "single_node.sh: the sweep did not notice that it lost a job" >&2
    exit 1
fi
"$BENCH" status || true
(sweep)
"$BENCH" status check=true
RECORDS=$(cat results/runs/*/*/*/records.jsonl | wc -l)
TWICE=$(for each in results/runs/*/*/*/records.jsonl; do grep -o '^{"id": "[^"]*"' "$each" | sort | uniq -d; done)
TASKS=$(find results/runs/.hydra/.submitit -name '*_0_log.out' | wc -l)
if [ "$RECORDS" != 24 ] || [ -n "$TWICE" ] || [ "$TASKS" -lt 5 ]; then
    echo "single_node.sh: $RECORDS records (twice: ${TWICE:-none}) by $TASKS SLURM tasks; expected 24 by 5 or more" >&2
    exit 1
fi
echo "single_node.sh: 24 records of 12 runs by $TASKS SLURM tasks ($(sinfo --version)), one of them killed; in $FOLDER"
