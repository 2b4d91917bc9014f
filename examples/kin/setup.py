#nsml: default
from setuptools import setup

setup(name="kin", version="1.0", install_requires=["numpy"])
