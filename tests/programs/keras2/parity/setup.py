#nsml: nsml/ml:cuda9.0-cudnn7-tf-1.11torch0.4keras2.2
from distutils.core import setup

setup(name='parity', version='1.0', install_requires=['keras>=2.2', 'tensorflow-gpu', 'numpy'])
