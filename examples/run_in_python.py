# %% [markdown]
# # A run, read in Python
#
# For users who work with run files in Python. The page follows the run that `make demo` leaves behind: what it is, how
# its search went, what its masks look like, and what it cost against dense training. It needs `pip install ./analysis`
# and pandas. The page is `examples/run_in_python.py`, run cell by cell by `make example-page`.

# %%
import gcg_runs
import matplotlib.pyplot as plt
import numpy as np

study = gcg_runs.load_study("runs/demo/demo-smoke.json")
for curve, runs in study.items():
    print(f"{curve}: seeds {sorted(runs)}")

# %% [markdown]
# ## What a run is
#
# A run has dictionaries for what was asked (`options`), what it ran on (`host`, `execution`, `libraries`) and what came
# out (`final`). Tables are dictionaries of columns.

# %%
run = study["grow, then return"][1]
print(run.identity["name"], "on", run.identity["data"])
table = gcg_runs.frame(run.option_table)
changed = table[~table["is_default"] & table["affects_result"]]
print(changed[["name", "value"]].to_string(index=False))
print(f"test accuracy {100 * run.final['test_accuracy']:.2f} % at density {run.final['density']:.4f}")

# %% [markdown]
# ## How the search went
#
# One row a stage: growth to a peak, the way back, the final training of the network that was found. `frame` makes a
# pandas DataFrame of any table.

# %%
stages = gcg_runs.frame(run.stages)
print(stages[["phase", "density", "epochs", "validation_accuracy", "validation_loss", "decision"]].to_string())
print("found:", run.search["outcome"], run.search["density"])

# %% [markdown]
# Losses of two stages are compared on the same validation images. `above_best` holds the differences to the best stage
# of the way back, with their standard errors.

# %%
above = run.above_best
for stage in np.flatnonzero(np.isfinite(above["loss"])):
    density, loss, error = run.stages["density"][stage], above["loss"][stage], above["loss_error"][stage]
    print(f"stage {stage:2}  density {density:.4f}  loss {loss:+.4f} ± {error:.4f} from the best")

# %%
searched = run.stages["phase"] != "final"
figure, axes = plt.subplots(figsize=(6.4, 3.6), constrained_layout=True)
density, loss = run.stages["density"][searched], run.stages["validation_loss"][searched]
axes.plot(density, loss, "o-", label="stages, in their order")
axes.axvline(run.search["density"], color="#CC79A7", label="the density that was found")
axes.set_xscale("log")
axes.set_xlabel("density")
axes.set_ylabel("validation loss, nats")
axes.legend()

# %% [markdown]
# ## Masks
#
# A mask is a Boolean array in the shape of the layer's weight. They are read when they are asked for.

# %%
last = list(run.masks)[-1]
for layer, mask in run.masks[last].items():
    print(f"{layer:24} {str(mask.shape):18} {mask.sum():6} of {mask.size:6} present")

# %% [markdown]
# ## What it cost
#
# Everything is counted: training, scores and dense gradients. Dense training of the same seed is the yardstick.

# %%
dense = study["dense"][1]
print(f"density × epochs  {run.cost['density_epochs'] / dense.cost['density_epochs']:.2f} of dense")
print(f"training FLOPs    {run.cost['training_flops'] / dense.cost['training_flops']:.2f} of dense")
print(f"epochs            {run.cost['epochs']} against {dense.cost['epochs']}")
