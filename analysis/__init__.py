"""The programs of the analysis as a package, gcg_analysis, where pip installed it. They import one another by their
names; `commands` starts them. What others import is gcg_runs."""
