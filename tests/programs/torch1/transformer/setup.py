#nsml: pytorch/pytorch:1.6.0-cuda10.1-cudnn7-runtime
from setuptools import setup

setup(name='transformer', version='1.0', install_requires=['torch>=1.6', 'numpy', 'pandas', 'tqdm'])
