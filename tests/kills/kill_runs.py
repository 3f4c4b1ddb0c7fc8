"""Kill a run again and again, half of the times in the middle of a write, and compare the end.

    python tests/kills/kill_runs.py [--aimed 10] [--random 10] [--small]

There is a run for the aimed kills and at least one for the others, killed (SIGKILL to all of
their processes) and taken up again, on one core and on two in turn; one place is hit twice. Where
a run is over before its kill, another begins. In the end all files under results/ are those of a
run that nobody disturbed, byte for byte, and nothing else is there. Logs, benchmarks and what shows
times are left out. A write is hit by stopping the job when it is about to give a file its name,
with half of the file's bytes; see sitecustomize.py.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parents[2]
# A file of each kind, by the end of its path.
WRITES = [
    *("drawn/images", "drawn/manifest.csv", "net.json", "stem/0-of-1.npy", "net/stem.npy"),
    *("nulls/drawn/net/stem.npy", "stem.images.csv", "embeddings/drawn/net/stem.csv"),
    *("goodness.csv", "verdict.csv", "maps/drawn/net.png", "explorer.html", "report.html"),
]
MODELS = ["pca.keras", "pca.pb", "drawn/pca.json"]
# What shows times, and so is another in each run.
TIMES = ("logs", "benchmarks", "run.csv", ".run.csv.crc32", "report.html")


def make_run(folder, models=True):
    """Make a folder with a config and a network: shapes, an ONNX file and maybe components."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["stem"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["stem"], ["pool"]),
    ]
    weights = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
        [helper.make_tensor_value_info("pool", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    folder.mkdir(parents=True)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "net.onnx")
    net = {"kind": "onnx", "path": "net.onnx", "layers": ["stem"], "poolings": ["flat"]}
    config = {
        **{"permutations": 19, "labels_per_class": [], "linear_probe": False},
        **{"keep_features": True, "metrics": ["euclidean"]},
        "datasets": {"drawn": {"kind": "synthetic", "per_class": 5, "size": 32}},
        "extractors": {"net": net},
    }
    if models:
        pca = {"kind": "pca", "size": 8, "components": 4, "layers": ["components"]}
        config["extractors"]["pca"] = pca | {"poolings": ["flat"]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def start(folder, cores, target=None, targets=()):
    """Start the run of ``folder``; at the write of ``target`` its job stops."""
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)
    (folder / "reached").unlink(missing_ok=True)
    environment = dict(os.environ)
    if target:
        environment |= {"DEPTHGAUGE_STOP_AT": target, "DEPTHGAUGE_REACHED": str(folder / "reached")}
        paths = [str(Path(__file__).parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--workflow-profile", str(REPOSITORY / "profiles/default"), "--cores", str(cores)]
    command += [*targets, "--configfile", "config.yaml"]
    with open(folder / "log", "w") as log:
        return subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def killed(folder, cores, target=None, seconds=0.0, targets=()):
    """Start a run and kill it; return whether it was killed, and not over before.

    A ``target`` that is there already is removed first, for it to be written.
    """
    for file in sorted(folder.glob("results/**/*")) if target else []:
        if str(file).endswith(target):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    run = start(folder, cores, target, targets)
    began = time.monotonic()
    while run.poll() is None:
        if (folder / "reached").exists() if target else time.monotonic() - began > seconds:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            return True
        time.sleep(0.02)
    return False


def finish(folder, cores=2, targets=()):
    """Run to the end; exit with the log if it fails."""
    if start(folder, cores, targets=targets).wait():
        sys.exit((folder / "log").read_text())


def contents(folder):
    """Return the bytes of all files under results/, less those that show times."""
    results = folder / "results"
    return {
        str(file.relative_to(results)): file.read_bytes()
        for file in sorted(results.rglob("*"))
        if file.is_file() and file.relative_to(results).parts[0] not in TIMES
    } | {str(one.relative_to(results)): b"" for one in results.rglob(".*") if one.is_dir()}


def compare(folder, other):
    """Return the files in which two runs differ."""
    one, two = contents(folder), contents(other)
    return sorted(name for name in {*one, *two} if one.get(name) != two.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--aimed", type=int, default=10, help="kills in the middle of a write")
    parser.add_argument("--random", type=int, default=10, help="kills at any time")
    parser.add_argument("--folder", type=Path, help="where an undisturbed run may be already")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="an ONNX file alone, no TensorFlow")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="kills."))
    undisturbed = folder / "undisturbed"
    began = time.monotonic()
    if not undisturbed.exists():
        finish(make_run(undisturbed, not args.small))
    longest = max(time.monotonic() - began, 5)
    rng = random.Random(args.seed)
    places = WRITES[:2] + ([] if args.small else MODELS) + WRITES[2:]
    hits = rng.sample(places, min(len(places), args.aimed - 1)) if args.aimed else []
    hits = sorted(hits + hits[:1], key=places.index)  # one of them twice
    kills = {
        "aimed": iter({"target": hit} for hit in hits),
        "random": iter(lambda: {"seconds": rng.uniform(1, longest)}, None),
    }
    done = same = 0
    for name, wanted in (("aimed", len(hits)), ("random", args.random)):
        died, differ, run = 0, set(), make_run(folder / name, not args.small)
        while died < wanted:
            kill = next(kills[name])
            hit = killed(run, 1 + died % 2, **kill)
            print(f"{kill}: {'killed' if hit else 'was over before'}", flush=True)
            died += hit
            if not hit:
                differ |= set(compare(undisturbed, run))
                shutil.rmtree(run)
                run = make_run(run, not args.small)
        finish(run)
        differ |= set(compare(undisturbed, run))
        done, same = done + died, same + (0 if differ else died)
        said = f"differs in {', '.join(sorted(differ))}" if differ else "the same"
        print(f"{name}: {said}", flush=True)
    print(f"{same} of {done} kills ended in the same bytes, with nothing left over ({folder})")
    sys.exit(same != done)


if __name__ == "__main__":
    main()
