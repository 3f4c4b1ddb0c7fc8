"""A throw-away SLURM cluster: several nodes on one machine, on the loopback, without systemd.

Root only. All of it, keys, state and logs included, lies in one folder, and its daemons are
children of this process: nothing is left behind, and no other SLURM is touched.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
PROGRAMS = ["slurmctld", "slurmd", "squeue", "munged"]

CONFIGURATION = """\
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Nodes may have more processors and memory than the machine that plays them.
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
# No cgroups, which a container may lack: processes are found in /proc, and a job that holds more
# memory than it asked for is killed at the next look.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
# A dead node is noticed after seconds, an ended job shown for an hour.
SlurmdTimeout=10
KillWait=2
MinJobAge=3600
ReturnToService=2
PropagateResourceLimits=NONE
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports} CPUs={cpus} \
RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def install():
    """Install SLURM with apt-get where need be; return why that cannot be done, or None."""
    if os.geteuid() != 0:
        return "it starts SLURM's daemons, for which it must be root"
    if all(map(shutil.which, PROGRAMS)):
        return None
    if not shutil.which("apt-get"):
        return f"SLURM is not installed ({', '.join(PROGRAMS)}), and there is no apt-get"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
        if done.returncode:
            return f"apt-get {command[0]} failed:\n{done.stdout[-1000:]}"
    return None


class Cluster:
    """The cluster, as long as the ``with`` block lasts.

    Parameters
    ----------
    folder : path
        An existing folder with a short path (a socket's may have 107 characters).
    nodes, cpus, memory : int
        How many nodes; processors and megabytes that each of them claims to have.
    """

    def __init__(self, folder, *, nodes=2, cpus=8, memory=12_000):
        self.folder = Path(folder)
        ports = _free_ports(nodes + 1)
        self.nodes = [f"toy{ports[0]}n{i}" for i in range(1, nodes + 1)]
        self._daemons = {}
        for name in ("state", "bin"):
            (self.folder / name).mkdir()
        self._configuration = self.folder / "slurm.conf"
        self._configuration.write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                folder=self.folder,
                ports=ports,
                names=",".join(self.nodes),
                node_ports=",".join(map(str, ports[1:])),
                cpus=cpus,
                memory=memory,
            )
        )
        # Snakemake's job step takes every SLURM_* variable from the inner srun, which would then
        # look for the configuration in /etc/slurm.
        wrapper = self.folder / "bin" / "srun"
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={self._configuration} exec {shutil.which("srun")} "$@"\n'
        )
        wrapper.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        self.environment = {
            **os.environ,
            "PATH": f"{wrapper.parent}:{os.environ['PATH']}",
            "SLURM_CONF": str(self._configuration),
        }

    def __enter__(self):
        try:
            paths = [
                f"--{option}={self.folder}/munge.{end}"
                for option, end in (
                    *(("key-file", "key"), ("socket", "socket"), ("pid-file", "pid")),
                    *(("log-file", "log"), ("seed-file", "seed")),
                )
            ]
            self._start("munged", "munged", "--foreground", "--force", *paths)
            self._wait(lambda: (self.folder / "munge.socket").exists(), 20, "munged")
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            self._wait(
                lambda: self.ask("sinfo", "-hNo", "%T").split() == ["idle"] * len(self.nodes),
                60,
                "nodes",
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ask("scancel", f"--user={os.getuid()}")
        deadline = time.monotonic() + 20
        while self.ask("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.5)
        for node in self.nodes:
            self._kill_processes(node)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def ask(self, *command):
        """Return what a SLURM command prints; nothing, if it fails."""
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, timeout=30
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def jobs(self):
        """Return a dict a job, ended ones included: id, rule, state, node, seconds, and so on."""
        keys = ("id", "rule", "state", "node", "used", "cpus", "memory", "limit", "wildcards")
        found = []
        for line in self.ask(
            "squeue", "--states=all", "--noheader", "--sort=i", "--format=%i|%T|%N|%M|%C|%m|%l|%k"
        ).splitlines():
            *values, comment = line.split("|", 7)
            rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
            values = [values[0], rule, *values[1:], wildcards]
            found.append(dict(zip(keys, values, strict=True)))
        return found

    def start_controller(self):
        """Start slurmctld."""
        self._start("slurmctld", "slurmctld", "-D", "-f", self._configuration)

    def stop_controller(self):
        """Stop slurmctld; jobs go on."""
        daemon = self._daemons.pop("slurmctld")
        daemon.terminate()
        daemon.wait(30)

    def start_node(self, node):
        """Start, or start again, the slurmd of a node."""
        self._start(node, "slurmd", "-D", "-N", node, "-f", self._configuration)

    def kill_node(self, node):
        """Kill a node at once, with all that runs on it."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()
        self._kill_processes(node)

    def processes(self, node, job=None):
        """Return the ids of the processes of the jobs, or of one job, on a node."""
        wanted = {f"SLURMD_NODENAME={node}"} | ({f"SLURM_JOB_ID={job}"} if job else set())
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:  # has just ended
                continue
            if wanted.issubset(variables):
                found.append(int(entry.name))
        return found

    def _kill_processes(self, node):
        # The step daemons too, which are parents of the job's processes.
        jobs = self.processes(node)
        parents = {_parent(process) for process in jobs}
        steps = [process for process in parents if _name(process) == "slurmstepd"]
        for process in [*steps, *jobs]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _start(self, name, program, *arguments):
        with open(self.folder / f"{name}.out", "ab") as log:
            self._daemons[name] = subprocess.Popen(
                [_program(program), *map(str, arguments)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = [
                    f"--- {file.name}\n{file.read_text(errors='replace')[-2000:]}"
                    for file in sorted(self.folder.glob("*.out"))
                ]
                raise RuntimeError("\n".join([f"{what}: not up after {seconds} s", *logs]))
            time.sleep(0.2)


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _program(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _name(process):
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""


def _parent(process):
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
