# nsml: nvcr.io/nvidia/pytorch:20.03-py3
from distutils.core import setup

setup(name="baseline", version="1.0", install_requires=["numpy"])
