#!/usr/bin/env bash
# A SLURM of one node on this machine, and a real sweep through it: python -m bench -m hydra/launcher=slurm.
#
#   bash tests/slurm/single_node.sh [FOLDER]
#
# For a throw-away Debian machine, as root: installs slurm-wlm and munge, writes /etc/slurm/slurm.conf, starts
# munged, slurmctld and slurmd, runs the sweep into FOLDER (default: a new temporary one), checks that every run
# is done once and that the jobs were SLURM's, and stops the daemons again. Exit code 0 means that all of it held.
set -euo pipefail
cd "$(dirname "$0")/../.."

FOLDER=${1:-$(mktemp -d)}
PYTHON=${PYTHON:-.venv/bin/python}
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

chown munge: /run/munge
runuser -u munge -- /usr/sbin/munged
slurmctld
slurmd
stop() {
    kill "$(cat "$STATE/slurmd.pid")" "$(cat "$STATE/slurmctld.pid")" 2> /dev/null || true
    pkill -x munged || true
}
trap stop EXIT
for _ in $(seq 30); do
    sinfo --noheader --format %T 2> /dev/null | grep -q idle && break
    sleep 1
done
sinfo

# One context for a job: two arrays' tasks of two runs each.
"$PYTHON" -m bench -m hydra/launcher=slurm \
    hydra.launcher.partition=here hydra.launcher.gpus_per_node=null hydra.launcher.cpus_per_task=1 \
    hydra.launcher.mem_gb=2 hydra.launcher.timeout_min=10 \
    method=full,squeezed_topk task.subtask=niah_single_1,niah_multikey_1 task.length=1024 task.samples=2 \
    task.max_new_tokens=8 model.device=cpu results="$FOLDER" cache_dir="$FOLDER/cache"

"$PYTHON" -m bench.status results="$FOLDER" check=true
records=$(cat "$FOLDER"/runs/*/*/*/records.jsonl | wc -l)
tasks=$(find "$FOLDER/runs/.hydra/.submitit" -name '*_0_log.out' | wc -l)
if [ "$records" != 8 ] || [ "$tasks" != 2 ]; then
    echo "single_node.sh: $records records in $tasks SLURM tasks; expected 8 in 2" >&2
    exit 1
fi
echo "single_node.sh: 8 records by $tasks SLURM tasks ($(sinfo --version)); they are in $FOLDER"
