"""score: batch transform by a pipe, in every form, in constant memory, in order."""
import json
import subprocess
import threading
import unittest

import kit
from kit import csv, rows, run


def setUpModule():
    kit.set_up()


def tearDownModule():
    kit.tear_down()


def score(text, *arguments, check=0):
    body = text if isinstance(text, bytes) else text.encode()
    return run("score", "--model", kit.MODEL, *arguments, input=body, check=check)


class Scoring(unittest.TestCase):
    def test_every_form_gives_the_same(self):
        pairs = list(rows(1000))
        instances = [{"data": {"features": {"values": pair}}} if i % 2 else {"features": pair}
                     for i, pair in enumerate(pairs)]
        forms = {"text/csv": csv(pairs), "application/json": json.dumps({"instances": instances}, indent=1),
                 "application/jsonlines": "".join(json.dumps(one) + "\n" for one in instances)}
        outputs = set()
        for type, body in forms.items():
            outputs.add(score(body).stdout)
            outputs.add(score(body, "--content-type", type).stdout)
        self.assertEqual(len(outputs), 1)
        values = json.loads(score(forms["text/csv"], "--accept", "application/json").stdout)["predictions"]
        self.assertEqual("".join(json.dumps(value) + "\n" for value in values).encode(), outputs.pop())
        verbose = score(forms["text/csv"], "--accept", "application/jsonlines;verbose=true").stdout.splitlines()
        self.assertEqual([json.loads(line)["dot_product"] for line in verbose],
                         [value["dot_product"] for value in values])

    def test_order_is_kept(self):
        pairs = list(rows(3000))
        one_by_one = {pair: score(csv([pair])).stdout for pair in pairs[:15]}
        lines = score(csv(pairs)).stdout.splitlines(keepends=True)
        self.assertEqual(len(lines), len(pairs))
        self.assertEqual(lines[:15], [one_by_one[pair] for pair in pairs[:15]])

    def test_a_type_that_is_not_there(self):
        for arguments in (("--content-type", "text/plain"), ("--accept", "text/csv"), ("--max-bad", "x")):
            self.assertEqual(score("", *arguments, check=None).returncode, 2)
        self.assertIn(b"stdin:1:2: there is a quote", score('{"features":["a","1.2.3.4"]}', "--content-type", "text/csv", check=1).stderr)

    def test_the_first_bad_row_ends_it(self):
        done = score("host-1,10.1.0.1\nhost-1,10.1.0.1:80\nhost-1,10.1.0.1\n", check=1)
        self.assertEqual(done.stdout.count(b"\n"), 1)
        self.assertIn(b"stdin:2:8: an IP address goes without brackets and port", done.stderr)

    def test_bad_rows_are_passed_over_and_counted(self):
        body = csv(rows(90)) + "a,1.2.3.4,5\n" * 4 + "a,012.0.0.1\n" * 5 + "x" * (1 << 20) + ",1.2.3.4\n"
        done = score(body, "--max-bad", "10%")
        self.assertEqual(done.stdout, score(csv(rows(90))).stdout)
        self.assertIn(b"skipped 10 of 100 rows: columns 4, leading_zero 5, too_long 1", done.stderr)
        self.assertIn(b"skipped stdin:91:11: more than two fields", done.stderr)
        done = score(body, "--max-bad", "9.9%", check=1)
        self.assertIn(b"10 of 100 rows are bad, more than --max-bad 9.9%", done.stderr)

    def test_training_passes_over_them_too(self):
        (kit.FOLDER / "some-bad.csv").write_text(csv(rows(500)) + "a,1.2.3.4:80\n")
        done = run("train", "--out", "t.model", "--epochs", 1, "some-bad.csv")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"some-bad.csv:501:3: ", done.stderr)
        done = run("train", "--out", "t.model", "--epochs", 1, "--max-bad", "1%", "some-bad.csv", check=0)
        self.assertIn(b"skipped 1 of 501 rows: address_port 1", done.stderr)

    def test_evaluation_passes_over_them_too(self):
        labelled = "entity,ip,time,label\n" + "".join(f"{entity},{ip},0,{i % 2}\n"
                                                       for i, (entity, ip) in enumerate(rows(99)))
        (kit.FOLDER / "labelled.csv").write_text(labelled + "a,1.2.3.4:80,0,1\n")
        (kit.FOLDER / "learned.csv").write_text(csv(rows(49)) + "a,1.2.3,0,0\n")
        evaluate = ("evaluate", "--model", kit.MODEL, "--train", "learned.csv", "labelled.csv")
        self.assertIn(b"learned.csv:50:3: ", run(*evaluate, check=1).stderr)
        self.assertIn(b"labelled.csv:101:3: ", run(*evaluate[:3], "labelled.csv", check=1).stderr)
        self.assertIn(b"1 of 50 rows are bad, more than --max-bad 1%",
                      run(*evaluate, "--max-bad", "1%", check=1).stderr)
        done = run(*evaluate, "--max-bad", "2%", check=0)
        self.assertEqual(json.loads(done.stdout)["rows"], 99)
        self.assertIn(b"skipped 1 of 100 rows: address_port 1", done.stderr)
        self.assertIn(b"skipped 1 of 50 rows: address 1", done.stderr)

    def memory(self, body_pieces):
        """The most that score held, in KiB."""
        process = subprocess.Popen([str(kit.BINARY), "score", "--model", str(kit.MODEL)], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        peak = 0

        def watch():
            nonlocal peak
            while process.poll() is None:
                try:
                    with open(f"/proc/{process.pid}/status") as status:
                        peak = max([peak] + [int(l.split()[1]) for l in status if l.startswith("VmHWM")])
                except OSError:
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        for piece in body_pieces:
            process.stdin.write(piece)
        process.stdin.close()
        self.assertEqual(process.wait(timeout=kit.SECONDS_MAX), 0)
        watcher.join()
        self.assertGreater(peak, 0)
        return peak

    @unittest.skipIf("asan" in str(kit.BINARY) or "tsan" in str(kit.BINARY), "a sanitizer keeps what was freed")
    def test_memory_does_not_grow_with_the_input(self):
        """20 MB in one JSON document against 0.4 MB."""
        instances = ",".join(json.dumps({"features": pair}) for pair in rows(2500)).encode()

        def document(times):
            yield b'{"instances":['
            for i in range(times):
                yield (b"," if i else b"") + instances
            yield b"]}"

        few, many = self.memory(document(4)), self.memory(document(180))
        self.assertLess(many, few + 2048)


if __name__ == "__main__":
    unittest.main()
