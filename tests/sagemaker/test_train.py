"""train --sagemaker: the contract of a training container."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

import kit
from kit import Container, csv, rows, run

HYPERPARAMETERS = {"num_entity_vectors": "40", "vector_dim": "12", "epochs": "3", "learning_rate": "0.01",
                   "mini_batch_size": "100"}
CHANNEL = {"ContentType": "text/csv", "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
           "RecordWrapperType": "None"}


def setUpModule():
    kit.set_up()


def tearDownModule():
    kit.tear_down()


class Training(unittest.TestCase):
    def setUp(self):
        self.ml = kit.FOLDER / "opt-ml"
        shutil.rmtree(self.ml, ignore_errors=True)
        (self.ml / "input" / "config").mkdir(parents=True)
        self.put("train/part-0.csv", csv(rows()))

    def put(self, name, text):
        path = self.ml / "input" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def train(self, hyperparameters=HYPERPARAMETERS, channels=None, resources=None):
        for name, value in (("hyperparameters", hyperparameters), ("inputdataconfig", channels),
                            ("resourceconfig", resources)):
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                (self.ml / "input" / "config" / f"{name}.json").write_text(text)
        return run("train", environment={"PAIRWATCH_SAGEMAKER": "true", "PAIRWATCH_SAGEMAKER_DIR": str(self.ml)})

    def trains(self, **more):
        done = self.train(**more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse((self.ml / "output" / "failure").exists())
        return done.stdout.decode()

    def fails(self, *words, **more):
        done = self.train(**more)
        self.assertEqual(done.returncode, 1, done.stderr)
        reason = (self.ml / "output" / "failure").read_text()
        for word in words:
            self.assertIn(word, reason)
        self.assertIn(reason.strip(), done.stderr.decode())
        self.assertFalse((self.ml / "model" / "pairwatch.model").exists())

    def test_what_it_learns_is_served(self):
        self.put("train/folder/part-1.csv", csv([("late", "203.0.113.9")] * 5))
        self.put("validation/part-0.csv", csv(list(rows())[:500]))
        printed = self.trains(channels={"train": CHANNEL, "validation": CHANNEL},
                              resources={"current_host": "algo-7", "hosts": ["algo-7"]})
        self.assertIn("2005 pairs in 2 files", printed)
        auc = re.search(r"#quality_metric: host=algo-7, validation discriminator_auc <score>=(\S+)", printed)
        self.assertGreater(float(auc.group(1)), 0.9)
        self.assertLess(float(auc.group(1)), 1.0001)
        with Container("--sagemaker-dir", self.ml) as container:
            reply = container.invoke("late,203.0.113.9\nlate,77.1.2.3\n", accept="application/json;verbose=true")
            values = json.loads(reply.body)["predictions"]
            self.assertGreater(values[0]["dot_product"], values[1]["dot_product"])
            self.assertEqual(len(values[0]["ip_embedding"]), 12)

    def test_every_epoch_is_told(self):
        printed = self.trains(hyperparameters={**HYPERPARAMETERS, "num_ip_encoder_layers": "0"})
        for metric in ("accuracy <score>", "cross_entropy <loss>"):
            found = re.findall(rf"#quality_metric: host=algo-1, epoch=(\d), train binary_classification_{metric}=([\d.]+)",
                               printed)
            self.assertEqual([epoch for epoch, _ in found], ["0", "1", "2"])
        losses = [float(value) for _, value in found]
        self.assertLess(losses[-1], losses[0])

    def test_a_stopped_job_goes_on_from_its_checkpoint(self):
        slow = {**HYPERPARAMETERS, "epochs": "40", "num_ip_encoder_layers": "0"}
        self.put("train/part-0.csv", csv(rows(8000)))
        self.trains(hyperparameters=slow)
        whole = (self.ml / "model" / "pairwatch.model").read_bytes()
        (self.ml / "model" / "pairwatch.model").unlink()
        (self.ml / "checkpoints").mkdir()
        with subprocess.Popen([str(kit.BINARY), "train", "--sagemaker", "--sagemaker-dir", str(self.ml)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            for line in process.stdout:
                if "epoch=2" in line:
                    break
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
        self.assertEqual(process.returncode, 1)
        self.assertTrue((self.ml / "output" / "failure").read_text())
        self.assertTrue(list((self.ml / "checkpoints").iterdir()))
        (self.ml / "output" / "failure").unlink()
        self.assertNotIn("epoch=0,", self.trains(hyperparameters=slow))
        self.assertEqual((self.ml / "model" / "pairwatch.model").read_bytes(), whole)
        self.assertEqual(list((self.ml / "checkpoints").iterdir()), [])

    def test_the_same_twice(self):
        self.trains()
        first = (self.ml / "model" / "pairwatch.model").read_bytes()
        self.trains()
        self.assertEqual((self.ml / "model" / "pairwatch.model").read_bytes(), first)

    def test_documented_hyperparameters_are_taken(self):
        self.trains(hyperparameters={
            **HYPERPARAMETERS, "random_negative_sampling_rate": "2", "shuffled_negative_sampling_rate": "0",
            "weight_decay": "0.00001", "batch_metrics_publish_interval": "1000",
            "_tuning_objective_metric": "validation:discriminator_auc", "_kvstore": "auto_gpu", "_num_gpus": "auto"})

    def test_hyperparameters_out_of_their_range(self):
        for name, least, most in (("num_entity_vectors", "1", "250000000"), ("vector_dim", "4", "4096"),
                                  ("learning_rate", "1e-06", "10"), ("mini_batch_size", "1", "500000"),
                                  ("num_ip_encoder_layers", "0", "100"),
                                  ("random_negative_sampling_rate", "0", "500"),
                                  ("shuffled_negative_sampling_rate", "0", "500"), ("weight_decay", "0", "10")):
            for value in ("-1", "1e12", "x", "", " 5", "nan"):
                self.fails(f"{name} is \"{value}\"", f"from {least} to {most}",
                           hyperparameters={**HYPERPARAMETERS, name: value})
        self.fails("epochs is \"0\"", hyperparameters={**HYPERPARAMETERS, "epochs": "0"})
        self.fails("vector_dim is \"3\"", hyperparameters={**HYPERPARAMETERS, "vector_dim": "3"})
        self.fails("epochs is \"2.5\"", "whole", hyperparameters={**HYPERPARAMETERS, "epochs": "2.5"})
        self.fails("batch_metrics_publish_interval", "from 1",
                   hyperparameters={**HYPERPARAMETERS, "batch_metrics_publish_interval": "0"})
        for r, s in (("0", "0"), ("300", "300")):
            self.fails("together", "from 1 to 500",
                       hyperparameters={**HYPERPARAMETERS, "random_negative_sampling_rate": r,
                                        "shuffled_negative_sampling_rate": s})

    def test_other_hyperparameters_are_refused(self):
        self.fails("epoch is no hyperparameter", hyperparameters={**HYPERPARAMETERS, "epoch": "3"})
        self.fails("vector_dim must be a text", hyperparameters={**HYPERPARAMETERS, "vector_dim": 12})
        for name in ("num_entity_vectors", "vector_dim"):
            self.fails(f"{name} is required",
                       hyperparameters={k: v for k, v in HYPERPARAMETERS.items() if k != name})
        self.fails("hyperparameters.json", "not JSON", hyperparameters="{")
        self.fails("must be a JSON object", hyperparameters="[]")

    def test_channels_it_cannot_learn_from(self):
        self.fails("train.ContentType must be text/csv",
                   channels={"train": {**CHANNEL, "ContentType": "application/x-recordio-protobuf"}})
        self.fails("train.TrainingInputMode must be File", channels={"train": {**CHANNEL, "TrainingInputMode": "Pipe"}})
        self.fails("test is no channel", channels={"train": CHANNEL, "test": CHANNEL})
        self.fails("train is required", channels={"validation": CHANNEL})
        self.fails("2 instances", channels={"train": CHANNEL},
                   resources={"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})

    def test_bad_rows_name_file_line_and_column(self):
        for row, words in ((b'3769,"37.244.105.230, 165.225.16.83"', ("bad.csv:2:6: ", "list of addresses")),
                           (b"a,1.2.3.4,1700000000", ("bad.csv:2:11: ", "more than two fields")),
                           (b"entity,ip", ("bad.csv:2:8: ", "not an IP address")),
                           (b"a\0b,1.2.3.4", ("bad.csv:2:2: ", "NUL")),
                           (b"a" * (1 << 20) + b",1.2.3.4", ("bad.csv:2:1: ", "longer than")),
                           (b"\x1f\x8b\x08", ("bad.csv:2:1: ",))):
            self.put("train/bad.csv", b"fine,192.0.2.1\n" + row + b"\n")
            self.fails(*words)

    def test_channels_without_rows(self):
        self.put("train/part-0.csv", "\n\n")
        self.fails("no pair in the channel", "data/train")
        shutil.rmtree(self.ml / "input" / "data" / "train")
        self.fails("data/train")

    def test_an_empty_validation_channel(self):
        self.put("validation/part-0.csv", "")
        self.fails("no pair in the channel", "data/validation")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_folder_that_cannot_be_written(self):
        (self.ml / "model").mkdir()
        os.chmod(self.ml / "model", 0o500)
        self.fails("pairwatch.model")

    def test_flags_that_do_not_belong(self):
        done = run("train", "--sagemaker", "--out", "x.model")
        self.assertEqual(done.returncode, 2)
        done = run("train", "pairs.csv")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"needs --out", done.stderr)


class Image(unittest.TestCase):
    """There is no container engine here: the file is read, not built."""

    def setUp(self):
        self.text = (kit.ROOT / "deploy" / "sagemaker" / "Dockerfile").read_text()
        joined = self.text.replace("\\\n", " ")
        self.steps = [line.split(None, 1) for line in joined.splitlines() if line and not line.startswith("#")]

    def test_only_known_instructions(self):
        known = {"FROM", "RUN", "COPY", "ENV", "EXPOSE", "ENTRYPOINT", "LABEL", "WORKDIR", "USER", "ARG"}
        self.assertLessEqual({word for word, _ in self.steps}, known)
        self.assertEqual(self.steps[0][0], "FROM")
        self.assertTrue(all(":" in rest for word, rest in self.steps if word == "FROM"), "a base without a version")

    def test_sagemaker_starts_it_by_train_and_serve(self):
        entry = [rest for word, rest in self.steps if word == "ENTRYPOINT"]
        self.assertEqual(json.loads(entry[-1]), ["/usr/local/bin/pairwatch"])
        self.assertIn(["EXPOSE", "8080"], self.steps)
        self.assertIn("PAIRWATCH_SAGEMAKER=true", self.text)
        self.assertIn("com.amazonaws.sagemaker.capabilities.multi-models=false", self.text)

    @unittest.skipUnless("VERSION_ID=\"12\"" in Path("/etc/os-release").read_text(), "packages have other names here")
    def test_its_packages_are_what_the_program_links(self):
        needed = subprocess.run(["objdump", "-p", str(kit.BINARY)], capture_output=True, text=True, check=True).stdout
        linked = subprocess.run(["ldd", str(kit.BINARY)], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"NEEDED\s+(\S+)", needed):
            path = os.path.realpath(re.search(rf"{re.escape(name)} => (\S+)", linked).group(1))
            for known in (path, path.removeprefix("/usr")):  # /lib is /usr/lib, and dpkg knows one of the names
                owner = subprocess.run(["dpkg", "-S", known], capture_output=True, text=True).stdout.split(":")[0]
                if owner:
                    break
            if owner not in ("libc6", "libasan8", "libubsan1", "libgcc-s1"):  # of every image, of tests only
                self.assertIn(owner, self.text.split(), name)

    def test_what_it_copies_is_there(self):
        for word, rest in self.steps:
            if word == "COPY" and not rest.startswith("--from"):
                for source in rest.split()[:-1]:
                    self.assertTrue((kit.ROOT / source).exists(), source)


if __name__ == "__main__":
    unittest.main()
