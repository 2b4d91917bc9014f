#nsml: default
from setuptools import setup

setup(name="kin_torch", version="1.0", install_requires=["torch"])
