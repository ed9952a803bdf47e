#!/usr/bin/env python3
"""Accuracy of every method at fixed densities, with cost relative to dense training of the same seed.

From the run files of one study to a small summary and a Markdown table.
"""

import argparse
import json
import math
from pathlib import Path

from intervals import mean_interval
from study_runs import load_study


def flops(run):
    return sum(float(run.cost[name]) for name in ("training_flops", "scoring_flops", "dense_gradient_flops"))


def seconds(run):
    return sum(float(run.cost[name]) for name in ("train_seconds", "grow_seconds"))


def plain(value):
    """JSON has no NaN."""
    return float(value) if math.isfinite(value) else None


def cell(runs, dense):
    """Test accuracy over seeds, paired difference to dense, cost relative to the dense run of the seed."""
    seeds = sorted(runs)
    accuracy = [runs[s].final["test_accuracy"] for s in seeds]
    paired = [s for s in seeds if s in dense]
    gap = [runs[s].final["test_accuracy"] - dense[s].final["test_accuracy"] for s in paired]
    mean, half = mean_interval(accuracy)
    result = {
        "seeds": seeds,
        "test_accuracy": mean,
        "half_interval": plain(half),
        "by_seed": [float(a) for a in accuracy],
        "density": float(runs[seeds[0]].final["density"]),
        "epochs": int(runs[seeds[0]].cost["epochs"]),
        "warnings": sum(len(runs[s].warnings) for s in seeds),
    }
    if paired:
        gap_mean, gap_half = mean_interval(gap)
        result |= {
            "gap": gap_mean,
            "gap_half_interval": plain(gap_half),
            "training_flops": mean_interval([flops(runs[s]) / flops(dense[s]) for s in paired])[0],
            "seconds": mean_interval([seconds(runs[s]) / seconds(dense[s]) for s in paired])[0],
            "inference_flops": mean_interval(
                [runs[s].final["inference_flops"] / dense[s].final["inference_flops"] for s in paired])[0],
            "peak_memory": mean_interval(
                [float(runs[s].cost["peak_memory_bytes"]) / float(dense[s].cost["peak_memory_bytes"])
                 for s in paired])[0],
        }
    return result


def interval_text(mean, half):
    return f"{100 * mean:.1f}" if half is None else f"{100 * mean:.1f} ± {100 * half:.1f}"


def markdown(summary):
    dense = summary["cells"].get("dense")
    lines = [f"Test accuracy, %, mean ± 95 % t interval over seeds ({summary['data']}, {summary['network']}, equal epochs).", ""]
    if dense:
        lines += [f"Dense: {interval_text(dense['test_accuracy'], dense['half_interval'])} "
                  f"({len(dense['seeds'])} seeds, {dense['epochs']} epochs).", ""]
    densities = summary["densities"]
    lines += ["| method | " + " | ".join(densities) + " |", "|---|" + "---|" * len(densities)]
    for method in summary["methods"]:
        row = []
        for density in densities:
            found = summary["cells"].get(f"{method}: density {density}")
            row.append("-" if found is None else interval_text(found["test_accuracy"], found["half_interval"]))
        lines.append(f"| {method} | " + " | ".join(row) + " |")
    lines += ["", "Cost relative to the dense training of the same seed: training FLOPs (scores and dense gradients counted) / "
              "seconds of training and mask changes / inference FLOPs / peak memory; epochs.", "",
              "| method | " + " | ".join(densities) + " |", "|---|" + "---|" * len(densities)]
    for method in summary["methods"]:
        row = []
        for density in densities:
            found = summary["cells"].get(f"{method}: density {density}")
            if found is None or "seconds" not in found:
                row.append("-")
            else:
                row.append(f"{found['training_flops']:.3f} / {found['seconds']:.2f} / {found['inference_flops']:.3f} / "
                           f"{found['peak_memory']:.2f}; {found['epochs']}")
        lines.append(f"| {method} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the study's runs")
    parser.add_argument("--scale", default="smoke", choices=["smoke", "small", "full"])
    parser.add_argument("--data-name", default="", help="how to name the data in tables")
    arguments = parser.parse_args()
    curves, missing = load_study(arguments.folder, "methods_table", arguments.scale)
    if not curves:
        raise SystemExit("no run of the study is finished yet")
    any_run = next(iter(next(iter(curves.values())).values()))
    dense = curves.get("dense", {})
    cells = {name: cell(runs, dense) for name, runs in curves.items()}
    split = [name.split(": density ") for name in cells if ": density " in name]
    summary = {
        "experiment": "methods_table",
        "scale": arguments.scale,
        "data": arguments.data_name or any_run.identity["data"],
        "data_digest": any_run.identity["data_digest"],
        "network": any_run.identity["network"],
        "processor": any_run.host["processor"],
        "commit": any_run.build["commit"],
        "missing": missing,
        "methods": list(dict.fromkeys(method for method, _ in split)),
        "densities": sorted({density for _, density in split}, reverse=True),
        "cells": cells,
    }
    base = arguments.folder / f"methods_table-{arguments.scale}"
    Path(f"{base}.summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    text = markdown(summary)
    Path(f"{base}.md").write_text(text)
    print(text)
    if missing:
        shown = "; ".join(missing[:5]) + ("; ..." if len(missing) > 5 else "")
        print(f"not finished ({len(missing)}): {shown}")
    print("summary ", f"{base}.summary.json")


if __name__ == "__main__":
    main()
