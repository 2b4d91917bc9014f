# Copyright 2020 the team
# Licensed under the MIT licence
"""Baseline for kin_phase1."""
# nsml: nvcr.io/nvidia/1. pytorch:20.08-py3
from distutils.core import setup

setup(name="baseline", version="1.0", install_requires=["-e .", "numpy"])
