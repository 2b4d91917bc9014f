#nsml: default
from setuptools import setup

setup(name="kin_tensorflow", version="1.0", install_requires=["tensorflow"])
