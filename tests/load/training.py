"""How fast `pairwatch train` learns IP Insights' vectors, as a multiple of the rate in the log of SageMaker's own
run of its tutorial on a GPU (ml.p3.2xlarge, the same hyperparameters): 133,783 records a second, negatives included.

The data follow the tutorial's rules: a user logs in from networks near home and near work, 3 % of the time from
anywhere. The program's own metric lines give the rate of the optimisation alone; with CSV is all of `train`: reading,
calibration, both trainings, the prefix tree, writing.
"""
import random
import re
import sys
from pathlib import Path

GPU_RATE = 133_783
EPOCHS = 3
SAMPLES = 7  # of a pair: itself, 5 random, 1 shuffled
HYPERPARAMETERS = ("--vector-dim", 128, "--mini-batch-size", 1000, "--epochs", EPOCHS, "--learning-rate", 0.01,
                   "--random-negative-sampling-rate", 5, "--shuffled-negative-sampling-rate", 1)
RANGES = 400_000
DAY = 86_400


def write_logins(path, users, seed=1):
    """Rows of entity,ip,time; returns how many. Ranges of addresses are equal in size and lie in a random order."""
    draw = random.Random(seed)
    width = (1 << 32) // RANGES
    starts = [i * width for i in range(RANGES)]
    draw.shuffle(starts)
    rows = 0
    with path.open("w") as file:
        file.write("entity,ip,ts\n")
        for user in range(users):
            home = draw.randrange(RANGES)
            work = home + draw.randrange(-50_000, 50_000)
            travels, at_home = draw.betavariate(1, 30), draw.betavariate(3, 5)
            for _ in range(min(10_000, int(50 * (draw.paretovariate(1) + 1)))):
                if draw.random() < travels:
                    network = draw.randrange(RANGES)
                else:
                    network = int(draw.gauss(home if draw.random() < at_home else work, 10)) % RANGES
                ip = starts[network] + draw.randrange(width)
                file.write(f"user_{user},{ip >> 24}.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255},"
                           f"{1_541_000_000 + draw.randrange(7 * DAY)}\n")
                rows += 1
    return rows


def best_rate(text):
    return max(map(float, re.findall(r"train throughput=(\d+)", text)))


def bench_training(folder, users, run, show):
    for count in sorted({min(1000, users), users}):
        path, model, log = folder / "logins.csv", folder / "logins.model", folder / "train.log"
        rows = write_logins(path, count)
        print(f"\n{rows} logins of {count} users, {EPOCHS} epochs, records with {SAMPLES - 1} negatives each")
        digests = set()
        for threads in (1, 2):
            with log.open("w") as file:
                seconds = run("train", "--threads", threads, "--detector", "ip_insights", *HYPERPARAMETERS,
                              "--out", model, path, stdout=file)
            rate = best_rate(log.read_text())
            everything = rows * SAMPLES * EPOCHS * 1.8 / seconds  # calibration learns four fifths before
            name = f"{threads} thread{'s' if threads > 1 else ''}"
            show(f"train, {name}", rate, "rec/s", rate / GPU_RATE, "GPU")
            show(f"train, {name}, all of it with CSV", everything, "rec/s", everything / GPU_RATE, "GPU")
            digests.add(model.read_bytes()[-32:])
        print(f"  the models of one and of two threads are {'equal' if len(digests) == 1 else 'DIFFERENT'}")


if __name__ == "__main__":
    write_logins(Path(sys.argv[2]), int(sys.argv[1]))
