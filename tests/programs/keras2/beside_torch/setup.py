# Baseline of our team, 2019
#nsml: nsml/ml:cuda9.0-cudnn7-tf-1.11torch1.0keras2.2
from distutils.core import setup

setup(name='beside_torch', version='1.0', install_requires=['numpy', 'tqdm'])
