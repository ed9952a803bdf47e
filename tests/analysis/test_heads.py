"""Connections are counted for the head that they belong to, by the layer graph of the run."""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import heads

# Two tokens of four channels, two heads; 0 is the image.
GRAPH = {
    "nodes": [
        {"name": "query", "operation": "linear", "inputs": [0]},
        {"name": "key", "operation": "linear", "inputs": [0]},
        {"name": "value", "operation": "linear", "inputs": [0]},
        {"name": "attention", "operation": "attention", "inputs": [1, 2, 3], "heads": 2},
        {"name": "projection", "operation": "linear", "inputs": [4]},
        {"name": "other", "operation": "linear", "inputs": [0]},
    ]
}


class Heads(unittest.TestCase):
    def test_an_attention_has_the_layers_that_it_reads_and_those_that_read_it(self):
        self.assertEqual(heads.attentions(GRAPH), [("attention", 2, ["query", "key", "value"], ["projection"])])

    def test_a_head_owns_rows_of_what_makes_it_and_columns_of_what_reads_it(self):
        (attention,) = heads.attentions(GRAPH)
        masks = {name: np.zeros((4, 4, 1, 1), bool) for name in ("query", "key", "value", "projection")}
        self.assertEqual(heads.head_densities(masks, attention), [0, 0])
        masks["query"][0] = True  # the first head: 4 of its 32
        masks["projection"][:, 3] = True  # the second: 4
        masks["value"][2, 1] = True  # and 1 more
        self.assertEqual(heads.head_densities(masks, attention), [4 / 32, 5 / 32])

    def test_the_table_tells_how_unequal_the_heads_are(self):
        run = SimpleNamespace(options={"growth-rule": "path"}, identity={"method": "gcg", "seed": 3}, network="toy")
        grown = heads.table(
            {"run": run, "density": [0.1, 0.2], "heads": {"a, head 1": [0.0, 0.1], "a, head 2": [0.2, 0.3]}}
        )
        self.assertEqual(grown.rows[0], ["0", "0.100", "0.100", "0.000", "0.200", "1.00", "1"])
        self.assertEqual(grown.rows[1], ["1", "0.200", "0.200", "0.100", "0.300", "0.50", "0"])
        self.assertIn("growth by path, toy, seed 3", grown.caption)


if __name__ == "__main__":
    unittest.main()
